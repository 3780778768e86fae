/*
 * bus_internal.h - what the files of the bus share. Not for others.
 *
 * bus.c          producer: queueing, delivery reports, a new producer after a fatal error
 * bus_topics.c   making the topics by the admin API
 * bus_correct.c  topics that others made: partitions and settings
 * bus_admin.c    one request of the admin API
 * bus_client.c   librdkafka's configuration, and its logs and errors routed to log.h
 * bus_security.c TLS and the login: what the keys of [kafka] say to librdkafka
 * bus_trouble.c  what goes wrong as one line a minute, with its remedy; rights that are missing
 * bus_consumer.c the consumer's thread: group, rebalances, events without a group
 * bus_track.c    which messages are out and how far the stored offset may go; knows no Kafka
 */
#ifndef COMMON_BUS_BUS_INTERNAL_H
#define COMMON_BUS_BUS_INTERNAL_H
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/log.h"
#include "common/bus/bus.h"

#define BUS_TOPIC_MAX   250 /* Kafka allows 249 bytes */
#define BUS_KINDS_MAX   16
#define BUS_POLL_MS     100
#define BUS_IDLE_MS     1000  /* a wait that a message, a report or bus_client_wake ends */
#define BUS_LOOK_MS     5000  /* how often the broker is looked at when all is well */
#define BUS_LOOK_BAD_MS 1000  /* and when it is not */
#define BUS_TOPICS_MS   60000 /* how often it is asked whether the topics are there still */
#define BUS_ASK_MS      1000  /* the longest that a look may take */
#define BUS_ADMIN_MS    5000  /* and a request of the admin API */
#define BUS_CLOSE_MS    3500  /* for deliveries, or for leaving the group */
#define BUS_DESTROY_MS  1000  /* for the library to end its threads after that */

/* What can go wrong again and again; each kind has one log line a minute. */
enum bus_trouble {
    BUS_TROUBLE_CONNECTION,
    BUS_TROUBLE_RESOLVE,
    BUS_TROUBLE_LOGIN,
    BUS_TROUBLE_TLS,
    BUS_TROUBLE_RIGHT,
    BUS_TROUBLE_TOPIC,
    BUS_TROUBLE_DELIVERY,
    BUS_TROUBLE_GROUP,
    BUS_TROUBLE_OFFSET,
    BUS_TROUBLE_FATAL,
    BUS_TROUBLE_OTHER,
    BUS_TROUBLE_COUNT
};
/* What the broker must let our user do; each has one log line a minute, too. */
enum bus_right {
    BUS_RIGHT_CREATE,
    BUS_RIGHT_DESCRIBE,
    BUS_RIGHT_ALTER,
    BUS_RIGHT_DESCRIBE_CONFIGS,
    BUS_RIGHT_ALTER_CONFIGS,
    BUS_RIGHT_WRITE,
    BUS_RIGHT_READ,
    BUS_RIGHT_READ_GROUP,
    BUS_RIGHT_COUNT
};
#define BUS_LIBRARY_GATES 8 /* the library's own lines, spread by the name of their facility */

/* What librdkafka hands back to every callback of one client. It outlives a client that is left
 * behind, and then names no bus. */
struct bus_opaque {
    pthread_mutex_t lock;
    struct bus *bus;               /* lock */
    struct bus_consumer *consumer; /* NULL: the producer */
};

struct bus {
    const struct config *cfg; /* borrowed */
    char *env;
    char *brokers;
    char *client_id;
    int32_t partitions;
    int64_t session_ms;
    pthread_t thread;      /* serves delivery reports and looks after the connection */
    pthread_rwlock_t swap; /* read: to send; write: to put a new producer in place */
    rd_kafka_t *rk;        /* swap; only the thread replaces it */
    int64_t made_ms;       /* thread; when rk was made */
    int64_t answered_ms;   /* thread; when a look found a broker last */
    pthread_mutex_t lock;
    char *kinds[BUS_KINDS_MAX]; /* lock; of the last bus_ensure_topics, to make them again */
    size_t kind_count;          /* lock */
    atomic_bool stopping;
    atomic_bool connected;
    atomic_bool topics_missing;
    _Atomic uint64_t sent, delivered, failed, received;
    atomic_bool more_partitions; /* a topic has more than we want: said */
    _Atomic int64_t refused_ms;  /* when a login or TLS failed last */
    struct log_gate gates[BUS_TROUBLE_COUNT];
    struct log_gate denied[BUS_RIGHT_COUNT];
    struct log_gate library_gates[BUS_LIBRARY_GATES];
};

/* --- bus_client.c --- */

/* End the wait of the thread that polls this queue, or its next one. */
void bus_client_wake(rd_kafka_queue_t *queue);

struct bus_setting {
    const char *name, *value;
};
/* A client with what all of ours have in common and with these settings, which end with one without
 * a name. prepare may add callbacks. Freed with bus_client_destroy. NULL: INVALID names the setting
 * that is refused. */
struct bus_client_new {
    rd_kafka_type_t type;
    struct bus_consumer *consumer; /* whose client, or NULL */
    const struct bus_setting *settings;
    void (*prepare)(rd_kafka_conf_t *conf); /* or NULL */
};
rd_kafka_t *bus_client_new(struct bus *b, const struct bus_client_new *n, struct err *err) OWNED
    __attribute__((nonnull));
/* rd_kafka_destroy_flags with a limit in time. */
void bus_client_destroy(rd_kafka_t *rk, int flags) __attribute__((nonnull));
/* The bus of a callback, or NULL; it stays until bus_client_let_go. Between the two there may be no
 * call into librdkafka, as that may log. */
