/*
 * db.h - MongoDB: a pool of clients and guarded updates. The truth of every task is here.
 *
 * Only what MongoDB >= 4.4 and the local store both have: no sessions, transactions, change streams
 * or pipeline updates. Every write is acknowledged by a majority. A call takes a client from the
 * pool for its own duration: any thread may call. Every call has a deadline ([mongo] timeout_ms; at
 * the server, too, but for inserts, updates and bulks); a long listing has DB_LISTING_MS for all
 * its batches together. A server that is
 * away is TRANSIENT, a refused login is INVALID (both ERR_CODE_DATABASE), and what a server refuses
 * whenever it is asked is INVALID (ERR_CODE_DATABASE_REFUSED, which an error that is not known has
 * with TRANSIENT); none ends the process.
 */
#ifndef COMMON_DB_DB_H
#define COMMON_DB_DB_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/config/config.h"

AUTO_DEFINE(bson_t, bson_destroy);

struct db;

/* For the options of db_each: "maxTimeMS", BCON_INT64(DB_LISTING_MS). */
#define DB_LISTING_MS (10 * 60 * 1000)

/* Names of the collections. AlphaKraken's keep its names and meaning. */
#define DB_RAW_FILES     "raw_file"
#define DB_FILE_LISTS    "file_lists"
#define DB_METRICS       "metrics"
#define DB_PROJECTS      "project"
#define DB_SETTINGS      "settings"
#define DB_ASSIGNMENTS   "project_settings"
#define DB_TASKS         "tasks"
#define DB_SLOTS         "slots"
#define DB_POOLS         "pools"
#define DB_WORKERS       "workers"
#define DB_LEASES        "leases"
#define DB_WATCHES       "watches"
#define DB_LOCATIONS     "locations"
#define DB_MOUNTS        "mounts"
#define DB_CONTRIBUTIONS "contributions"
#define DB_SUMS          "sums"
#define DB_AGGREGATES    "aggregates"
#define DB_ALERTS        "alerts"
#define DB_AUDIT         "audit"
#define DB_KRAKEN_STATUS "kraken_status" /* AlphaKraken's: written only for it */
#define DB_RETENTION     "retention"
#define DB_DOCTOR        "doctor" /* where trawl doctor tries our rights */
#define DB_TRAWL         "trawl"  /* about the database itself: schema.h */

/* Parses the URI and makes the pool; connects only when first used. Freed with db_free. */
struct db *db_new(const struct config *c, const char *appname, struct err *err) OWNED
    __attribute__((nonnull));
void db_free(struct db *db);
AUTO_DEFINE(struct db, db_free);

/* Another database than the one that [mongo] names. A query may take answer_ms at the server; to
 * connect takes as long as with ours. */
struct db_other {
    const char *uri, *database;
    const char *key; /* what messages call the connection string: "--from"; not copied */
    int64_t answer_ms;
};
struct db *db_new_other(const struct config *c, const struct db_other *o, const char *appname,
                        struct err *err) OWNED __attribute__((nonnull));
/* Its servers, as "host:27017[,host:27017]"; borrowed. */
const char *db_hosts(const struct db *db) __attribute__((nonnull, returns_nonnull));

/* 0 when the server answers. The message never holds the password. */
int db_ping(struct db *db, struct err *err) __attribute__((nonnull, warn_unused_result));
/* What the server says of itself. */
struct db_server {
    int64_t ahead_ms; /* its clock less ours; as exact as half the way there and back */
    int64_t wire_version;
    char replica_set[64]; /* "": none */
};
int db_hello(struct db *db, struct db_server *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* *out = the first match or NULL when there is none (not an error). Freed with bson_destroy. */
int db_find_one(struct db *db, const char *coll, const bson_t *filter, bson_t **out,
                struct err *err) __attribute__((nonnull, warn_unused_result));
int db_find_id(struct db *db, const char *coll, const char *id, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Calls fn for each match. opts as for mongoc (sort, limit, projection), may be NULL. fn returns -1
 * with *err set to stop. The document is borrowed for the call. */
typedef int db_doc_fn(void *ctx, const bson_t *doc, struct err *err);
int db_each(struct db *db, const char *coll, const bson_t *filter, const bson_t *opts,
            db_doc_fn *fn, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 3, 5, 7), warn_unused_result));
