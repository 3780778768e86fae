/*
 * db_index.h - the indexes that queries rely on. They are only speed: nothing waits for them, and
 * one that an administrator made differently is reported, and used where it serves.
 */
#ifndef COMMON_DB_DB_INDEX_H
#define COMMON_DB_DB_INDEX_H
#include "common/db/db.h"

/* name: of the index, "<collection>.<name>"; why: what is wrong, or NULL. */
typedef void db_index_fn(void *ctx, const char *name, const char *why);

/* The collections that have indexes; NULL after the last. */
extern const char *const db_indexed_collections[];

/*
 * Make one collection's indexes in one command, and drop those of earlier versions that they
 * replace once all are there. Idempotent; each wanted index is reported once. -1: the server does
 * not answer, or still builds; call again. A build may take the call's whole deadline, so call it
 * from a thread that nothing waits for.
 */
int db_indexes_ensure(struct db *db, const char *coll, db_index_fn *report, void *ctx,
                      struct err *err) __attribute__((nonnull(1, 2, 3, 5), warn_unused_result));
#endif
