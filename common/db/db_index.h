/*
 * db_index.h - the indexes that queries rely on. They are only speed: nothing waits for them, and
 * one that an administrator made differently is complained of, and used.
 */
#ifndef COMMON_DB_DB_INDEX_H
#define COMMON_DB_DB_INDEX_H
#include "common/db/db.h"

/* name: of the index, "<collection>.<name>"; why: what is wrong, NULL: nothing any more. */
typedef void db_index_fn(void *ctx, const char *name, const char *why);

/*
 * Make those that are missing, one command a collection, and drop those of ours that they replace.
 * Idempotent. Reports each wanted index once by report. 0: all that can be there are. -1: the
 * server does not answer, or builds still: call again. A server that builds may take the call's
 * whole deadline, so call it from a thread that nothing waits for.
 */
int db_indexes_ensure(struct db *db, db_index_fn *report, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));
#endif
