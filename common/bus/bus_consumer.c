/*
 * bus_consumer.c - a consumer's thread: it polls until it must stop and hands messages over.
 *
 * Tasks: a member of the group <env>.workers.<kind>. Rebalances are cooperative, so that partitions
 * which stay are read without a pause: a join waits for members that died until their session ends,
 * and meanwhile the other members must not wait. A group for each kind, because the assignor
 * balances the sum of a group's partitions: of several kinds one worker might get all copies,
 * another all jobs, and then no task of the other kind could be addressed to it. Offsets are stored
 * by bus_track's watermark and committed once a second. A new group, and one whose offsets are gone
 * (a topic created again), starts at the oldest message: a duplicate loses its claim, a lost
 * message waits for the scheduler to publish again.
 *
 * Events: all partitions, assigned by hand from the end; no group, no commits. A look at the topic
 * every few seconds picks up a topic that was made later or with other partitions; what is in those
 * is all new and is read from the start.
 *
 * Nothing here ends because of Kafka: a fatal error of the library gets a new client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

struct bus_consumer {
    struct bus *bus;
    rd_kafka_t *rk;       /* replaced only by the thread, while no partition is tracked */
    pthread_mutex_t swap; /* held to replace it, and by others to use it */
    struct bus_track *track;
    bus_msg_fn *on_msg;
    void *ctx;
    bool events;
    char topic[BUS_TOPIC_MAX];
    char group[BUS_TOPIC_MAX];
    pthread_t thread;
    _Atomic int64_t stop_ms; /* since when it is to stop; 0: it is not */
    /* Of the events, used by the thread only: */
    int assigned;  /* partitions that are read now */
    bool was_gone; /* the topic was seen missing: what comes then is new from its first message */
    int64_t next_look_ms;
};

#define CONSUMER_SETTINGS                                                                          \
    {"enable.auto.offset.store", "false"}, {"auto.offset.reset", "earliest"},                      \
        {"allow.auto.create.topics", "false"}, {"fetch.min.bytes", "1"},                           \
        {"fetch.wait.max.ms", "1000"}, {"fetch.error.backoff.ms", "100"},                          \
        {"queued.min.messages", "1000"},                                                           \
    {                                                                                              \
        "queued.max.messages.kbytes", "16384"                                                      \
    }

static const struct bus_setting task_settings[] = {
    CONSUMER_SETTINGS,
    {"enable.auto.commit", "true"},
    {"auto.commit.interval.ms", "5000"}, /* what comes again is claimed by nobody */
    {"partition.assignment.strategy", "cooperative-sticky"},
    {0},
};
static const struct bus_setting event_settings[] = {
    CONSUMER_SETTINGS,
    {"enable.auto.commit", "false"},
    {0},
};

void bus_consumer_trouble(struct bus_consumer *c, rd_kafka_resp_err_t code, const char *what)
{
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        if (!c->events) { /* events are read without the group, so no right to it is needed */
            bus_trouble_denied(c->bus, BUS_RIGHT_READ_GROUP, c->group);
        }
    } else if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        bus_trouble_denied(c->bus, BUS_RIGHT_READ, c->topic);
    } else {
        bus_trouble_log(c->bus, code, what);
    }
}

/* --- the group --- */

/* A failure here means that the partition is ours no longer: then the new owner sees the message
 * again. Nothing to do. */
static void store_offset(void *ctx, const char *topic, int32_t partition, int64_t offset)
{
    struct bus_consumer *c = ctx;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    (void)rd_kafka_offsets_store(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void give(struct bus_consumer *c, rd_kafka_topic_partition_list_t *parts)
{
    for (int i = 0; i < parts->cnt; i++) {
        if (bus_track_gain(c->track, parts->elems[i].topic, parts->elems[i].partition) != 0) {
            /* Untracked, its offsets are never stored: read again after the next rebalance. */
            log_error("kafka_partition_untracked", KV("topic", parts->elems[i].topic),
                      KV("partition", parts->elems[i].partition));
        }
    }
    rd_kafka_error_destroy(rd_kafka_incremental_assign(c->rk, parts));
}

/* First forget, then unassign: the library commits what is stored as it unassigns, and nothing may
 * be stored after that. */
static void take(struct bus_consumer *c, rd_kafka_topic_partition_list_t *parts)
{
    for (int i = 0; i < parts->cnt; i++) {
        bus_track_lose(c->track, parts->elems[i].topic, parts->elems[i].partition);
    }
    rd_kafka_error_destroy(rd_kafka_incremental_unassign(c->rk, parts));
}

static void rebalance(struct bus_consumer *c, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *parts)
{
    bool gained = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    log_info("kafka_rebalance", KV("change", gained ? "gained" : "lost"),
             KV("partitions", parts->cnt));
    if (gained) {
        give(c, parts);
    } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        take(c, parts);
    } else {
        bus_trouble_log(c->bus, code, "rebalance");
        bus_track_lose_all(c->track);
        rd_kafka_assign(c->rk, NULL);
    }
}

/* Only ever runs inside the thread's own polls. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *parts, void *opaque)
{
    (void)rk;
    rebalance(((struct bus_opaque *)opaque)->consumer, code, parts);
}

static int subscribe(struct bus_consumer *c, rd_kafka_t *rk, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, c->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ERR(err, ERR_INVALID, code, "cannot subscribe: %s", rd_kafka_err2str(code));
    }
    return 0;
}

/* --- events --- */

/* The number of partitions; 0 when there is no such topic, -1 when nobody answers. */
static int count_partitions(struct bus_consumer *c)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(c->rk, c->topic, NULL);
    if (rkt == NULL) {
        return -1;
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, rkt, &md, BUS_ASK_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return -1; /* the producer's own look at the broker logs the reason */
    }
    int n = -1;
    if (md->topic_cnt == 1 && md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        n = md->topics[0].partition_cnt;
    } else if (md->topic_cnt == 1) {
        bus_consumer_trouble(c, md->topics[0].err, c->topic);
        n = md->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? 0 : -1;
    }
    rd_kafka_metadata_destroy(md);
    return n;
}

