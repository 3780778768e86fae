/*
 * bus_trouble.c - what goes wrong with Kafka as lines of the log.
 *
 * A broker that is away, or refuses, makes librdkafka repeat itself several times a second. Each
 * kind of failure and each missing right has a gate that lets one line a minute through, with what
 * to do about it.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

#define WORDS_MAX 400

static enum bus_trouble classify(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
        return BUS_TROUBLE_CONNECTION;
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return BUS_TROUBLE_RESOLVE;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return BUS_TROUBLE_LOGIN;
    case RD_KAFKA_RESP_ERR__SSL:
        return BUS_TROUBLE_TLS;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return BUS_TROUBLE_RIGHT;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return BUS_TROUBLE_TOPIC;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__DESTROY: /* the topic went while the message was queued */
        return BUS_TROUBLE_DELIVERY;
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        return BUS_TROUBLE_GROUP;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return BUS_TROUBLE_OFFSET;
    case RD_KAFKA_RESP_ERR__FATAL:
        return BUS_TROUBLE_FATAL;
    default:
        return BUS_TROUBLE_OTHER;
    }
}

static const char *const remedies[] = {
    [BUS_TROUBLE_CONNECTION] = "see that the broker runs, and that [kafka] brokers and security "
                               "name a listener of it; no action needed",
    [BUS_TROUBLE_RESOLVE] = "see that every host in [kafka] brokers has an address here",
    [BUS_TROUBLE_LOGIN] = "see [kafka] user, password_file and mechanism, and that the broker "
                          "knows the user for this mechanism; a changed password is used at once",
    [BUS_TROUBLE_TLS] = "see that [kafka] ca_file has the authority of the broker's certificate, "
                        "that brokers has a name that is in it, and that security is the "
                        "listener's; then restart",
    [BUS_TROUBLE_RIGHT] = "give the user the rights that docs/operators.md lists",
    [BUS_TROUBLE_TOPIC] = "a running scheduler makes the topics; no action needed",
    [BUS_TROUBLE_DELIVERY] = "none needed: the scheduler publishes again",
    [BUS_TROUBLE_GROUP] = "none needed if it ends within a minute; otherwise look at the broker",
    [BUS_TROUBLE_OFFSET] = "none needed: reading goes on from the oldest message",
    [BUS_TROUBLE_FATAL] = "none needed: a new client is made",
    [BUS_TROUBLE_OTHER] = "look at the broker's log",
};
_Static_assert(sizeof remedies / sizeof *remedies == BUS_TROUBLE_COUNT, "one for each");

/* The reason with what this client shows to the broker. */
static void describe(const struct config *c, enum bus_trouble t, const char *what,
                     char out[static WORDS_MAX])
{
    if (t == BUS_TROUBLE_LOGIN) {
        snprintf(out, WORDS_MAX, "the login of user %s by %s is refused: %s", c->kafka.user,
                 c->kafka.mechanism, what);
    } else if (t == BUS_TROUBLE_TLS) {
        snprintf(out, WORDS_MAX, "no TLS with ca_file = %s: %s", c->kafka.ca_file, what);
    } else {
        snprintf(out, WORDS_MAX, "%s", what);
    }
}

#define REFUSED_MS 40000 /* the library repeats the same reason only every 30 s */

bool bus_trouble_refused(const struct bus *b)
{
    int64_t refused_ms = atomic_load(&b->refused_ms);
    return refused_ms != 0 && mono_ms() - refused_ms < REFUSED_MS;
}

/* A client that is refused finds no broker either: that is no news. */
static bool is_news(struct bus *b, enum bus_trouble t)
{
    if (t == BUS_TROUBLE_LOGIN || t == BUS_TROUBLE_TLS) {
        atomic_store(&b->refused_ms, mono_ms());
    }
    return t != BUS_TROUBLE_CONNECTION || !bus_trouble_refused(b);
}

void bus_trouble_log(struct bus *b, rd_kafka_resp_err_t code, const char *what)
{
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        bus_client_reached(b, false);
    }
    enum bus_trouble t = classify(code);
    uint64_t missed = 0;
    if (!is_news(b, t) || !log_gate_open(&b->gates[t], &missed)) {
        return;
    }
    char detail[WORDS_MAX];
    describe(b->cfg, t, what, detail);
    log_warn("kafka_trouble", KV("error", rd_kafka_err2name(code)), KV("detail", detail),
             KV("brokers", b->brokers), KV("remedy", remedies[t]), KV("missed", missed));
}

/* --- rights --- */

static const struct {
    const char *operation, *resource; /* as kafka-acls has them */
} rights[] = {
    [BUS_RIGHT_CREATE] = {"Create", "topic"},
    [BUS_RIGHT_DESCRIBE] = {"Describe", "topic"},
    [BUS_RIGHT_ALTER] = {"Alter", "topic"},
    [BUS_RIGHT_DESCRIBE_CONFIGS] = {"DescribeConfigs", "topic"},
    [BUS_RIGHT_ALTER_CONFIGS] = {"AlterConfigs", "topic"},
    [BUS_RIGHT_WRITE] = {"Write", "topic"},
    [BUS_RIGHT_READ] = {"Read", "topic"},
    [BUS_RIGHT_READ_GROUP] = {"Read", "group"},
};
_Static_assert(sizeof rights / sizeof *rights == BUS_RIGHT_COUNT, "one for each");

/* Workers of a kind read its tasks as a group, everybody writes events. */
static const char *needed_by(const struct bus *b, enum bus_right right, const char *name)
{
    const char *what = name + strlen(b->env);
    if (right == BUS_RIGHT_READ_GROUP ||
        (right == BUS_RIGHT_READ && strcmp(what, ".events") != 0)) {
        return "the workers of this kind";
    }
    return right == BUS_RIGHT_WRITE && strcmp(what, ".events") == 0
               ? "schedulers, workers and the command trawl"
               : "schedulers";
}

static const char *principal(const struct bus *b)
{
    if (*b->cfg->kafka.user != '\0') {
        return b->cfg->kafka.user;
    }
    return *b->cfg->kafka.cert_file != '\0' ? "of [kafka] cert_file" : "ANONYMOUS";
}

static void say_denied(const struct bus *b, enum bus_right right, const char *name,
                       char out[static WORDS_MAX])
{
    snprintf(out, WORDS_MAX, "user %s lacks the right %s on %s %s, which %s need", principal(b),
             rights[right].operation, rights[right].resource, name, needed_by(b, right, name));
}

int bus_trouble_denied_err(struct bus *b, enum bus_right right, const char *name, struct err *err)
{
    char detail[WORDS_MAX];
    say_denied(b, right, name, detail);
    return ERR(err, ERR_TRANSIENT, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
               "%s; docs/operators.md lists all rights", detail);
}

void bus_trouble_denied(struct bus *b, enum bus_right right, const char *name)
{
    uint64_t missed = 0;
    if (!log_gate_open(&b->denied[right], &missed)) {
        return;
    }
    char detail[WORDS_MAX], remedy[WORDS_MAX];
    say_denied(b, right, name, detail);
    snprintf(remedy, sizeof remedy,
             "kafka-acls.sh --add --allow-principal User:%s --operation %s --%s %s; "
             "docs/operators.md lists all rights",
             principal(b), rights[right].operation, rights[right].resource, name);
    log_warn("kafka_trouble", KV("error", "right_missing"), KV("detail", detail),
             KV("brokers", b->brokers), KV("remedy", remedy), KV("missed", missed));
}
