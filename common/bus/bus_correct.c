/*
 * bus_correct.c - topics that others made: an administrator, or a broker that makes what it is
 * asked for, with one partition and a retention of its own.
 *
 * Too few partitions leave workers without work, so more are made; partitions cannot be taken away,
 * so what is too many stays. A request that changes settings replaces all that a topic has of its
 * own (librdkafka 2.0 knows no other), so those are read first and sent back. Our user may lack the
 * rights for all this: each that is missing is logged, and the topics are used as they are.
 */
#include <stdio.h>
#include <string.h>

#include "common/bus/bus_internal.h"

#define TOPICS_MAX 32 /* in one request: more than there are */

/* Whether the broker has done it for this topic. */
static bool is_done(struct bus *b, enum bus_right right, rd_kafka_resp_err_t code,
                    const char *topic)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        bus_trouble_denied(b, right, topic);
    } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bus_trouble_log(b, code, topic);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_event_t *answer_of(struct bus *b, struct bus_admin_call *call, const char *what)
{
    struct err err = {0};
    rd_kafka_event_t *event = bus_admin_close(b, call, what, &err);
    if (event == NULL && !atomic_load(&b->stopping)) {
        bus_trouble_log(b, (rd_kafka_resp_err_t)err.code, err.msg);
    }
    return event;
}

static void log_corrected(const char *topic, const char *what, const char *was, const char *is)
{
    log_warn("kafka_topic_corrected", KV("topic", topic), KV("setting", what), KV("was", was),
             KV("is", is));
}

/* --- partitions --- */

static bool add_partitions(struct bus *b, rd_kafka_t *rk, const char *topic)
{
    char why[256];
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(topic, (size_t)b->partitions, why, sizeof why);
    if (more == NULL) {
        bus_trouble_log(b, RD_KAFKA_RESP_ERR__INVALID_ARG, why);
        return false;
    }
    struct bus_admin_call call;
    bus_admin_open(&call, rk, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(rk, &more, 1, call.options, call.queue);
    rd_kafka_event_t *event = answer_of(b, &call, "cannot add partitions");
    rd_kafka_NewPartitions_destroy(more);
    if (event == NULL) {
        return false;
    }
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
    bool done =
        n == 1 && is_done(b, BUS_RIGHT_ALTER, rd_kafka_topic_result_error(results[0]), topic);
    rd_kafka_event_destroy(event);
    return done;
}

static void correct_partitions(struct bus *b, rd_kafka_t *rk, const struct bus_topic *topics,
                               size_t count)
{
    bool said = atomic_load(&b->more_partitions);
    for (size_t i = 0; i < count; i++) {
        const struct bus_topic *t = &topics[i];
        if (t->partitions > b->partitions && !said) {
            atomic_store(&b->more_partitions, true);
            log_info("kafka_topic_larger", KV("topic", t->name), KV("partitions", t->partitions),
                     KV("wanted", b->partitions),
                     KV("remedy", "none needed: more workers can share it"));
        } else if (t->partitions > 0 && t->partitions < b->partitions &&
                   add_partitions(b, rk, t->name)) {
            char was[16], is[16];
            snprintf(was, sizeof was, "%d", t->partitions);
            snprintf(is, sizeof is, "%d", (int)b->partitions);
            log_corrected(t->name, "partitions", was, is);
        }
    }
}

/* --- settings --- */

/* What a topic has, and what it shall have. */
struct settings {
    const char *topic;
    struct bus_setting wanted[BUS_TOPIC_SETTINGS];
    const char *was[BUS_TOPIC_SETTINGS];
    size_t n;
    rd_kafka_ConfigResource_t *all; /* its own settings, the wanted ones among them */
    bool differs;
};

static size_t find(const struct settings *s, const char *name)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->wanted[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void compare(struct settings *s, const rd_kafka_ConfigResource_t *found)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(found, &n);
    s->n = bus_topics_settings(s->topic, s->wanted);
    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        size_t at = find(s, rd_kafka_ConfigEntry_name(entries[i]));
        if (at < s->n) {
            s->was[at] = value != NULL ? value : "";
        } else if (value != NULL && rd_kafka_ConfigEntry_source(entries[i]) ==
                                        RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG) {
            rd_kafka_ConfigResource_set_config(s->all, rd_kafka_ConfigEntry_name(entries[i]),
                                               value);
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        rd_kafka_ConfigResource_set_config(s->all, s->wanted[i].name, s->wanted[i].value);
        s->differs = s->differs || s->was[i] == NULL || strcmp(s->was[i], s->wanted[i].value) != 0;
    }
}

static bool alter(struct bus *b, rd_kafka_t *rk, struct settings *s)
{
    struct bus_admin_call call;
    bus_admin_open(&call, rk, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(rk, &s->all, 1, call.options, call.queue);
    rd_kafka_event_t *event = answer_of(b, &call, "cannot change the settings of a topic");
    if (event == NULL) {
        return false;
    }
    size_t n = 0;
    const rd_kafka_ConfigResource_t **results =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &n);
    bool done = n == 1 && is_done(b, BUS_RIGHT_ALTER_CONFIGS,
                                  rd_kafka_ConfigResource_error(results[0]), s->topic);
    rd_kafka_event_destroy(event);
    return done;
}

static void correct_settings_of(struct bus *b, rd_kafka_t *rk,
                                const rd_kafka_ConfigResource_t *found)
{
    struct settings s = {.topic = rd_kafka_ConfigResource_name(found)};
    s.all = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, s.topic);
    compare(&s, found);
    if (s.differs && alter(b, rk, &s)) {
        for (size_t i = 0; i < s.n; i++) {
            const char *was = s.was[i] != NULL ? s.was[i] : "";
            if (strcmp(was, s.wanted[i].value) != 0) {
                log_corrected(s.topic, s.wanted[i].name, was, s.wanted[i].value);
            }
        }
    }
    rd_kafka_ConfigResource_destroy(s.all);
}

static rd_kafka_event_t *describe(struct bus *b, rd_kafka_t *rk, const struct bus_topic *topics,
                                  size_t count)
{
    rd_kafka_ConfigResource_t *asked[TOPICS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < TOPICS_MAX; i++) {
        if (topics[i].partitions > 0) {
            asked[n++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i].name);
        }
    }
    if (n == 0) {
        return NULL;
    }
    struct bus_admin_call call;
    bus_admin_open(&call, rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(rk, asked, n, call.options, call.queue);
    rd_kafka_ConfigResource_destroy_array(asked, n);
    return answer_of(b, &call, "cannot read the settings of the topics");
}

static void correct_settings(struct bus *b, rd_kafka_t *rk, const struct bus_topic *topics,
                             size_t count)
{
    rd_kafka_event_t *event = describe(b, rk, topics, count);
    if (event == NULL) {
        return;
    }
    size_t n = 0;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        if (is_done(b, BUS_RIGHT_DESCRIBE_CONFIGS, rd_kafka_ConfigResource_error(found[i]),
                    rd_kafka_ConfigResource_name(found[i]))) {
            correct_settings_of(b, rk, found[i]);
        }
    }
    rd_kafka_event_destroy(event);
}

void bus_correct(struct bus *b, rd_kafka_t *rk, const struct bus_topic *topics, size_t count)
{
    correct_partitions(b, rk, topics, count);
    correct_settings(b, rk, topics, count);
}