/* Where to read on: where we are; else, at the very first time, at the end. */
static void assign_events(struct bus_consumer *c, int n)
{
    bool first = c->assigned == 0 && !c->was_gone;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, c->topic, i);
    }
    if (n > 0) {
        (void)rd_kafka_position(c->rk, list);
    }
    bus_track_lose_all(c->track);
    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *p = &list->elems[i];
        if (p->offset < 0 || i >= c->assigned) {
            p->offset = first || i < c->assigned ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
        }
        p->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        c->assigned = n;
    } else {
        bus_trouble_log(c->bus, code, "assigning the events");
    }
}

static void look_at_events(struct bus_consumer *c)
{
    if (mono_ms() < c->next_look_ms) {
        return;
    }
    int n = count_partitions(c);
    if (n == 0) {
        c->was_gone = true;
        atomic_store(&c->bus->topics_missing, true);
    }
    if (n >= 0 && n != c->assigned) {
        assign_events(c, n);
    }
    c->next_look_ms = mono_ms() + (c->assigned > 0 ? BUS_LOOK_MS : BUS_LOOK_BAD_MS / 2);
}

/* --- the thread --- */

static void prepare_tasks(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
}

#define BEATS_A_SESSION 30

static void replace_client(struct bus_consumer *c, rd_kafka_t *rk)
{
    pthread_mutex_lock(&c->swap);
    c->rk = rk;
    pthread_mutex_unlock(&c->swap);
}

static int consumer_open(struct bus_consumer *c, struct err *err)
{
    const struct bus_setting *rest = c->events ? event_settings : task_settings;
    char session_ms[24], beat_ms[24];
    snprintf(session_ms, sizeof session_ms, "%lld", (long long)c->bus->session_ms);
    snprintf(beat_ms, sizeof beat_ms, "%lld", (long long)c->bus->session_ms / BEATS_A_SESSION);
    struct bus_setting settings[24] = {{"group.id", c->group},
                                       {"session.timeout.ms", session_ms},
                                       {"heartbeat.interval.ms", beat_ms}};
    for (size_t i = 0; rest[i].name != NULL && i + 4 < sizeof settings / sizeof *settings; i++) {
        settings[i + 3] = rest[i];
    }
    rd_kafka_t *rk =
        bus_client_new(c->bus,
                       &(struct bus_client_new){.type = RD_KAFKA_CONSUMER,
                                                .consumer = c,
                                                .settings = settings,
                                                .prepare = c->events ? NULL : prepare_tasks},
                       err);
    if (rk == NULL) {
        return -1;
    }
    rd_kafka_poll_set_consumer(rk);
    if (!c->events && subscribe(c, rk, err) != 0) {
        bus_client_destroy(rk, 0);
        return -1;
    }
    replace_client(c, rk);
    return 0;
}

/* While closing, what the library has to say comes as events (its call-back way of polling a queue
 * asserts when a message is still on it). Messages are dropped unseen: they come again. */
static void serve_closing(struct bus_consumer *c, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, BUS_POLL_MS / 2);
    if (event == NULL) {
        return;
    }
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
        rebalance(c, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event));
    }
    rd_kafka_event_destroy(event);
}

