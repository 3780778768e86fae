/*
 * indexes.c - indexes are made beside the work: a build over a million documents takes minutes, and
 * planning needs none of them but for its speed. A build that takes longer than a command's
 * deadline continues in the server; the next round waits for it again.
 */
#include "scheduler/indexes.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/db_index.h"
#include "common/task/alert.h"
#include "scheduler/scheduler.h"

#define LOOK_MS  1000   /* whether this scheduler leads */
#define AGAIN_MS 30000  /* after a round that did not end */
#define REST_MS  600000 /* an administrator may drop one at any time */

struct indexes {
    struct scheduler *s;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* lock */
};

static void report(void *ctx, const char *name, const char *why)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    struct scheduler *s = ctx;
    struct err err = {0};
    const struct alert alert = {.kind = "index_differs",
                                .raw_file = name, /* the field of what an alert is about */
                                .text = why != NULL ? why : "",
                                .by = "trawl-scheduler"};
    if (why != NULL && log_gate_open(&gate, &missed)) {
        log_warn("index_differs", KV("index", name), KV("why", why), KV("missed", missed));
    }
    int rc = why != NULL ? alert_open(s->db, &alert, &err) : alert_close(s->db, &alert, &err);
    if (rc != 0) {
        log_err_rarely("index_alert", &err);
    }
}

static bool pause_until(struct indexes *i, int64_t until_ms)
{
    pthread_mutex_lock(&i->lock);
    while (!i->stop && mono_wait(&i->wake, &i->lock, until_ms)) {
    }
    bool stop = i->stop;
    pthread_mutex_unlock(&i->lock);
    return !stop;
}

/* How long to wait for the next round; ends early when another scheduler leads, or this one stops.
 */
static int64_t make_round(struct indexes *i)
{
    for (const char *const *coll = db_indexed_collections; *coll != NULL; coll++) {
        struct err err = {0};
        if (!pause_until(i, 0) || !atomic_load(&i->s->leading)) {
            return 0;
        }
        if (db_indexes_ensure(i->s->db, *coll, report, i->s, &err) != 0) {
            log_err_rarely("indexes", &err);
            return AGAIN_MS;
        }
    }
    return REST_MS;
}

static void *indexes_main(void *arg)
{
    struct indexes *i = arg;
    int64_t next = 0;
    while (pause_until(i, mono_ms() + LOOK_MS)) {
        if (!atomic_load(&i->s->leading)) {
            next = 0;
        } else if (mono_ms() >= next) {
            next = mono_ms() + make_round(i);
        }
    }
    return NULL;
}

struct indexes *indexes_new(struct scheduler *s, struct err *err)
{
    struct indexes *i = calloc(1, sizeof *i);
    if (i == NULL) {
        err_no_memory(err);
        return NULL;
    }
    i->s = s;
    pthread_mutex_init(&i->lock, NULL);
    mono_cond_init(&i->wake);
    if (pthread_create(&i->thread, NULL, indexes_main, i) != 0) {
        ERR(err, ERR_FATAL, 0, "cannot start a thread");
        free(i);
        return NULL;
    }
    return i;
}

void indexes_free(struct indexes *i)
{
    if (i == NULL) {
        return;
    }
    pthread_mutex_lock(&i->lock);
    i->stop = true;
    pthread_cond_signal(&i->wake);
    pthread_mutex_unlock(&i->lock);
    pthread_join(i->thread, NULL);
    pthread_cond_destroy(&i->wake);
    pthread_mutex_destroy(&i->lock);
    free(i);
}
