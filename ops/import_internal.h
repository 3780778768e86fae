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
    struct db *source; /* o->db when in place */
    char from[128];    /* the source's database */
    bool in_place, ends_shadow;
    struct lease *lease; /* NULL in a dry run */
    enum import_kind kind;
    int64_t total;
    struct import_ids raw_files; /* of another database: those that were seen */
    struct docs inserts;         /* of another database: made together */
    struct db_batch change;      /* in place */
};

/* Open ask->from; *own: the connection to close, or NULL. */
int importing_open(struct importing *i, struct db **own, struct err *err)
    __attribute__((nonnull, warn_unused_result));
struct import_sum *importing_sum(struct importing *i) __attribute__((nonnull));
/* Keep a line for people: what ("dropped", ...) became of this document, and why. */
int importing_note(struct importing *i, const char *what, const bson_t *doc, const char *why,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
/* Read a collection of the source, in the order of its _ids. */
int importing_each(struct importing *i, enum import_kind kind, const bson_t *filter, db_doc_fn *fn,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
/* What theirs becomes; written with others, or when the collection ends (importing_flush). */
int importing_take(struct importing *i, const bson_t *theirs, const bson_t *ours, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Delete it where it is, if the import is in place. */
int importing_drop(struct importing *i, const bson_t *theirs, const char *why, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Renew the lease; an error when another process has it. */
int importing_keep_lease(struct importing *i, struct err *err)
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
