/*
 * lease.h - one holder at a time for a named duty, without comparing clocks of two hosts.
 *
 * The holder raises a counter ("beat") in the lease's document; everybody else takes the lease over
 * when the beat has not moved for the time to live of their own monotonic clock. Each take-over
 * raises the epoch. One lease object belongs to one thread; lease_held may be asked by any.
 */
#ifndef COMMON_DB_LEASE_H
#define COMMON_DB_LEASE_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/db.h"

struct lease;

/* id names the duty ("scheduler"), holder this process. Freed with lease_free; release first. */
struct lease *lease_new(struct db *db, const char *id, const char *holder, int64_t ttl_ms,
                        struct err *err) OWNED __attribute__((nonnull));
void lease_free(struct lease *l);
AUTO_DEFINE(struct lease, lease_free);

/* Renew or try to take. Call at least four times in ttl_ms. -1: the database does not answer; what
 * is held stays held until ttl_ms after the last renewal. */
int lease_tick(struct lease *l, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Whether we hold it, by a renewal that is younger than three quarters of the time to live. */
bool lease_held(const struct lease *l) __attribute__((nonnull));
int64_t lease_epoch(const struct lease *l) __attribute__((nonnull));
/* Say in the lease's document what of the duty is not done, and why, or (why NULL) that all is:
 * "trouble" is {what, since, why}. Best effort; nothing happens when it says so already, or when
 * another holds it. */
void lease_note_trouble(struct lease *l, const char *what, const char *why)
    __attribute__((nonnull(1, 2)));
/* Give it back so that another takes over at once. Best effort. */
void lease_release(struct lease *l) __attribute__((nonnull));
#endif
