/*
 * status.h - everything that trawl status shows, read at once.
 */
#ifndef OPS_STATUS_H
#define OPS_STATUS_H
#include "common/db/doc_json.h"
#include "ops/facts.h"
#include "ops/pools.h"

struct status {
    struct err mongo;     /* why MongoDB does not answer, if it does not */
    bool kafka;           /* a broker answered */
    bson_t *schema;       /* common/db/schema.h; NULL: none yet */
    struct facts facts;   /* empty while MongoDB is away */
    struct docs *watches; /* instruments, as the leading scheduler sees them */
    struct docs *mounts;  /* locations, as the workers see them */
    struct docs *alerts;  /* the newest of those that are open */
    int64_t n_alerts;     /* all that are open */
    struct docs *counts;  /* {_id: status, n} */
    struct docs *waiting; /* ready tasks by pool */
    struct pool_state pools[POOLS_MAX];
    size_t n_pools;
    int64_t now_ms;
};

/* How many raw files have a status that counts as an error. */
int64_t status_errors(const struct status *s) __attribute__((nonnull));
/* Ask every server and read everything. A server that is away is no error: *out names it. Clear
 * *out in any case. -1: out of memory, or no such configuration. */
int status_read(const struct ops *o, struct status *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void status_clear(struct status *s) __attribute__((nonnull));
json_t *status_json(const struct ops *o, const struct status *s) OWNED __attribute__((nonnull));
#endif
