/*
 * pool.h - a pool's document: how many tasks may run over all hosts, changeable while they run.
 *
 * docs/data-model.md describes it. Each change is one update, guarded by the document that the
 * caller read; *won = false: somebody else has changed the pool, so read it again. Any thread.
 */
#ifndef COMMON_TASK_POOL_H
#define COMMON_TASK_POOL_H
#include "common/db/db.h"
#include "common/task/kinds.h"

/* Make the pool with its configured size if it is missing; does nothing for an unknown name. */
int pool_seed(struct db *db, const struct config *cfg, const char *pool, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct pool_order {
    const char *by, *why;
    int64_t slots; /* pool_resize */
};
/* Set an operator's size. While the pool is stopped, this also keeps pool_resume from undoing it.
 */
int pool_resize(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
                struct err *err) __attribute__((nonnull, warn_unused_result));
/* Set the size to 0, so that no task takes a slot, and keep the size for pool_resume. The caller
 * has checked that the pool is not stopped. */
int pool_stop(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
              struct err *err) __attribute__((nonnull, warn_unused_result));
/* Restore size, reason and author from before the stop; a pool that was resized since keeps its new
 * size. */
int pool_resume(struct db *db, const bson_t *pool, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Whether it is stopped and has not been resized since. */
bool pool_is_stopped(const bson_t *pool) __attribute__((nonnull));
/* Whether a stop is recorded, even if the pool was resized since. */
bool pool_has_stop(const bson_t *pool) __attribute__((nonnull));
#endif
