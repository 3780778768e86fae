/*
 * pools.h - the state of the pools.
 */
#ifndef OPS_POOLS_H
#define OPS_POOLS_H
#include "common/db/doc_json.h"
#include "common/task/pool.h"
#include "ops/ops.h"

#define POOLS_MAX 32

struct pool_facts {
    const struct docs *pools;
    const struct docs *slots;   /* the taken ones */
    const struct docs *waiting; /* pool_waiting */
};
struct pool_state {
    const char *name, *reason, *by; /* borrowed from the facts */
    int64_t slots, used, waiting, at_ms;
    int64_t saved; /* the size to which resume restores a stopped pool; -1: it is not stopped */
};

/* Whether trawl stop is in force: how many of all pools are still stopped. */
struct stopped {
    size_t pools, of;     /* pools: 0 when nothing is stopped */
    const char *by, *why; /* of the last stop; borrowed from the pools */
    int64_t at_ms;
};
struct stopped pools_stopped(const struct docs *pools) __attribute__((nonnull));
/* "by kim@lab 4 min ago: fire", with "4 of 6 pools, " in front when it is not all of them. */
void stopped_text(const struct stopped *s, int64_t now_ms, char *buf, size_t room)
    __attribute__((nonnull));
json_t *stopped_json(const struct stopped *s) OWNED __attribute__((nonnull));

/* Ready tasks by pool: {_id: pool, n}. docs_free; NULL with *err set. */
struct docs *pool_waiting(const struct ops *o, struct err *err) OWNED __attribute__((nonnull));
/* Returns how many. A pool without a document has its configured size. */
size_t pool_states(const struct ops *o, const struct pool_facts *f, struct pool_state *out,
                   size_t room) __attribute__((nonnull));
json_t *pool_json(const struct pool_state *p) OWNED __attribute__((nonnull));

/* The pool's document, made with its configured size if it is missing; ERR_MISSING when there is no
 * pool of this name. */
int pool_find(const struct ops *o, const char *name, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Append the fields of a pool that the audit keeps. */
void pool_append(bson_t *out, const bson_t *pool) __attribute__((nonnull));
#endif
