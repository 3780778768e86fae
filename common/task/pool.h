/*
 * pool.h - a pool's document: concurrency limits over all hosts, changed while everything runs.
 *
 * docs/data-model.md describes it. Each change is one update, guarded by the document that the
 * caller read; losing (*won = false) means that somebody else changed the pool: read again. Any
 * thread.
 */
#ifndef COMMON_TASK_POOL_H
#define COMMON_TASK_POOL_H
#include "common/db/db.h"
#include "common/task/kinds.h"

/* Make the pool with its configured size if it is not there; nothing for an unknown name. */
int pool_seed(struct db *db, const struct config *cfg, const char *pool, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct pool_order {
    const char *by, *why;
    int64_t slots; /* pool_resize */
};
/* An operator's size; in a stopped system it takes the pool out of what resume will undo. */
int pool_resize(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
                struct err *err) __attribute__((nonnull, warn_unused_result));
/* No slot is taken any more; its size is kept for pool_resume. The caller has seen that it is not
 * stopped. */
int pool_stop(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
              struct err *err) __attribute__((nonnull, warn_unused_result));
/* Its size, reason and author are what they were before the stop; a pool that was given a size
 * since then keeps that. */
int pool_resume(struct db *db, const bson_t *pool, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Whether it is stopped: a stop has kept its size. */
bool pool_is_stopped(const bson_t *pool) __attribute__((nonnull));
/* Whether a stop is noted, also when the pool was given a size since. */
bool pool_has_stop(const bson_t *pool) __attribute__((nonnull));
#endif
