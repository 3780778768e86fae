/*
 * raw_file.h - the raw file's one home: its statuses, which may follow which, and every write to a
 * raw file's document (docs/data-model/raw-file.md). A write is a guarded change that the caller
 * makes, alone (raw_file_make) or with others in one command (common/db/batch.h).
 *
 * Threads: any. Only raw_file_create and raw_file_make fail, and raw_file_planning for a status
 * that must not follow; the caller owns what is returned (db_change_fini, or a function that takes
 * a change).
 */
#ifndef COMMON_RAW_RAW_FILE_H
#define COMMON_RAW_RAW_FILE_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/db/db.h"

/* AlphaKraken's statuses, in the order in which a raw file goes through them. Three occur only in
 * databases that AlphaKraken has filled. */
enum raw_status {
    RAW_QUEUED_FOR_MONITORING,
    RAW_MONITORING_ACQUISITION,
    RAW_MONITORING_DONE,
    RAW_CHECKSUMMING,      /* AlphaKraken's */
    RAW_CHECKSUMMING_DONE, /* AlphaKraken's */
    RAW_COPYING,
    RAW_COPYING_DONE, /* AlphaKraken's */
    RAW_QUEUED_FOR_QUANTING,
    RAW_QUANTING,
    RAW_DONE,
    RAW_DONE_NOT_QUANTED,
    RAW_ERROR,
    RAW_QUANTING_FAILED,
    RAW_ACQUISITION_FAILED,
    RAW_IGNORED,
    RAW_STATUS_COUNT,
    RAW_UNKNOWN = RAW_STATUS_COUNT /* a name that is none of these, or: keep the status */
};

/* "queued_for_monitoring", ...: as documents have it; NULL after the last. */
extern const char *const raw_status_names[];
enum raw_status raw_status_parse(const char *name) __attribute__((nonnull));
/* Whether a raw file's document is ours. Another program's has no "rev": nothing follows or plans
 * it, and its name at the instrument is left alone (docs/alphakraken.md). */
bool raw_file_is_ours(const bson_t *rf) __attribute__((nonnull));
/* Of a raw file's document. */
enum raw_status raw_file_status(const bson_t *rf) __attribute__((nonnull));
/* Whether the table allows it. An unknown status may become anything. */
bool raw_status_may(enum raw_status from, enum raw_status to);
/* Whether it is being acquired: only its instrument's thread may end that. */
bool raw_status_is_open(enum raw_status s);
/* Whether its copy had ended and its quantification had not, in a database of AlphaKraken's. */
bool raw_status_is_copied(enum raw_status s);
/* Whether it counts as an error (AlphaKraken's rule). */
bool raw_status_is_error(enum raw_status s);

/* --- the watch's --- */

/* Values of "watch.rule" after which nothing is copied. */
#define RAW_RULE_RENAMED  "renamed"
#define RAW_RULE_REPLACED "replaced"
/* Values of "watch.waits_for" that others read; acquisition.c has more. */
#define RAW_WAITS_STILL      "nothing may move any more"
#define RAW_WAITS_SCAN       "waits for .wiff.scan to be written"
#define RAW_WAITS_UNREADABLE "a part of it cannot be looked at"

