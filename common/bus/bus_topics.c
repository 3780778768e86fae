/*
 * bus_topics.c - making our topics by the admin API.
 *
 * A client of its own, for one call: the producer may be replaced at any time, and this happens
 * rarely. It is a consumer, as only those can ask for a topic without letting the broker make it
 * (auto.create.topics.enable). A broker that does not let us create topics is fine as long as
 * somebody else made them; bus_correct.c looks at how.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bus/bus_internal.h"

#define TOPICS_MAX   (BUS_KINDS_MAX + 2)
#define RETENTION_MS "3600000"

static const struct bus_setting admin_settings[] = {{"allow.auto.create.topics", "false"}, {0}};

struct wanted {
    struct bus_topic topics[TOPICS_MAX];
    size_t count;
};

static int add_kind(const struct bus *b, const char *kind, struct wanted *w, struct err *err)
{
    if (w->count == BUS_KINDS_MAX) {
        return ERR(err, ERR_INVALID, 0, "more than %d kinds", BUS_KINDS_MAX);
    }
    return bus_client_topic(b, "tasks", kind, w->topics[w->count++].name, err);
}

static int add_shared(const struct bus *b, struct wanted *w, struct err *err)
{
    if (bus_client_topic(b, "events", NULL, w->topics[w->count++].name, err) != 0) {
        return -1;
    }
    return bus_client_topic(b, "dead", NULL, w->topics[w->count++].name, err);
}

static int list_wanted(struct bus *b, struct wanted *w, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->kind_count && rc == 0; i++) {
        rc = add_kind(b, b->kinds[i], w, err);
    }
    pthread_mutex_unlock(&b->lock);
    return rc != 0 ? -1 : add_shared(b, w, err);
}

/* How many partitions the topic has; -1 and *err if that cannot be learned. */
static int partitions_of(struct bus *b, const struct rd_kafka_metadata *md, const char *topic,
                         struct err *err)
{
    if (md->topic_cnt != 1) {
        return 0;
    }
    if (md->topics[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        return bus_trouble_denied_err(b, BUS_RIGHT_DESCRIBE, topic, err);
    }
    return md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
}

static int look_up(struct bus *b, rd_kafka_t *rk, struct bus_topic *topic, struct err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic->name, NULL);
    if (rkt == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "topic %s: %s", topic->name,
                   rd_kafka_err2str(rd_kafka_last_error()));
    }
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &md, 2 * BUS_ASK_MS);
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return ERR(err, ERR_TRANSIENT, code, "cannot ask the broker for topic %s: %s", topic->name,
                   rd_kafka_err2str(code));
    }
    topic->partitions = partitions_of(b, md, topic->name, err);
    rd_kafka_metadata_destroy(md);
    return topic->partitions < 0 ? -1 : 0;
}

size_t bus_topics_settings(const char *topic, struct bus_setting out[static BUS_TOPIC_SETTINGS])
{
    size_t len = strlen(topic);
    bool dead = len >= 5 && strcmp(topic + len - 5, ".dead") == 0;
    out[0] = (struct bus_setting){"message.timestamp.type", "LogAppendTime"};
    out[1] = (struct bus_setting){"retention.ms", RETENTION_MS};
    return dead ? 1 : 2;
}

static rd_kafka_t *admin_client(struct bus *b, struct err *err)
{
    return bus_client_new(
        b, &(struct bus_client_new){.type = RD_KAFKA_CONSUMER, .settings = admin_settings}, err);
}

static rd_kafka_NewTopic_t *describe(const struct bus *b, const char *topic, struct err *err)
{
    char why[256];
    rd_kafka_NewTopic_t *nt = rd_kafka_NewTopic_new(topic, b->partitions, -1, why, sizeof why);
    if (nt == NULL) {
        (void)ERR(err, ERR_INVALID, 0, "topic %s: %s", topic, why);
        return NULL;
    }
    struct bus_setting settings[BUS_TOPIC_SETTINGS];
    size_t n = bus_topics_settings(topic, settings);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_NewTopic_set_config(nt, settings[i].name, settings[i].value);
    }
    return nt;
}

static int check_created(struct bus *b, rd_kafka_event_t *event, struct err *err)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]);
        if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
            return bus_trouble_denied_err(b, BUS_RIGHT_CREATE, name, err);
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char *why = rd_kafka_topic_result_error_string(results[i]);
            return ERR(err, ERR_TRANSIENT, code, "cannot create topic %s: %s", name,
                       why != NULL ? why : rd_kafka_err2str(code));
        }
    }
    return 0;
}

static int create(struct bus *b, rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t n,
                  struct err *err)
{
    struct bus_admin_call call;
    bus_admin_open(&call, rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(rk, topics, n, call.options, call.queue);
    rd_kafka_event_t *event = bus_admin_close(b, &call, "cannot create topics", err);
    if (event == NULL) {
        return -1;
    }
    int rc = check_created(b, event, err);
    rd_kafka_event_destroy(event);
    if (rc == 0) {
        log_info("kafka_topics_created", KV("count", n), KV("partitions", b->partitions));
    }
    return rc;
}

static int make_missing(struct bus *b, rd_kafka_t *rk, struct wanted *w, struct err *err)
{
    rd_kafka_NewTopic_t *missing[TOPICS_MAX];
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < w->count && rc == 0; i++) {
        rc = look_up(b, rk, &w->topics[i], err);
        if (rc == 0 && w->topics[i].partitions == 0) {
            missing[n] = describe(b, w->topics[i].name, err);
            rc = missing[n] == NULL ? -1 : 0;
            n += rc == 0 ? 1 : 0;
        }
    }
    if (rc == 0 && n > 0) {
        rc = create(b, rk, missing, n, err);
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
        rd_kafka_t *rk = admin_client(b, err);
        rc = rk == NULL ? -1 : make_missing(b, rk, w, err);
        if (rc == 0) {
            bus_correct(b, rk, w->topics, w->count);
        }
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

/* Ask for each in turn; the first that cannot be asked for ends it. */
static int print_missing(struct bus *b, rd_kafka_t *rk, struct wanted *w, struct strbuf *out,
                         struct err *err)
{
    const char *separator = "";
    for (size_t i = 0; i < w->count; i++) {
        if (look_up(b, rk, &w->topics[i], err) != 0) {
            return -1;
        }
        if (w->topics[i].partitions == 0) {
            fprintf(out->out, "%s%s", separator, w->topics[i].name);
            separator = ", ";
        }
    }
    return strbuf_close(out, err);
}

int bus_missing_topics(struct bus *b, const char *const *kinds, struct strbuf *out, struct err *err)
{
    AUTO(free) struct wanted *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return err_no_memory(err);
    }
    int rc = 0;
    for (; *kinds != NULL && rc == 0; kinds++) {
        rc = add_kind(b, *kinds, w, err);
    }
    rc = rc == 0 ? add_shared(b, w, err) : rc;
    rc = rc == 0 ? strbuf_open(out, err) : rc;
    rd_kafka_t *rk = rc == 0 ? admin_client(b, err) : NULL;
    if (rk == NULL) {
        return -1;
    }
    rc = print_missing(b, rk, w, out, err);
    bus_client_destroy(rk, 0);
    return rc;
}
