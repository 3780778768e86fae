/*
 * overview.h - what trawl top shows: read by a bounded number of indexed queries, and drawn as
 * lines.
 */
#ifndef OPS_OVERVIEW_H
#define OPS_OVERVIEW_H
#include "cli/cli.h"
#include "common/db/doc_json.h"
#include "ops/pools.h"

#define TOP_RATE_MS 60000 /* the time that rates are counted over */
#define TOP_BAR_MAX 24    /* room for a bar */

/* When a beat was last seen to move, on our own clock. */
struct top_seen {
    char id[128];
    int64_t beat, moved_ms;
};

struct top {
    struct err away; /* why the last reading failed, or nothing: then the rest is of before */
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

/* Read everything anew. What could not be read stands in t->away. */
void top_read(struct cli *c, struct top *t) __attribute__((nonnull));
void top_clear(struct top *t) __attribute__((nonnull));
/* How long a document with a beat (a worker, a lease) has been silent. */
int64_t top_silence_ms(const struct top *t, const bson_t *doc) __attribute__((nonnull));

/* "[######....]": how much of size is used; more than size fills it. */
const char *top_bar(int64_t used, int64_t size, char buf[static TOP_BAR_MAX]);
/* Write the lines to c->out. */
int top_draw(struct cli *c, const struct top *t, struct err *err)
    __attribute__((nonnull, warn_unused_result));
json_t *top_json(const struct cli *c, const struct top *t) OWNED __attribute__((nonnull));
#endif
