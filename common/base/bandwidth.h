/*
 * bandwidth.h - bandwidth: how fast at which hour, and a bucket that all who share a location draw
 * from.
 *
 * A schedule is text: "50" (MiB/s, always), or ranges of whole hours of the local day with MiB/s,
 * separated by commas: "08-18:50,18-08:0". A range may pass midnight; hours that no range names,
 * and those with 0, are not limited.
 */
#ifndef COMMON_BASE_BANDWIDTH_H
#define COMMON_BASE_BANDWIDTH_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

#define LIMIT_HOURS 24

struct bandwidth_schedule {
    int64_t bytes_per_s[LIMIT_HOURS]; /* by local hour; 0: no limit */
};

/* Pure. INVALID says what is wrong: no hour, an hour named twice, no number. "" is no limit. */
int bandwidth_parse(const char *text, struct bandwidth_schedule *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
bool bandwidth_is_none(const struct bandwidth_schedule *s) __attribute__((nonnull));
/* Bytes/s at this local time, and for how many minutes more; -1 minutes: it never changes. Pure. */
struct bandwidth_now {
    int64_t bytes_per_s;
    int minutes;
};
struct bandwidth_now bandwidth_at(const struct bandwidth_schedule *s, int hour, int minute)
    __attribute__((nonnull));

/*
 * One bucket for a location. Each who draws from it has a share; of the shares that wait, the one
 * that has had the fewest bytes goes first, so all get the same, however many threads each has.
 * What nobody uses is lost: idling earns at most a tenth of a second. The rate is asked for at
 * every draw and ten times a second by each thread that waits. Threads: bandwidth_take from any;
 * the rest by the owner.
 */
struct bandwidth;
typedef int64_t bandwidth_rate_fn(void *ctx); /* bytes/s now; 0 = no limit. Any thread. */

/* NULL and TRANSIENT when memory is short. Freed with bandwidth_free, after its shares. */
struct bandwidth *bandwidth_new(bandwidth_rate_fn *rate, void *ctx, struct err *err) OWNED
    __attribute__((nonnull(1, 3)));
void bandwidth_free(struct bandwidth *l);
AUTO_DEFINE(struct bandwidth, bandwidth_free);
/* A bandwidth_rate_fn: what a struct bandwidth_schedule (ctx) says of this hour. */
int64_t bandwidth_by_clock(void *ctx);

struct bandwidth_share;
/* Freed with bandwidth_share_free, when nobody waits in it any more. Any thread. */
struct bandwidth_share *bandwidth_share_new(struct bandwidth *l, struct err *err) OWNED
    __attribute__((nonnull));
void bandwidth_share_free(struct bandwidth_share *s);
AUTO_DEFINE(struct bandwidth_share, bandwidth_share_free);
/* Wait until so many bytes may pass, or until *stop (may be NULL) is true: within 100 ms. */
void bandwidth_take(struct bandwidth_share *s, int64_t bytes, const atomic_bool *stop)
    __attribute__((nonnull(1)));
#endif
