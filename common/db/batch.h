/*
 * batch.h - guarded updates of one collection, collected and then written in one command
 * (db_update_all). One thread.
 */
#ifndef COMMON_DB_BATCH_H
#define COMMON_DB_BATCH_H
#include "common/db/db.h"

struct db_batch { /* zeroed is empty */
    struct db_change *items;
    size_t n, room;
};

/* Takes the change, also on failure: no memory. */
int db_batch_add(struct db_batch *b, struct db_change change, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Afterwards items[i].won says of each how it went. -1: the server did not answer; some may have
 * won. The batch stays as it is. */
int db_batch_write(struct db_batch *b, struct db *db, const char *coll, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void db_batch_clear(struct db_batch *b) __attribute__((nonnull));
static inline void auto_db_batch(struct db_batch *b)
{
    db_batch_clear(b);
}
#define AUTO_BATCH __attribute__((cleanup(auto_db_batch))) struct db_batch

/* Make one change and free it. *won as of db_update. */
int db_make(struct db *db, const char *coll, struct db_change change, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
