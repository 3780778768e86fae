/* import_internal.h - what the parts of an import share. Private to ops/import*.c. */
#ifndef OPS_IMPORT_INTERNAL_H
#define OPS_IMPORT_INTERNAL_H
#include "common/db/batch.h"
#include "common/db/lease.h"
#include "ops/import.h"
#include "ops/import_ids.h"

#define IMPORT_BATCH 250

struct importing {
    const struct ops *o;
    const struct import_ask *ask;
    struct import_report *out;
    struct db *source;        /* o->db when in place */
    char database[128];       /* the source's */
    char from[IMPORT_FROM];   /* the source: its servers and its database */
    bool in_place, has_login; /* has_login: its connection string names a user */
    bool ends_shadow;
    bson_t *was, *mark;  /* import_mark.c: before, NULL if there was none; and as written */
    struct lease *lease; /* NULL in a dry run */
    int64_t renew_at_ms; /* monotonic */
    const char *writing; /* the collection that is being written, as the mark says; "" none yet */
    enum import_kind kind;
    int64_t total;
    int64_t changed;             /* documents that another program has changed meanwhile */
    struct import_ids raw_files; /* of another database: those that were seen */
    struct docs inserts;         /* of another database: made together */
    struct db_batch change;      /* in place */
};

/* import_source.c: open ask->from; *own: the connection to close, or NULL. */
int importing_open(struct importing *i, struct db **own, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* import_mark.c: whose turn it is. */
/* Whether the database is in a state for what is asked. */
int importing_may_begin(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Set the mark and take the lease. After a failure the mark is as it was. */
int importing_begin(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int importing_end(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Give back the lease and free what the above have made. */
void importing_leave(struct importing *i) __attribute__((nonnull));
/* Every now and then: show the progress and renew the lease. An error when another process has it.
 */
int importing_tick(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Before each write: the lease is ours, and the mark says what is written: the shadow that is
 * discarded, or the collection that is being taken. */
#define IMPORT_WRITES_SHADOW "shadow"
int importing_writes(struct importing *i, const char *what, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int importing_keep_lease(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Whether this import resumes one that had got behind the shadow's end. */
bool importing_is_behind_shadow(const struct importing *i) __attribute__((nonnull));
/* Undo the mark of an import that has written nothing; REFUSED: it has, and what to do. */
int importing_abandon(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* import_discard.c: what a shadow has seen is dropped, and said; a dry run only says it. */
int importing_discard(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* import_check.c: an error when [location.backup] is not where most of the backups are. */
int importing_check_backups(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* import_write.c */
struct import_sum *importing_sum(struct importing *i) __attribute__((nonnull));
/* Whether both have the same _id, of whatever type. */
bool importing_same_id(const bson_t *a, const bson_t *b) __attribute__((nonnull));
/* Keep a line for people: what ("dropped", ...) became of this document, and why. */
int importing_note(struct importing *i, const char *what, const bson_t *doc, const char *why,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
/* Read a collection of the source, in the order of its _ids. */
int importing_each(struct importing *i, enum import_kind kind, const bson_t *filter, db_doc_fn *fn,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
/* Whether the server does not take this document, whenever it is asked. */
bool importing_is_refused(const struct err *e) __attribute__((nonnull));
/* What theirs becomes; written with others, or when the collection ends (importing_flush). */
int importing_take(struct importing *i, const bson_t *theirs, const bson_t *ours, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Delete it where it is, if the import is in place. */
int importing_drop(struct importing *i, const bson_t *theirs, const char *why, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int importing_flush(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* import_settings.c, import_raw_files.c, import_metrics.c: one collection or some. */
int import_settings_of(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int import_metrics_of(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int import_raw_files_of(struct importing *i, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