int db_aggregate(struct db *db, const char *coll, const bson_t *pipeline, db_doc_fn *fn, void *ctx,
                 struct err *err) __attribute__((nonnull(1, 2, 3, 4, 6), warn_unused_result));
/* All documents of a collection, as the server keeps their number; after a crash it may be off. */
int db_estimate(struct db *db, const char *coll, int64_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Counts no further than DB_COUNT_MAX, so that millions do not outlast the deadline. */
#define DB_COUNT_MAX 100000
int db_count(struct db *db, const char *coll, const bson_t *filter, int64_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* *inserted = false when a document of that _id (or unique key) is already there. */
int db_insert(struct db *db, const char *coll, const bson_t *doc, bool *inserted, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* A guarded update of at most one document: *won = whether the filter matched. The filter names the
 * state that the caller believes in; losing is not an error. */
int db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err) __attribute__((nonnull, warn_unused_result));
/* The same; makes the document when nothing matches. A lost race for the insert is won = false. */
int db_upsert(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err) __attribute__((nonnull, warn_unused_result));
/* Guarded updates of documents of one collection, many in one command. proof (an _id and other
 * top-level fields) is what a document has once this change has been made: when not all changes
 * won, it shows which did, so it names what only this writer writes, a fence or an owner (NULL: the
 * caller does not ask).
 */
struct db_change {
    bson_t *filter, *update, *proof;
    bool won;
};
/* -1: the server did not answer; some may have won. */
int db_update_all(struct db *db, const char *coll, struct db_change *changes, size_t n,
                  struct err *err) __attribute__((nonnull(1, 2, 5), warn_unused_result));
/* The same for one change: what several threads ask for while a command is under way goes into the
 * next one. */
int db_update_together(struct db *db, const char *coll, struct db_change *change, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same, and *out = the document of that _id afterwards, whichever writer won, or NULL when
 * there is none. */
int db_find_update_together(struct db *db, const char *coll, const char *id,
                            struct db_change *change, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same, and makes each document that nothing matches. won: whether it matched or was made; a
 * lost race for the insert is not. No proofs are needed. */
int db_upsert_all(struct db *db, const char *coll, struct db_change *changes, size_t n,
                  struct err *err) __attribute__((nonnull(1, 2, 5), warn_unused_result));
/* inserted[i] = false when a document of that _id is already there. */
int db_insert_all(struct db *db, const char *coll, bson_t *const *docs, size_t n, bool *inserted,
                  struct err *err) __attribute__((nonnull(1, 2, 6), warn_unused_result));
void db_change_fini(struct db_change *c) __attribute__((nonnull));
/* The same as db_update, and *out = the document afterwards, or NULL when nothing matched. */
int db_find_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                   bson_t **out, struct err *err) __attribute__((nonnull, warn_unused_result));
/* The same update of all that match. */
int db_update_each(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
                   int64_t *changed, struct err *err) __attribute__((nonnull, warn_unused_result));
int db_delete(struct db *db, const char *coll, const bson_t *filter, int64_t *deleted,
              struct err *err) __attribute__((nonnull(1, 2, 3, 5), warn_unused_result));

/* Whether doc has this very key; dots in it are no path (ids have dots). */
bool db_has_key(const bson_t *doc, const char *key) __attribute__((nonnull));
/* Append the keys of a document to an array, as values: a set of ids becomes the list of an $in. */
void db_append_keys(bson_t *array, const bson_t *set) __attribute__((nonnull));

/* Reading a document: the field at a dotted path ("result.size"), or the default. Never fails. */
const char *doc_str(const bson_t *doc, const char *path, const char *or_else)
    __attribute__((nonnull(1, 2)));
int64_t doc_i64(const bson_t *doc, const char *path, int64_t or_else) __attribute__((nonnull));
double doc_f64(const bson_t *doc, const char *path, double or_else) __attribute__((nonnull));
bool doc_bool(const bson_t *doc, const char *path, bool or_else) __attribute__((nonnull));
bool doc_has(const bson_t *doc, const char *path) __attribute__((nonnull));
/* Whether the field is this text. "" is no text: what is missing equals nothing. */
bool doc_says(const bson_t *doc, const char *path, const char *text) __attribute__((nonnull));
/* A view of a subdocument or array, valid as long as doc is; false when there is none. */
bool doc_sub(const bson_t *doc, const char *path, bson_t *view) __attribute__((nonnull));
#endif
