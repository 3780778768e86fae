/*
 * bus_track.c - the partitions of one consumer and the messages that are out.
 *
 * Each partition has the list of its messages that were handed over and not given back, in the
 * order of their offsets. The watermark is the first one's offset, or, with none out, one past the
 * last that was handed over. Only when the head of the list moves is there something to store.
 *
 * A message knows its partition until the partition is lost; then it becomes an orphan, and giving
 * it back frees it and nothing more. A partition that comes back starts with an empty list.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/bus_internal.h"

struct part;
struct held {
    struct bus_msg msg;
    struct part *part; /* NULL: orphan */
    struct held *prev, *next;
    char bytes[]; /* the payload, a NUL, the topic */
};
struct list {
    struct held *head, *tail;
};
struct part {
    struct list out;
    struct part *next;
    int64_t after; /* one past the last offset that was handed over; -1: none yet */
    int32_t partition;
    char topic[BUS_TOPIC_MAX];
};
struct bus_track {
    pthread_mutex_t lock;
    struct part *parts;  /* lock */
    struct list orphans; /* lock */
    bus_track_store_fn *store;
    void *ctx;
};

static void list_append(struct list *l, struct held *h)
{
    h->next = NULL;
    h->prev = l->tail;
    if (l->tail != NULL) {
        l->tail->next = h;
    } else {
        l->head = h;
    }
    l->tail = h;
}

static void list_remove(struct list *l, struct held *h)
{
    if (h->prev != NULL) {
        h->prev->next = h->next;
    } else {
        l->head = h->next;
    }
    if (h->next != NULL) {
        h->next->prev = h->prev;
    } else {
        l->tail = h->prev;
    }
}

static void list_free(struct list *l)
{
    struct held *h = l->head;
    while (h != NULL) {
        struct held *next = h->next;
        free(h);
        h = next;
    }
}

struct bus_track *bus_track_new(bus_track_store_fn *store, void *ctx, struct err *err)
{
    struct bus_track *t = calloc(1, sizeof *t);
    if (t == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    t->store = store;
    t->ctx = ctx;
    return t;
}

void bus_track_free(struct bus_track *t)
{
    if (t == NULL) {
        return;
    }
    bus_track_lose_all(t);
    list_free(&t->orphans);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Where the pointer to the partition is, or where it would be added. Needs the lock. */
static struct part **find_part(struct bus_track *t, const char *topic, int32_t partition)
{
    struct part **at = &t->parts;
    while (*at != NULL && ((*at)->partition != partition || strcmp((*at)->topic, topic) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static void orphan_all(struct bus_track *t, struct part *p)
{
    struct held *h;
    while ((h = p->out.head) != NULL) {
        list_remove(&p->out, h);
        h->part = NULL;
        list_append(&t->orphans, h);
    }
}

/* Take out the partition that *at points to. Needs the lock. */
static void drop_part(struct bus_track *t, struct part **at)
{
    struct part *p = *at;
    orphan_all(t, p);
    *at = p->next;
    free(p);
}

static struct part *new_part(const char *topic, int32_t partition)
{
    size_t len = strlen(topic);
    struct part *p = len < BUS_TOPIC_MAX ? calloc(1, sizeof *p) : NULL;
    if (p != NULL) {
        memcpy(p->topic, topic, len + 1);
        p->partition = partition;
        p->after = -1;
    }
    return p;
}

int bus_track_gain(struct bus_track *t, const char *topic, int32_t partition)
{
    struct part *p = new_part(topic, partition);
    if (p == NULL) {
        return -1;
    }
    pthread_mutex_lock(&t->lock);
    struct part **at = find_part(t, topic, partition);
    if (*at != NULL) {
        drop_part(t, at);
    }
    p->next = t->parts;
    t->parts = p;
    pthread_mutex_unlock(&t->lock);
    return 0;
}

void bus_track_lose(struct bus_track *t, const char *topic, int32_t partition)
{
    pthread_mutex_lock(&t->lock);
    struct part **at = find_part(t, topic, partition);
    if (*at != NULL) {
        drop_part(t, at);
    }
    pthread_mutex_unlock(&t->lock);
}

void bus_track_lose_all(struct bus_track *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->parts != NULL) {
        drop_part(t, &t->parts);
    }
    pthread_mutex_unlock(&t->lock);
}

/* The copy lets go of the library's message at once: one that is kept would hold up its closing. */
static struct held *copy_message(const struct bus_msg *m)
{
    size_t topic_len = strlen(m->topic) + 1;
    struct held *h = malloc(sizeof *h + m->len + 1 + topic_len);
    if (h == NULL) {
        return NULL;
    }
    if (m->len > 0) {
        memcpy(h->bytes, m->data, m->len);
    }
    h->bytes[m->len] = '\0';
    char *topic = h->bytes + m->len + 1;
    memcpy(topic, m->topic, topic_len);
    h->msg = *m;
    h->msg.data = h->bytes;
    h->msg.topic = topic;
    h->msg.owned = h;
    h->part = NULL;
    return h;
}

/* An offset that goes back means that the topic was created again or rewound: what is out belongs
 * to the past, and the watermark starts again. */
static void note_out(struct bus_track *t, struct part *p, struct held *h)
{
    if (h->msg.offset < p->after) {
        orphan_all(t, p);
    }
    p->after = h->msg.offset + 1;
    h->part = p;
    list_append(&p->out, h);
}

struct bus_msg *bus_track_out(struct bus_track *t, const struct bus_msg *m)
{
    struct held *h = copy_message(m);
    if (h == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&t->lock);
    struct part *p = *find_part(t, m->topic, m->partition);
    if (p != NULL) {
        note_out(t, p, h);
    } else {
        list_append(&t->orphans, h);
    }
    pthread_mutex_unlock(&t->lock);
    return &h->msg;
}

void bus_track_back(struct bus_track *t, struct bus_msg *msg)
{
    struct held *h = msg->owned;
    pthread_mutex_lock(&t->lock);
    struct part *p = h->part;
    bool was_head = p != NULL && p->out.head == h;
    list_remove(p != NULL ? &p->out : &t->orphans, h);
    if (was_head && t->store != NULL) {
        int64_t mark = p->out.head != NULL ? p->out.head->msg.offset : p->after;
        t->store(t->ctx, p->topic, p->partition, mark);
    }
    pthread_mutex_unlock(&t->lock);
    free(h);
}

size_t bus_track_owned(struct bus_track *t, const char *topic, int32_t *partitions, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (const struct part *p = t->parts; p != NULL && n < max; p = p->next) {
        if (strcmp(p->topic, topic) == 0) {
            partitions[n++] = p->partition;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}
