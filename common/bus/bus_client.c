/*
 * bus_client.c - what the producer, the consumers and the admin client have in common: settings,
 * and librdkafka's logs and errors as lines of ours.
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
    struct bus_opaque *o = opaque;
    struct bus *b = bus_client_hold(o);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        b = NULL; /* its reason is logged where the client is replaced */
    }
    if (b != NULL && o->consumer != NULL) {
        bus_consumer_trouble(o->consumer, (rd_kafka_resp_err_t)code, reason);
    } else if (b != NULL) {
        bus_trouble_log(b, (rd_kafka_resp_err_t)code, reason);
    }
    bus_client_let_go(o);
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
        set(conf, n->settings, err) != 0 || bus_security_apply(o->bus->cfg, conf, err) != 0) {
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
        (void)ERR(err, ERR_INVALID, 0, "Kafka client for %s: %s%s", b->brokers, why,
                  strstr(why, "ssl.") != NULL ? "; see [kafka] ca_file, cert_file and key_file"
                                              : "");
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
