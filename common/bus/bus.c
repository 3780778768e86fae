/*
 * bus.c - the producer.
 *
 * Any thread queues messages; librdkafka sends them at once (no lingering) and in order. One thread
 * of ours serves the delivery reports, looks at the connection, makes topics again that have gone
 * (a wiped broker), and puts a new producer in place after a fatal error of the idempotent one
 * (the broker lost our sequence numbers). What was queued then is lost: the scheduler publishes
 * again what nobody claimed.
 *
 * The queue is small and messages expire: while Kafka is away nothing piles up here, as MongoDB
 * holds the backlog.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

static const struct bus_setting producer_settings[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"linger.ms", "0"},
    {"queue.buffering.max.messages", "10000"},
    {"queue.buffering.max.kbytes", "16384"},
    {"message.timeout.ms", "10000"},
    {"request.timeout.ms", "5000"},
    /* A topic that the broker does not know fails its messages this soon after its first use. */
    {"topic.metadata.propagation.max.ms", "3000"},
    {0},
};

static bool is_missing_topic(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

static void note_delivery(struct bus *b, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_fetch_add(&b->delivered, 1);
        bus_client_reached(b, true);
        return;
    }
    atomic_fetch_add(&b->failed, 1);
    if (is_missing_topic(m->err)) {
        atomic_store(&b->topics_missing, true);
    }
    if (m->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        bus_trouble_denied(b, BUS_RIGHT_WRITE, rd_kafka_topic_name(m->rkt));
    } else if (m->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
               m->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
        bus_trouble_log(b, m->err, rd_kafka_topic_name(m->rkt));
    }
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct bus *b = bus_client_hold(opaque);
    if (b != NULL) {
        note_delivery(b, m);
    }
    bus_client_let_go(opaque);
}

static void prepare_producer(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
}

static rd_kafka_t *producer_new(struct bus *b, struct err *err)
{
    return bus_client_new(b,
                          &(struct bus_client_new){.type = RD_KAFKA_PRODUCER,
                                                   .settings = producer_settings,
                                                   .prepare = prepare_producer},
                          err);
}

/* Messages that are still queued get their (failed) reports, so that the counts add up. */
static void producer_discard(rd_kafka_t *rk)
{
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(rk, BUS_POLL_MS);
    bus_client_destroy(rk, 0);
}

/* Whether there is a new try to make. An idempotent producer is refused as a whole if its user may
 * write to no topic; to that of the events every user of ours must. */
static bool report_fatal(struct bus *b, rd_kafka_resp_err_t code, const char *why)
{
    struct err err = {0};
    char topic[BUS_TOPIC_MAX];
    if (code != RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
        bus_client_topic(b, "events", NULL, topic, &err) != 0) {
        bus_trouble_log(b, RD_KAFKA_RESP_ERR__FATAL, why);
        return true;
    }
    bus_trouble_denied(b, BUS_RIGHT_WRITE, topic);
    return mono_ms() - b->made_ms >= BUS_LOOK_MS;
}

static void replace_after_fatal(struct bus *b)
{
    char why[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(b->rk, why, sizeof why);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || !report_fatal(b, code, why)) {
        return;
    }
    struct err err = {0};
    rd_kafka_t *fresh = producer_new(b, &err);
    if (fresh == NULL) {
        log_err("kafka_producer", &err);
        return;
    }
    pthread_rwlock_wrlock(&b->swap);
    rd_kafka_t *old = b->rk;
    b->rk = fresh;
    b->made_ms = mono_ms();
    pthread_rwlock_unlock(&b->swap);
    producer_discard(old);
}

/* Ask the broker for a sign of life; without topics in the question this is a few bytes. */
static void look_at_broker(struct bus *b)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(b->rk, 0, NULL, &md, BUS_ASK_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
        b->answered_ms = mono_ms();
    } else {
        rd_kafka_poll(b->rk, 0); /* the library learns the reason, and says it first */
        if (mono_ms() - b->answered_ms > BUS_LOOK_MS + BUS_ASK_MS) {
            bus_trouble_log(b, code, "the broker does not answer");
        }
        if (bus_trouble_refused(b)) {
            bus_security_renew(b->cfg, b->rk);
        }
    }
    bus_client_reached(b, code == RD_KAFKA_RESP_ERR_NO_ERROR);
}

static bool makes_topics(struct bus *b)
{
    pthread_mutex_lock(&b->lock);
    bool makes = b->kind_count > 0;
    pthread_mutex_unlock(&b->lock);
    return makes;
}

static void remake_topics(struct bus *b)
{
    struct err err = {0};
    if (!atomic_load(&b->connected) || !atomic_exchange(&b->topics_missing, false) ||
        !makes_topics(b)) {
        return;
    }
    if (bus_topics_make(b, &err) != 0) {
        atomic_store(&b->topics_missing, true);
        bus_trouble_log(
            b, err.code != 0 ? (rd_kafka_resp_err_t)err.code : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            err.msg);
    }
}