/* Leave the group and commit; a broker that does not answer is left behind when time is up. */
static void consumer_close(struct bus_consumer *c)
{
    if (c->rk == NULL) {
        return;
    }
    int64_t since = atomic_load(&c->stop_ms);
    int64_t deadline = (since != 0 ? since : mono_ms()) + BUS_CLOSE_MS;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_error_t *failed = rd_kafka_consumer_close_queue(c->rk, queue);
    while (failed == NULL && !rd_kafka_consumer_closed(c->rk) && mono_ms() < deadline) {
        serve_closing(c, queue);
    }
    bool clean = failed == NULL && rd_kafka_consumer_closed(c->rk);
    rd_kafka_error_destroy(failed);
    rd_kafka_queue_destroy(queue);
    bus_track_lose_all(c->track);
    rd_kafka_t *old = c->rk;
    replace_client(c, NULL);
    bus_client_destroy(old, clean ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void reopen_after_fatal(struct bus_consumer *c)
{
    char why[256];
    struct err err = {0};
    if (c->rk != NULL) {
        if (rd_kafka_fatal_error(c->rk, why, sizeof why) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return;
        }
        bus_trouble_log(c->bus, RD_KAFKA_RESP_ERR__FATAL, why);
        consumer_close(c);
        c->assigned = 0;
    }
    mono_sleep_ms(BUS_POLL_MS); /* a fault that comes back at once must not take a whole CPU */
    if (consumer_open(c, &err) != 0) {
        log_err("kafka_consumer", &err);
        mono_sleep_ms(BUS_LOOK_BAD_MS);
    }
}

static void hand_over(struct bus_consumer *c, const rd_kafka_message_t *m)
{
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bus_consumer_trouble(c, m->err, rd_kafka_message_errstr(m));
        return;
    }
    struct bus_msg msg = {.topic = rd_kafka_topic_name(m->rkt),
                          .partition = m->partition,
                          .offset = m->offset,
                          .data = m->payload,
                          .len = m->payload != NULL ? m->len : 0};
    struct bus_msg *out = bus_track_out(c->track, &msg);
    atomic_fetch_add(&c->bus->received, 1);
    if (out == NULL) {
        log_error("kafka_message_dropped", KV("reason", "out of memory"), KV("topic", msg.topic));
        return;
    }
    c->on_msg(c->ctx, out);
}

static void *consumer_thread(void *arg)
{
    struct bus_consumer *c = arg;
    while (atomic_load(&c->stop_ms) == 0) {
        reopen_after_fatal(c);
        if (c->rk == NULL) {
            continue;
        }
        if (c->events) {
            look_at_events(c);
        }
        bool looks = c->events && c->assigned <= 0;
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, looks ? BUS_POLL_MS : BUS_IDLE_MS);
        if (m != NULL) {
            hand_over(c, m);
            rd_kafka_message_destroy(m);
        } else if (bus_trouble_refused(c->bus)) {
            bus_security_renew(c->bus->cfg, c->rk);
        }
    }
    consumer_close(c);
    return NULL;
}

/* --- starting and stopping --- */

static struct bus_consumer *consumer_new(struct bus *b, bus_msg_fn *on_msg, void *ctx,
                                         struct err *err)
{
    struct bus_consumer *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    c->bus = b;
    c->on_msg = on_msg;
    c->ctx = ctx;
    pthread_mutex_init(&c->swap, NULL);
    return c;
}

/* Takes c: on failure it is freed. */
static struct bus_consumer *consumer_start(struct bus_consumer *c, struct err *err)
{
    c->track = bus_track_new(c->events ? NULL : store_offset, c, err);
    if (c->track == NULL || consumer_open(c, err) != 0) {
        bus_track_free(c->track);
        free(c);
        return NULL;
    }
    if (bus_client_thread(&c->thread, consumer_thread, c, err) != 0) {
        consumer_close(c);
        bus_track_free(c->track);
        free(c);
        return NULL;
    }
    return c;
}

struct bus_consumer *bus_consume_tasks(struct bus *b, const char *kind, bus_msg_fn *on_msg,
                                       void *ctx, struct err *err)
{
    struct bus_consumer *c = consumer_new(b, on_msg, ctx, err);
    if (c == NULL || bus_client_topic(b, "workers", kind, c->group, err) != 0 ||
        bus_client_topic(b, "tasks", kind, c->topic, err) != 0) {
        free(c);
        return NULL;
    }
    return consumer_start(c, err);
}

/* The library wants a group's name even where no group is joined. */
struct bus_consumer *bus_consume_events(struct bus *b, bus_msg_fn *on_msg, void *ctx,
                                        struct err *err)
{
    struct bus_consumer *c = consumer_new(b, on_msg, ctx, err);
    if (c == NULL || bus_client_topic(b, "events", NULL, c->topic, err) != 0 ||
        bus_client_topic(b, "events", "readers", c->group, err) != 0) {
        free(c);
        return NULL;
    }
    c->events = true;
    return consumer_start(c, err);
}

void bus_consumer_stop(struct bus_consumer *c)
{
    int64_t not_yet = 0;
    atomic_compare_exchange_strong(&c->stop_ms, &not_yet, mono_ms());
    pthread_mutex_lock(&c->swap);
    if (c->rk != NULL) {
        bus_client_wake(rd_kafka_queue_get_consumer(c->rk));
    }
    pthread_mutex_unlock(&c->swap);
}

void bus_consumer_free(struct bus_consumer *c)
{
    if (c == NULL) {
        return;
    }
    bus_consumer_stop(c);
    pthread_join(c->thread, NULL);
    bus_track_free(c->track);
    pthread_mutex_destroy(&c->swap);
    free(c);
}

void bus_done(struct bus_consumer *c, struct bus_msg *msg)
{
    bus_track_back(c->track, msg);
}

size_t bus_owned(struct bus_consumer *c, int32_t *partitions, size_t max)
{
    return c->events ? 0 : bus_track_owned(c->track, c->topic, partitions, max);
}
