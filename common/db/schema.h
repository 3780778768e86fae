/*
 * schema.h - which version the stored documents have, and whose environment they are. The leader
 * changes what earlier versions have stored by numbered migrations (scheduler/migrate/), while
 * everything runs: readers know the old and the new form. Programs that do not know the new form
 * must not run any more: a migration raises the floor before it changes the first document. The
 * first leader writes down its environment ([trawl] env); programs of another one must not touch
 * the database. Any thread.
 */
#ifndef COMMON_DB_SCHEMA_H
#define COMMON_DB_SCHEMA_H
#include "common/db/db.h"

#define SCHEMA_VERSION 2 /* the last migration that this program knows */

/* *out: {_id: "schema", environment, version, floor, migration?: {number, what, done, since}}, or
 * NULL when no leader has written it yet. bson_destroy. */
int schema_read(struct db *db, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* ERR_REFUSED when the floor is above what this program knows, or the database is of another
 * environment. Other errors: it could not be asked. */
int schema_check(struct db *db, const char *environment, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same for those that start before their database: true, and *err set, only when it refuses. */
bool schema_refuses(struct db *db, const char *environment, struct err *err)
    __attribute__((nonnull));
/* The database is of this environment from now on, unless it is of one already. */
int schema_claim(struct db *db, const char *environment, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* From now on only programs that know this migration may run. Raises, never lowers. */
int schema_raise_floor(struct db *db, int64_t number, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct schema_progress {
    int64_t number, done, since_ms; /* done: documents; since: wall clock */
    const char *what;
};
int schema_note(struct db *db, const struct schema_progress *p, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* All documents have the form of this migration. */
int schema_reached(struct db *db, int64_t number, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
