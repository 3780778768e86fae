/*
 * bus_client.c - what the producer, the consumers and the admin client have in common: settings,
 * and librdkafka's logs and errors as lines of ours.
 *
 * A broker that is away makes librdkafka repeat itself several times a second. Each kind of failure
 * has a gate that lets one line a minute through, with what to do about it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/base/clock.h"
#include "common/bus/bus_internal.h"

#define SYSLOG_WARNING 4 /* librdkafka logs by syslog.h, whose names clash with log.h's */

static const struct bus_setting shared_settings[] = {
    /* Latency: nothing waits to be sent together with something else. */
    {"socket.nagle.disable", "true"},
    /* A broker that comes back is found within a second, one that hangs is given up in ten. */
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "1000"},
    {"socket.timeout.ms", "10000"},
    {"socket.connection.setup.timeout.ms", "5000"},
    {"socket.keepalive.enable", "true"},
    /* Brokers close idle connections: no news. */
    {"log.connection.close", "false"},
    /* Topics that are created later, or again, are seen within seconds. */
    {"topic.metadata.refresh.interval.ms", "5000"},
    {"metadata.max.age.ms", "15000"},
    {0},
};

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
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return BUS_TROUBLE_LOGIN;
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
    [BUS_TROUBLE_CONNECTION] = "see that the broker runs and that [kafka] brokers names it; "
                               "no action needed",
    [BUS_TROUBLE_RESOLVE] = "see that every host in [kafka] brokers has an address here",
    [BUS_TROUBLE_LOGIN] = "see what the broker lets this client do: read and write our topics, "
                          "join our group, create topics",
    [BUS_TROUBLE_TOPIC] = "a running scheduler makes the topics; no action needed",
    [BUS_TROUBLE_DELIVERY] = "none needed: the scheduler publishes again",
    [BUS_TROUBLE_GROUP] = "none needed if it ends within a minute; otherwise look at the broker",
    [BUS_TROUBLE_OFFSET] = "none needed: reading goes on from the oldest message",
    [BUS_TROUBLE_FATAL] = "none needed: a new client is made",
    [BUS_TROUBLE_OTHER] = "look at the broker's log",
};
_Static_assert(sizeof remedies / sizeof *remedies == BUS_TROUBLE_COUNT, "one for each");

void bus_client_trouble(struct bus *b, rd_kafka_resp_err_t code, const char *what)
{
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        bus_client_reached(b, false);
    }
    enum bus_trouble t = classify(code);
    uint64_t missed = 0;
    if (!log_gate_open(&b->gates[t], &missed)) {
        return;
    }
    log_warn("kafka_trouble", KV("error", rd_kafka_err2name(code)), KV("detail", what),
             KV("brokers", b->brokers), KV("remedy", remedies[t]), KV("missed", missed));
}

void bus_client_reached(struct bus *b, bool reached)
{
    bool before = atomic_exchange(&b->connected, reached);
    if (reached && !before) {
        log_info("kafka_connected", KV("brokers", b->brokers));
    }
}

struct bus *bus_client_hold(struct bus_opaque *o)
{
    pthread_mutex_lock(&o->lock);
    return o->bus;
}

void bus_client_let_go(struct bus_opaque *o)
{
    pthread_mutex_unlock(&o->lock);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct bus *b = bus_client_hold(opaque);
    if (b != NULL) {
        bus_client_trouble(b, (rd_kafka_resp_err_t)code, reason);
    }
    bus_client_let_go(opaque);
}

/* FAIL and FATAL come again through on_error, with their code. GETPID says "Coordinator load in
 * progress" once after each start of a broker. */
static bool is_noise(const char *facility)
{
    return strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0 ||
           strcmp(facility, "FATAL") == 0 || strcmp(facility, "GETPID") == 0;
}

static struct log_gate *library_gate(struct bus *b, const char *facility)
{
    unsigned sum = 0;
    for (const char *c = facility; *c != '\0'; c++) {
        sum = sum * 31 + (unsigned char)*c;
    }
    return &b->library_gates[sum % BUS_LIBRARY_GATES];
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct bus_opaque *o = rd_kafka_opaque(rk);
    if (level > SYSLOG_WARNING || o == NULL || is_noise(facility)) {
        log_debug("kafka_library", KV("facility", facility), KV("detail", text));
        return;
    }
    uint64_t missed = 0;
    struct bus *b = bus_client_hold(o);
    if (b != NULL && log_gate_open(library_gate(b, facility), &missed)) {
        log_warn("kafka_library", KV("facility", facility), KV("detail", text),
                 KV("brokers", b->brokers), KV("missed", missed));
    }
    bus_client_let_go(o);
}

void bus_client_wake(rd_kafka_queue_t *queue)
{
    rd_kafka_queue_yield(queue);
    rd_kafka_queue_destroy(queue); /* our reference */
}

/* librdkafka 2.0 rounds the time until its next timer down to a millisecond and then asks for the
 * rest of it without a pause, in every client, every second. With so much slack its waits end after
 * the timer. Only time-outs are late by it: what comes by a socket or from us ends a wait at once.
 */
#define LIBRARY_SLACK_NS 2000000UL

static int set(rd_kafka_conf_t *conf, const struct bus_setting *s, struct err *err)
{
    char why[256];
    for (; s->name != NULL; s++) {
        if (rd_kafka_conf_set(conf, s->name, s->value, why, sizeof why) != RD_KAFKA_CONF_OK) {
            return ERR(err, ERR_INVALID, 0, "Kafka setting %s: %s", s->name, why);
        }
    }
    return 0;
}

