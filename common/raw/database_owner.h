/*
 * database_owner.h - whether a database is Trawl's. It is once the leader has made its pools; one
 * without pools whose first raw file is not ours is AlphaKraken's, and one whose import has begun
 * and not ended is half of each: nobody works with either but `trawl import`. Any thread.
 */
#ifndef COMMON_RAW_DATABASE_OWNER_H
#define COMMON_RAW_DATABASE_OWNER_H
#include "common/db/db.h"

/* Collection and _id of what says how an import goes (docs/alphakraken.md). */
#define DB_IMPORTS         "imports"
#define IMPORT_ALPHAKRAKEN "alphakraken"
#define IMPORT_RUNNING     "running"
#define IMPORT_DONE        "done"

/* Two look-ups by _id in a database that is ours. REFUSED: it is not, and what to do; any other
 * error: the database does not answer. */
int database_is_ours(struct db *db, const char *database, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