static void *producer_thread(void *arg)
{
    struct bus *b = arg;
    int64_t looked_at = -BUS_LOOK_MS, asked_at = mono_ms();
    while (!atomic_load(&b->stopping)) {
        bool well = atomic_load(&b->connected) && !atomic_load(&b->topics_missing);
        if (mono_ms() - looked_at >= (well ? BUS_LOOK_MS : BUS_LOOK_BAD_MS)) {
            look_at_broker(b);
            if (mono_ms() - asked_at >= BUS_TOPICS_MS) { /* while there is no worker nobody sends */
                atomic_store(&b->topics_missing, true);
                asked_at = mono_ms();
            }
            remake_topics(b);
            looked_at = mono_ms();
            well = atomic_load(&b->connected) && !atomic_load(&b->topics_missing);
        }
        rd_kafka_poll(b->rk, well ? BUS_IDLE_MS : BUS_POLL_MS);
        replace_after_fatal(b);
    }
    return NULL;
}

static void bus_release(struct bus *b)
{
    for (size_t i = 0; i < b->kind_count; i++) {
        free(b->kinds[i]);
    }
    pthread_rwlock_destroy(&b->swap);
    pthread_mutex_destroy(&b->lock);
    free(b->env);
    free(b->brokers);
    free(b->client_id);
    free(b);
}

struct bus *bus_new(const struct config *c, const char *client_id, struct err *err)
{
    if (bus_security_check(c, err) != 0) {
        return NULL;
    }
    struct bus *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    pthread_rwlock_init(&b->swap, NULL);
    pthread_mutex_init(&b->lock, NULL);
    b->cfg = c;
    b->made_ms = b->answered_ms = mono_ms();
    b->env = strdup(c->trawl.env);
    b->brokers = strdup(c->kafka.brokers);
    b->client_id = strdup(client_id);
    b->partitions = (int32_t)c->kafka.partitions;
    b->session_ms = c->kafka.session_ms;
    if (b->env == NULL || b->brokers == NULL || b->client_id == NULL) {
        (void)err_no_memory(err);
        bus_release(b);
        return NULL;
    }
    b->rk = producer_new(b, err);
    if (b->rk == NULL) {
        bus_release(b);
        return NULL;
    }
    if (bus_client_thread(&b->thread, producer_thread, b, err) != 0) {
        bus_client_destroy(b->rk, 0);
        bus_release(b);
        return NULL;
    }
    return b;
}

void bus_free(struct bus *b)
{
    if (b == NULL) {
        return;
    }
    int64_t deadline = mono_ms() + BUS_CLOSE_MS;
    atomic_store(&b->stopping, true);
    pthread_rwlock_rdlock(&b->swap);
    bus_client_wake(rd_kafka_queue_get_main(b->rk));
    pthread_rwlock_unlock(&b->swap);
    pthread_join(b->thread, NULL);
    int64_t left = deadline - mono_ms();
    rd_kafka_flush(b->rk, left > 0 ? (int)left : 0);
    producer_discard(b->rk);
    bus_release(b);
}

struct outgoing {
    const char *topic, *key, *json;
    int32_t partition;
};

static rd_kafka_resp_err_t produce(struct bus *b, const struct outgoing *m)
{
    pthread_rwlock_rdlock(&b->swap);
    /* The library copies both and writes to neither; its interface only lacks the const. */
    rd_kafka_resp_err_t code =
        rd_kafka_producev(b->rk, RD_KAFKA_V_TOPIC(m->topic), RD_KAFKA_V_PARTITION(m->partition),
                          RD_KAFKA_V_KEY((void *)(uintptr_t)m->key, strlen(m->key)),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)m->json, strlen(m->json)),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    pthread_rwlock_unlock(&b->swap);
    return code;
}

static int send_message(struct bus *b, const struct outgoing *m, struct err *err)
{
    rd_kafka_resp_err_t code = produce(b, m);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        atomic_fetch_add(&b->sent, 1);
        return 0;
    }
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        return bus_trouble_denied_err(b, BUS_RIGHT_WRITE, m->topic, err);
    }
    if (is_missing_topic(code)) {
        atomic_store(&b->topics_missing, true);
    }
    return ERR(err, code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ERR_INVALID : ERR_TRANSIENT,
               code, "cannot queue a message for %s: %s", m->topic, rd_kafka_err2str(code));
}

int bus_send_task(struct bus *b, const char *kind, int32_t partition, const char *key,
                  const char *json, struct err *err)
{
    char topic[BUS_TOPIC_MAX];
    if (bus_client_topic(b, "tasks", kind, topic, err) != 0) {
        return -1;
    }
    return send_message(b, &(struct outgoing){topic, key, json, partition}, err);
}

int bus_send_event(struct bus *b, const char *key, const char *json, struct err *err)
{
    char topic[BUS_TOPIC_MAX];
    if (bus_client_topic(b, "events", NULL, topic, err) != 0) {
        return -1;
    }
    return send_message(b, &(struct outgoing){topic, key, json, BUS_ANY_PARTITION}, err);
}

int bus_send_dead(struct bus *b, const char *key, const char *json, struct err *err)
{
    char topic[BUS_TOPIC_MAX];
    if (bus_client_topic(b, "dead", NULL, topic, err) != 0) {
        return -1;
    }
    return send_message(b, &(struct outgoing){topic, key, json, BUS_ANY_PARTITION}, err);
}

void bus_stats(const struct bus *b, struct bus_stats *out)
{
    *out = (struct bus_stats){.sent = atomic_load(&b->sent),
                              .delivered = atomic_load(&b->delivered),
                              .failed = atomic_load(&b->failed),
                              .received = atomic_load(&b->received),
                              .connected = atomic_load(&b->connected)};
}