static struct bus_opaque *opaque_new(struct bus *b, struct bus_consumer *consumer, struct err *err)
{
    struct bus_opaque *o = calloc(1, sizeof *o);
    if (o == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    pthread_mutex_init(&o->lock, NULL);
    o->bus = b;
    o->consumer = consumer;
    return o;
}

static void opaque_free(struct bus_opaque *o)
{
    pthread_mutex_destroy(&o->lock);
    free(o);
}

static rd_kafka_conf_t *make_conf(struct bus_opaque *o, const struct bus_client_new *n,
                                  struct err *err)
{
    const struct bus_setting own[] = {
        {"bootstrap.servers", o->bus->brokers}, {"client.id", o->bus->client_id}, {0}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, o);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (n->prepare != NULL) {
        n->prepare(conf);
    }
    if (set(conf, shared_settings, err) != 0 || set(conf, own, err) != 0 ||
        set(conf, n->settings, err) != 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

rd_kafka_t *bus_client_new(struct bus *b, const struct bus_client_new *n, struct err *err)
{
    char why[256];
    struct bus_opaque *o = opaque_new(b, n->consumer, err);
    if (o == NULL) {
        return NULL;
    }
    rd_kafka_conf_t *conf = make_conf(o, n, err);
    if (conf == NULL) {
        opaque_free(o);
        return NULL;
    }
    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, LIBRARY_SLACK_NS, 0, 0, 0); /* its threads inherit it */
    rd_kafka_t *rk = rd_kafka_new(n->type, conf, why, sizeof why);
    prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        opaque_free(o);
        (void)ERR(err, ERR_INVALID, 0, "Kafka client for %s: %s", b->brokers, why);
    }
    return rk;
}

/*
 * librdkafka before 2.1.1 loses count of references when a consumer's partition is lost (its topic
 * deleted, its session expired); destroying that client then waits for ever. So a thread of its own
 * does it; when it does not come back in time, the client is left behind with what it holds, and
 * its callbacks find no bus any more. Normally the process ends soon after.
 */
struct destroying {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    rd_kafka_t *rk;
    struct bus_opaque *opaque;
    int flags;
    bool done;        /* lock */
    bool left_behind; /* lock; this is then the thread's to free */
};

static void destroying_free(struct destroying *d)
{
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    opaque_free(d->opaque);
    free(d);
}

static void *destroy_thread(void *arg)
{
    struct destroying *d = arg;
    rd_kafka_destroy_flags(d->rk, d->flags);
    pthread_mutex_lock(&d->lock);
    d->done = true;
    bool mine = d->left_behind;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    if (mine) {
        destroying_free(d);
    }
    return NULL;
}

static struct destroying *destroying_new(rd_kafka_t *rk, int flags)
{
    struct destroying *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return NULL;
    }
    mono_cond_init(&d->wake);
    pthread_mutex_init(&d->lock, NULL);
    d->rk = rk;
    d->opaque = rd_kafka_opaque(rk);
    d->flags = flags;
    return d;
}

/* Whether it was done in time; if not, d belongs to the thread from here on. */
static bool await_destroyed(struct destroying *d)
{
    int64_t until = mono_ms() + BUS_DESTROY_MS;
    pthread_mutex_lock(&d->lock);
    while (!d->done && mono_wait(&d->wake, &d->lock, until)) {
    }
    bool done = d->done;
    if (!done) {
        (void)bus_client_hold(d->opaque);
        d->opaque->bus = NULL;
        bus_client_let_go(d->opaque);
        d->left_behind = true;
    }
    pthread_mutex_unlock(&d->lock);
    return done;
}

void bus_client_destroy(rd_kafka_t *rk, int flags)
{
    pthread_t thread;
    struct err err = {0};
    struct destroying *d = destroying_new(rk, flags);
    if (d == NULL) {
        struct bus_opaque *o = rd_kafka_opaque(rk);
        rd_kafka_destroy_flags(rk, flags);
        opaque_free(o);
    } else if (bus_client_thread(&thread, destroy_thread, d, &err) != 0) {
        rd_kafka_destroy_flags(rk, flags);
        destroying_free(d);
    } else if (await_destroyed(d)) {
        pthread_join(thread, NULL);
        destroying_free(d);
    } else {
        pthread_detach(thread);
        log_warn("kafka_client_left_behind",
                 KV("reason", "librdkafka did not end its threads in time"),
                 KV("remedy", "none needed; librdkafka 2.1.1 or newer has this fixed"));
    }
}

int bus_client_topic(const struct bus *b, const char *what, const char *kind,
                     char out[static BUS_TOPIC_MAX], struct err *err)
{
    int n = snprintf(out, BUS_TOPIC_MAX, "%s.%s%s%s", b->env, what, kind != NULL ? "." : "",
                     kind != NULL ? kind : "");
    if (n < 0 || n >= BUS_TOPIC_MAX) {
        return ERR(err, ERR_INVALID, 0, "topic name too long: %s.%s", b->env, what);
    }
    return 0;
}

int bus_client_thread(pthread_t *thread, void *(*run)(void *), void *arg, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        return ERR(err, ERR_TRANSIENT, rc, "cannot start a Kafka thread: %s", strerror(rc));
    }
    return 0;
}