struct raw_file_found {
    const char *id, *original_name, *instrument, *project;
    const char *collision; /* its prefix, or "" */
    const char *ignored;   /* why it is ignored from the start, or NULL */
    uint64_t ino;
    int64_t born_ns, mtime_ns, size;
};
/* A new raw file's document. *made = false: that id is taken. */
int raw_file_create(struct db *db, const struct raw_file_found *f, bool *made, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* While it is being acquired: save what its watch remembers (fields of "watch", and "size"). to:
 * the new status; RAW_UNKNOWN: the same. */
struct db_change raw_file_following(const char *id, const bson_t *memory, enum raw_status to)
    __attribute__((nonnull));

/* What a comparison of its original found. */
struct raw_original {
    const char *state; /* docs/data-model/raw-file.md; NULL: remove the field */
    const char *by;    /* who compared */
    const char *why;   /* or NULL */
};
/* After its acquisition: save what its watch remembers and found of the original (NULL: leave it).
 */
struct db_change raw_file_looking(const char *id, const bson_t *memory,
                                  const struct raw_original *original) __attribute__((nonnull(1)));
/* Send it back to monitoring; rf: the whole document as just read. Removes what says that a
 * backup may replace the original, since until the next copy has ended there is none. why: for
 * status_details. */
struct db_change raw_file_reopening(const bson_t *rf, const char *why) __attribute__((nonnull));

/* --- the planner's --- */

/* What the raw file's documents mean. */
struct raw_file_plan {
    const bson_t *rf;
    enum raw_status status; /* RAW_UNKNOWN: leave it; so for each field that is NULL */
    const char *details;
    const char *backup_status;
    const char *instrument_file_status;
    const char *retire;  /* "": none */
    const char *kept;    /* why a removal left the original on the instrument */
    const char *differs; /* how a removal found that the original differs */
    const bson_t *copy;  /* the task whose result is stored */
    const bson_t *info;  /* AlphaKraken's file_info of that, or NULL; with copy */
    const char *backup;  /* where copies are, cluster view; with copy */
    bool ended;          /* nothing is under way or to be planned */
    bool purged;         /* the original is deleted at the instrument */
    bool restored;       /* what an import kept of its backup counts again */
};
/* Whether the copy's result is to be stored: the document does not have it yet. */
bool raw_file_adopts(const struct raw_file_plan *p) __attribute__((nonnull));
/* AlphaKraken's file_info of a copy's result: path -> [size, md5, etag?]. Empty without MD5s, and
 * for more than RAW_INFO_FILES files or RAW_INFO_BYTES of them, so that the raw file's document
 * stays below 1 MiB. bson_destroy; NULL with *err set. */
#define RAW_INFO_FILES 1000
#define RAW_INFO_BYTES ((uint32_t)1 << 19)
bson_t *raw_file_info_of(struct db *db, const bson_t *copy, struct err *err) OWNED
    __attribute__((nonnull));
/* The fields that change; empty: the document has all of it already. bson_destroy. NULL, INVALID:
 * the status must not follow the present one. */
bson_t *raw_file_news(const struct raw_file_plan *p, struct err *err) OWNED
    __attribute__((nonnull));
/* The change that writes the news and the ids of new tasks; without a filter when there is nothing
 * to write. */
struct db_change raw_file_planning(const struct raw_file_plan *p, const bson_t *news,
                                   const bson_t *new_tasks) __attribute__((nonnull));
/* What is left of "old_lists": rf, just read, names the list that was kept. */
struct db_change raw_file_lists_dropped(const bson_t *rf) __attribute__((nonnull));
/* Have the planner decide about it again. foreign: also when it has no "settled": another program
 * added it, and only its move and removal are ours. */
struct db_change raw_file_unsettling(const char *id, bool foreign) __attribute__((nonnull));
/* Its move or removal is planned: "retire" goes from before ("": none) to mark. */
struct raw_retiring {
    const char *id, *before, *mark, *task;
};
struct db_change raw_file_retiring(const struct raw_retiring *r) __attribute__((nonnull));
/* --- the operator's and the workers' --- */

/* Add a task that the planner did not make, and have the planner decide about it. */
struct db_change raw_file_adding_task(const char *id, const char *task) __attribute__((nonnull));
/* Right before its original is deleted: "erase_at". Won only when a majority of the servers has the
 * document as rf, just read, says: one that was cut off cannot acknowledge it. */
struct db_change raw_file_erasing(const bson_t *rf) __attribute__((nonnull));
/* Record that the index has this rev (-1: a document of AlphaKraken's, which has none). */
struct db_change raw_file_indexing(const char *id, int64_t rev) __attribute__((nonnull));

/* --- what a verification found; rf: as just read --- */

struct raw_damage {
    const bson_t *files; /* array of {path, reason} */
    int64_t n;           /* may be more than files lists; 0: the backup is as recorded */
    const char *by;
};
struct db_change raw_file_backup_verified(const bson_t *rf, const struct raw_damage *d)
    __attribute__((nonnull));
/* news: have the index and the planner see it. */
struct db_change raw_file_original_verified(const bson_t *rf, const struct raw_original *o,
                                            bool news) __attribute__((nonnull));

/* Write one change and free it. *won = false: the raw file has moved on meanwhile. */
int raw_file_make(struct db *db, struct db_change change, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
