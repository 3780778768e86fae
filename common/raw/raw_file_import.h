/*
 * raw_file_import.h - a raw file of AlphaKraken's as a document of ours (docs/alphakraken.md).
 *
 * A finished one keeps its status, details and times. One that is unfinished and has a backup goes
 * on with its quantification; any other unfinished one, and one that failed before it had a backup,
 * goes back to monitoring under its own id.
 * What takes a database writes; the rest is pure. Any thread.
 */
#ifndef COMMON_RAW_RAW_FILE_IMPORT_H
#define COMMON_RAW_RAW_FILE_IMPORT_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/config.h"
#include "common/db/db.h"

enum raw_import_way {
    RAW_IMPORT_KEPT,     /* finished: as it is */
    RAW_IMPORT_QUANTIFY, /* its backup is complete: what is left is to quantify it */
    RAW_IMPORT_ADOPT,    /* back to monitoring */
    RAW_IMPORT_WAY_COUNT
};

struct raw_import {
    const struct config *cfg; /* where backups are */
    const char *from;         /* the name of the other database, for the mark */
    int64_t now_ms;
};

struct raw_imported {
    bson_t *doc; /* raw_imported_fini */
    enum raw_import_way way;
    bool renamed;  /* its id had to be escaped */
    bool recorded; /* its backup can be verified, and its original be moved and removed */
};

/* theirs as a document of ours. -1, INVALID: it cannot be one, and why. */
int raw_file_import(const struct raw_import *how, const bson_t *theirs, struct raw_imported *out,
                    struct err *err) __attribute__((nonnull, warn_unused_result));
void raw_imported_fini(struct raw_imported *i) __attribute__((nonnull));

/* The change that turns theirs, as just read, into ours in place; for one that keeps its id. */
struct db_change raw_file_importing(const bson_t *theirs, const bson_t *ours)
    __attribute__((nonnull));
/* The same for one whose id had to be escaped: ours is made, its metrics follow, theirs goes. May
 * be repeated after a crash at any point. *won = false: another raw file has that id. */
int raw_file_import_rename(struct db *db, const bson_t *theirs, const bson_t *ours, bool *won,
                           struct err *err) __attribute__((nonnull, warn_unused_result));
/* Drop the raw files of a shadow, which has copied none, in the order of their ids up to last. */
int raw_file_import_discard(struct db *db, const char *last, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Insert documents of another database; inserted as of db_insert_all. One that an earlier import
 * left as it was becomes ours. */
int raw_file_import_insert(struct db *db, bson_t *const *docs, size_t n, bool *inserted,
                           struct err *err) __attribute__((nonnull(1, 4, 5), warn_unused_result));
/* One of another database that cannot be ours: made as it is, unless its id is taken. */
int raw_file_import_leave(struct db *db, const bson_t *theirs, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
