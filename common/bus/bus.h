/*
 * bus.h - Kafka: a producer and a consumer. Kafka dispatches; MongoDB is the truth, so a lost or
 * doubled message is harmless.
 *
 * Topics: <env>.tasks.<kind>, <env>.events, <env>.dead; made by us. A bus that made them makes them
 * again when a message finds them gone (a wiped broker), and looks at them every minute: those that
 * others made get our partitions, retention and time stamps.
 * The producer is idempotent with acks=all; any thread may send. The consumer owns one thread that
 * never stops polling; its offsets are a watermark: the stored offset never passes a message that
 * was not given back with bus_done.
 */
#ifndef COMMON_BUS_BUS_H
#define COMMON_BUS_BUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/base/strbuf.h"
#include "common/config/config.h"

#define BUS_ANY_PARTITION (-1)

struct bus;          /* the producer and the topic names */
struct bus_consumer; /* one consumer group member */
struct bus_msg {
    const char *topic;
    int32_t partition;
    int64_t offset;
    const void *data; /* borrowed until bus_done */
    size_t len;
    void *owned;
};

/* Does not need the broker to be up, and gets over its loss. c is borrowed. Freed with bus_free,
 * which waits up to 5 s for deliveries; the consumers must be freed before. NULL: INVALID names the
 * key of [kafka] that does not fit. */
struct bus *bus_new(const struct config *c, const char *client_id, struct err *err) OWNED
    __attribute__((nonnull));
void bus_free(struct bus *b);
AUTO_DEFINE(struct bus, bus_free);

/* Make the missing topics for these kinds (NULL-terminated) and the shared ones, and correct those
 * that are there. TRANSIENT while there is no broker, or it does not let us make them; call again.
 */
int bus_ensure_topics(struct bus *b, const char *const *kinds, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The topics of these kinds (NULL-terminated) and the shared ones that are not there, in one text:
 * "lab.tasks.copy, lab.dead"; "" when all are there. None is made. TRANSIENT: no broker answers. */
int bus_missing_topics(struct bus *b, const char *const *kinds, struct strbuf *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Queue a message; returns at once. Delivery reports are counted; a full queue is TRANSIENT. */
int bus_send_task(struct bus *b, const char *kind, int32_t partition, const char *key,
                  const char *json, struct err *err) __attribute__((nonnull, warn_unused_result));
int bus_send_event(struct bus *b, const char *key, const char *json, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int bus_send_dead(struct bus *b, const char *key, const char *json, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Join the group of this kind's workers and read its topic. on_msg runs on the consumer's thread
 * and must not block: it hands the message over and returns. Every message goes back by bus_done,
 * from any thread, once it is claimed or dropped; also after its partition was revoked: then it has
 * no effect. Freed with bus_consumer_free, which leaves the group within 5 s; messages that were
 * not given back by then are freed, too, and come again to somebody.
 */
typedef void bus_msg_fn(void *ctx, struct bus_msg *msg);
struct bus_consumer *bus_consume_tasks(struct bus *b, const char *kind, bus_msg_fn *on_msg,
                                       void *ctx, struct err *err) OWNED
    __attribute__((nonnull(1, 2, 3, 5)));
/* Read <env>.events from now on, without a group: every scheduler sees every event. */
struct bus_consumer *bus_consume_events(struct bus *b, bus_msg_fn *on_msg, void *ctx,
                                        struct err *err) OWNED __attribute__((nonnull(1, 2, 4)));
/* Begin to leave; bus_consumer_free then waits less. For several that are to leave at once. */
void bus_consumer_stop(struct bus_consumer *c) __attribute__((nonnull));
void bus_consumer_free(struct bus_consumer *c);
AUTO_DEFINE(struct bus_consumer, bus_consumer_free);
void bus_done(struct bus_consumer *c, struct bus_msg *msg) __attribute__((nonnull));

/* The partitions of its topic that this member owns now; returns how many (at most max). */
size_t bus_owned(struct bus_consumer *c, int32_t *partitions, size_t max) __attribute__((nonnull));

struct bus_stats {
    uint64_t sent, delivered, failed, received;
    bool connected; /* the last metadata or delivery attempt reached a broker */
};
void bus_stats(const struct bus *b, struct bus_stats *out) __attribute__((nonnull));
#endif