struct bus *bus_client_hold(struct bus_opaque *o) __attribute__((nonnull));
void bus_client_let_go(struct bus_opaque *o) __attribute__((nonnull));
/* Note whether the last attempt reached a broker; logs the change. Any thread. */
void bus_client_reached(struct bus *b, bool reached) __attribute__((nonnull));
/* "<env>.tasks.<kind>" or, without kind, "<env>.<what>". */
int bus_client_topic(const struct bus *b, const char *what, const char *kind,
                     char out[static BUS_TOPIC_MAX], struct err *err)
    __attribute__((nonnull(1, 2, 4, 5), warn_unused_result));
/* Start a thread that takes no signals: those belong to main. */
int bus_client_thread(pthread_t *thread, void *(*run)(void *), void *arg, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));

/* --- bus_security.c --- */

/* Whether the keys fit together and their files can be read. -1: INVALID names the key. */
int bus_security_check(const struct config *c, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Give a client what the keys say. */
int bus_security_apply(const struct config *c, rd_kafka_conf_t *conf, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* After a refused login: the next one takes the password that the file has now. */
void bus_security_renew(const struct config *c, rd_kafka_t *rk) __attribute__((nonnull));

/* --- bus_trouble.c --- */

/* Log a failure, at most once a minute per kind of failure. Any thread. */
void bus_trouble_log(struct bus *b, rd_kafka_resp_err_t code, const char *what)
    __attribute__((nonnull));
/* Whether a login or TLS has failed lately: the library may still be trying the same. */
bool bus_trouble_refused(const struct bus *b) __attribute__((nonnull));
/* Log that the broker refuses this to our user, at most once a minute per right. name is the
 * topic's or the group's. Any thread. */
void bus_trouble_denied(struct bus *b, enum bus_right right, const char *name)
    __attribute__((nonnull));
/* The same as an error. Always -1. */
int bus_trouble_denied_err(struct bus *b, enum bus_right right, const char *name, struct err *err)
    __attribute__((nonnull));

/* --- bus_consumer.c --- */

/* bus_trouble_log for what a consumer's client reports: its topic and group are known. */
void bus_consumer_trouble(struct bus_consumer *c, rd_kafka_resp_err_t code, const char *what)
    __attribute__((nonnull));

/* --- bus_admin.c --- */

/* One request: open it, call the library with options and queue, and close it. */
struct bus_admin_call {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
};
void bus_admin_open(struct bus_admin_call *a, rd_kafka_t *rk, rd_kafka_admin_op_t op)
    __attribute__((nonnull));
/* Wait for the answer, which the caller destroys. NULL: TRANSIENT, also when the bus stops. What
 * the answer says of each topic is for the caller to check. */
rd_kafka_event_t *bus_admin_close(struct bus *b, struct bus_admin_call *a, const char *what,
                                  struct err *err) OWNED __attribute__((nonnull));

/* --- bus_topics.c --- */

/* Make the shared topics and those of b->kinds, as bus_ensure_topics. */
int bus_topics_make(struct bus *b, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Messages are pointers: an hour later each has been published again or is of no use. Only the
 * dead letters stay as long as the broker keeps things. The broker dates the messages: it may
 * refuse, or drop at once, what a sender with a wrong clock has dated. Returns
 * how many there are. */
#define BUS_TOPIC_SETTINGS 2
size_t bus_topics_settings(const char *topic, struct bus_setting out[static BUS_TOPIC_SETTINGS])
    __attribute__((nonnull));

/* --- bus_correct.c --- */

struct bus_topic {
    char name[BUS_TOPIC_MAX];
    int partitions; /* as the broker has it; 0: there is no such topic */
};
/* Give the topics that are there the partitions and settings that ours have. What cannot be done is
 * logged: work goes on with what there is. */
void bus_correct(struct bus *b, rd_kafka_t *rk, const struct bus_topic *topics, size_t count)
    __attribute__((nonnull));

/* --- bus_track.c --- */

struct bus_track;
/* Called with the tracker's lock held, so that offsets are stored in the order they are found. */
typedef void bus_track_store_fn(void *ctx, const char *topic, int32_t partition, int64_t offset);
struct bus_track *bus_track_new(bus_track_store_fn *store, void *ctx, struct err *err) OWNED
    __attribute__((nonnull(3))); /* store NULL: nothing to store */
/* Frees messages that were never given back, too. */
void bus_track_free(struct bus_track *t);
/* The partition is ours from now on, or is no longer. What is out of a lost one counts no more. */
int bus_track_gain(struct bus_track *t, const char *topic, int32_t partition)
    __attribute__((nonnull, warn_unused_result));
void bus_track_lose(struct bus_track *t, const char *topic, int32_t partition)
    __attribute__((nonnull));
void bus_track_lose_all(struct bus_track *t) __attribute__((nonnull));
/* A copy of a message, noted as out. NULL when memory is short: the message counts as dropped. */
struct bus_msg *bus_track_out(struct bus_track *t, const struct bus_msg *m)
    __attribute__((nonnull, warn_unused_result));
/* Given back: frees msg, and stores the new watermark if there is one. */
void bus_track_back(struct bus_track *t, struct bus_msg *msg) __attribute__((nonnull));
size_t bus_track_owned(struct bus_track *t, const char *topic, int32_t *partitions, size_t max)
    __attribute__((nonnull));
#endif
