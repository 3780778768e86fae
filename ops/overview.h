/*
 * overview.h - what trawl top shows, read by a bounded number of indexed queries.
 */
#ifndef OPS_OVERVIEW_H
#define OPS_OVERVIEW_H
#include "common/db/doc_json.h"
#include "ops/ops.h"
#include "ops/pools.h"

#define TOP_RATE_MS 60000 /* the time that rates are counted over */

/* When a beat was last seen to move, on our own clock. */
struct top_seen {
    char id[128];
    int64_t beat, moved_ms;
};

struct top {
    struct err away; /* why the last reading failed, if it did: the rest is then from before */
    int64_t now_ms;
    struct docs *workers, *leases, *pools, *slots;
    struct docs *waiting; /* {_id: pool, n} */
    struct docs *ended;   /* {_id: state, n, bytes}: in the last TOP_RATE_MS */
    struct docs *oldest;  /* ready tasks that wait longest */
    struct docs *errors;  /* the newest tasks that failed for good */
    int64_t n_alerts;
    struct pool_state states[POOLS_MAX];
    size_t n_states;
    struct top_seen *seen;
    size_t n_seen;
};

/* Read everything again. A failure is kept in t->away. */
void top_read(const struct ops *o, struct top *t) __attribute__((nonnull));
void top_clear(struct top *t) __attribute__((nonnull));
/* How long a document with a beat (a worker, a lease) has been silent. */
int64_t top_silence_ms(const struct top *t, const bson_t *doc) __attribute__((nonnull));

/* The lease of the leading scheduler, borrowed; NULL when none leads. */
const bson_t *top_leader(const struct ops *o, const struct top *t) __attribute__((nonnull));
/* What was copied in the last TOP_RATE_MS. */
int64_t top_bytes(const struct top *t) __attribute__((nonnull));
struct top_copying {
    int64_t copies, bytes_per_s;
};
struct top_copying top_copying(const struct top *t) __attribute__((nonnull));
json_t *top_json(const struct ops *o, const struct top *t) OWNED __attribute__((nonnull));
#endif
