/*
 * bus_topics.c - making our topics by the admin API.
 *
 * A client of its own, for one call: the producer may be replaced at any time, and this happens
 * rarely. Topics that are there are left alone, so that a broker which does not let us create any
 * is fine as long as somebody else made them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

#define TOPICS_MAX   (BUS_KINDS_MAX + 2)
#define CREATE_MS    5000
#define RETENTION_MS "3600000"

static const struct bus_setting admin_settings[] = {{0}};

struct wanted {
    char name[TOPICS_MAX][BUS_TOPIC_MAX];
    size_t count;
};

static int list_wanted(struct bus *b, struct wanted *w, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->kind_count && rc == 0; i++) {
        rc = bus_client_topic(b, "tasks", b->kinds[i], w->name[w->count++], err);
    }
    pthread_mutex_unlock(&b->lock);
    if (rc != 0 || bus_client_topic(b, "events", NULL, w->name[w->count++], err) != 0) {
        return -1;
    }
    return bus_client_topic(b, "dead", NULL, w->name[w->count++], err);
}

/* *there = whether the broker knows the topic. */
static int look_up(rd_kafka_t *rk, const char *topic, bool *there, struct err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (rkt == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "topic %s: %s", topic,
                   rd_kafka_err2str(rd_kafka_last_error()));
    }
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &md, 2 * BUS_ASK_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ERR(err, ERR_TRANSIENT, code, "cannot ask the broker for topic %s: %s", topic,
                   rd_kafka_err2str(code));
    }
    *there = md->topic_cnt == 1 && md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
             md->topics[0].partition_cnt > 0;
    rd_kafka_metadata_destroy(md);
    return 0;
}

/* Messages are pointers: an hour later each has been published again or is of no use. Only the
 * dead letters stay as long as the broker keeps things. The broker dates the messages: it may
 * refuse, or drop at once, what a sender with a wrong clock has dated. */
static rd_kafka_NewTopic_t *describe(const struct bus *b, const char *topic, struct err *err)
{
    char why[256];
    rd_kafka_NewTopic_t *nt = rd_kafka_NewTopic_new(topic, b->partitions, -1, why, sizeof why);
    if (nt == NULL) {
        (void)ERR(err, ERR_INVALID, 0, "topic %s: %s", topic, why);
        return NULL;
    }
    rd_kafka_NewTopic_set_config(nt, "message.timestamp.type", "LogAppendTime");
    size_t len = strlen(topic);
    if (len < 5 || strcmp(topic + len - 5, ".dead") != 0) {
        rd_kafka_NewTopic_set_config(nt, "retention.ms", RETENTION_MS);
    }
    return nt;
}

static int check_created(rd_kafka_event_t *event, struct err *err)
{
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ERR(err, ERR_TRANSIENT, rd_kafka_event_error(event), "cannot create topics: %s",
                   rd_kafka_event_error_string(event));
    }
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char *why = rd_kafka_topic_result_error_string(results[i]);
            return ERR(err, ERR_TRANSIENT, code, "cannot create topic %s: %s",
                       rd_kafka_topic_result_name(results[i]),
                       why != NULL ? why : rd_kafka_err2str(code));
        }
    }
    return 0;
}

/* Wait for the answer in slices: bus_free must not wait for a broker that hangs. */
static int await_created(struct bus *b, rd_kafka_queue_t *queue, struct err *err)
{
    int64_t deadline = mono_ms() + CREATE_MS + BUS_ASK_MS;
    rd_kafka_event_t *event = NULL;
    while (event == NULL && mono_ms() < deadline && !atomic_load(&b->stopping)) {
        event = rd_kafka_queue_poll(queue, BUS_POLL_MS);
        if (event != NULL && rd_kafka_event_type(event) != RD_KAFKA_EVENT_CREATETOPICS_RESULT) {
            rd_kafka_event_destroy(event);
            event = NULL;
        }
    }
    if (event == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "the broker did not create the topics in time");
    }
    int rc = check_created(event, err);
    rd_kafka_event_destroy(event);
    return rc;
}

static int request(struct bus *b, rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t n,
                   struct err *err)
{
    char why[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_set_request_timeout(options, CREATE_MS, why, sizeof why);
    rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_MS - BUS_ASK_MS, why, sizeof why);
    rd_kafka_CreateTopics(rk, topics, n, options, queue);
    int rc = await_created(b, queue, err);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return rc;
}

static int make_missing(struct bus *b, rd_kafka_t *rk, const struct wanted *w, struct err *err)
{
    rd_kafka_NewTopic_t *missing[TOPICS_MAX];
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < w->count && rc == 0; i++) {
        bool there = false;
        rc = look_up(rk, w->name[i], &there, err);
        if (rc == 0 && !there) {
            missing[n] = describe(b, w->name[i], err);
            rc = missing[n] == NULL ? -1 : 0;
            n += rc == 0 ? 1 : 0;
        }
    }
    if (rc == 0 && n > 0) {
        rc = request(b, rk, missing, n, err);
    }
    if (rc == 0 && n > 0) {
        log_info("kafka_topics_created", KV("count", n), KV("partitions", b->partitions));
    }
    rd_kafka_NewTopic_destroy_array(missing, n);
    return rc;
}

int bus_topics_make(struct bus *b, struct err *err)
{
    struct wanted *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return err_no_memory(err);
    }
    int rc = list_wanted(b, w, err);
    if (rc == 0) {
        rd_kafka_t *rk = bus_client_new(
            b, &(struct bus_client_new){.type = RD_KAFKA_PRODUCER, .settings = admin_settings},
            err);
        rc = rk == NULL ? -1 : make_missing(b, rk, w, err);
        if (rk != NULL) {
            bus_client_destroy(rk, 0);
        }
    }
    free(w);
    return rc;
}

static int remember_kind(struct bus *b, const char *kind, struct err *err)
{
    for (size_t i = 0; i < b->kind_count; i++) {
        if (strcmp(b->kinds[i], kind) == 0) {
            return 0;
        }
    }
    if (b->kind_count == BUS_KINDS_MAX) {
        return ERR(err, ERR_INVALID, 0, "more than %d kinds", BUS_KINDS_MAX);
    }
    char *copy = strdup(kind);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    b->kinds[b->kind_count++] = copy;
    return 0;
}

int bus_ensure_topics(struct bus *b, const char *const *kinds, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&b->lock);
    for (; *kinds != NULL && rc == 0; kinds++) {
        rc = remember_kind(b, *kinds, err);
    }
    pthread_mutex_unlock(&b->lock);
    return rc != 0 ? -1 : bus_topics_make(b, err);
}
