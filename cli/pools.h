/*
 * pools.h - the state of the pools, for pool ls and for status.
 */
#ifndef CLI_POOLS_H
#define CLI_POOLS_H
#include "cli/cli.h"
#include "cli/docs.h"

#define POOLS_MAX 32

extern const char *const pool_names[]; /* those that the configuration knows; NULL-terminated */

struct pool_facts {
    const struct docs *pools;
    const struct docs *slots;   /* those that are taken */
    const struct docs *waiting; /* pool_waiting */
};
struct pool_state {
    const char *name, *reason, *by; /* borrowed from the facts */
    int64_t slots, used, waiting, at_ms;
};

/* Ready tasks by pool: {_id: pool, n}. docs_free; NULL with *err set. */
struct docs *pool_waiting(struct cli *c, struct err *err) OWNED __attribute__((nonnull));
/* Returns how many; a pool that is not in the database yet shows its configured size. */
size_t pool_states(struct cli *c, const struct pool_facts *f, struct pool_state *out, size_t room)
    __attribute__((nonnull));
json_t *pool_json(const struct pool_state *p) OWNED __attribute__((nonnull));
int pool_table(struct cli *c, const struct pool_state *states, size_t n, struct err *err)
    __attribute__((nonnull(1, 4), warn_unused_result));
#endif
