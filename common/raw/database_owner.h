/*
 * database_owner.h - whether a database is Trawl's. It is once the leader has made its pools; one
 * without pools whose first raw file is not ours is AlphaKraken's, and one whose import has begun
 * and not ended is half of each: nobody works with either but `trawl import`. Any thread.
 */
#ifndef COMMON_RAW_DATABASE_OWNER_H
#define COMMON_RAW_DATABASE_OWNER_H
#include "common/db/db.h"

/* Collection and _id of what says how an import goes, or that this is a shadow's database
 * (docs/alphakraken.md). */
#define DB_IMPORTS         "imports"
#define IMPORT_ALPHAKRAKEN "alphakraken"
#define IMPORT_RUNNING     "running"
#define IMPORT_DONE        "done"
#define IMPORT_SHADOW      "shadow"

/* The command that ends the import of this mark, in buf. A password is never in it. */
#define IMPORT_COMMAND 480
const char *database_import_command(const bson_t *mark, char buf[static IMPORT_COMMAND])
    __attribute__((nonnull, returns_nonnull));

/* Two look-ups by _id in a database that is ours. *shadow: whether it is a shadow's, in which no
 * task is admitted. REFUSED: it is not ours, and what to do; any other error: the database does not
 * answer. */
int database_is_ours(struct db *db, const char *database, bool *shadow, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Make a new database a shadow's; nothing to do when it is, or was one. REFUSED: it is used. */
int database_begin_shadow(struct db *db, const char *database, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
