/*
 * import.h - takes over what AlphaKraken has, in place or from another database.
 *
 * What can be taken over becomes documents of ours; the rest is left or dropped, and said. Each
 * write may be repeated: an import that was cut off is begun again, and resumes. While it writes,
 * it holds the leader's lease, and the database is refused to everybody else until it has ended.
 */
#ifndef OPS_IMPORT_H
#define OPS_IMPORT_H
#include "common/db/docs.h"
#include "ops/ops.h"

enum import_kind {
    IMPORT_PROJECTS,
    IMPORT_SETTINGS,
    IMPORT_ASSIGNMENTS,
    IMPORT_METRICS,
    IMPORT_RAW_FILES,
    IMPORT_KIND_COUNT
};
/* The collection: "project", ... */
const char *import_kind_name(enum import_kind k) __attribute__((returns_nonnull));

struct import_sum {
    int64_t seen;
    int64_t taken;   /* made or changed */
    int64_t left;    /* ours already, or nothing to change */
    int64_t dropped; /* of no use here */
    int64_t refused; /* cannot be one of ours */
};

#define IMPORT_NOTES_MAX 10000
#define IMPORT_FROM      400

struct import_report { /* import_report_clear */
    struct import_sum sums[IMPORT_KIND_COUNT];
    int64_t kept, quantify, adopt; /* of the raw files taken */
    int64_t unproven;              /* of these, finished ones whose backup has no record */
    char from[IMPORT_FROM];        /* the database that was read */
    int64_t dropped_raw_files, dropped_tasks; /* of the shadow that ends */
    struct docs notes; /* {what, collection, id, why}, at most IMPORT_NOTES_MAX */
    int64_t n_notes;   /* all that there were */
};
void import_report_clear(struct import_report *r) __attribute__((nonnull));

/* total: what the server estimates. */
typedef void import_progress_fn(void *ctx, const char *collection, int64_t done, int64_t total);

struct import_ask {
    const char *from; /* "<mongodb-uri>/<database>"; NULL: in place */
    const char *key;  /* what messages call that: "--from" */
    bool dry;         /* write nothing */
    bool ends_shadow; /* drop what a shadow has seen, and let Trawl do the work afterwards */
    import_progress_fn *progress; /* or NULL */
    void *ctx;
};

/* REFUSED: another scheduler or import is at work, or another program has changed documents
 * meanwhile. After a failure what was taken stays taken, and *out says how far it got.
 * import_report_clear, also then. */
int import_alphakraken(const struct ops *o, const struct import_ask *a, struct import_report *out,
                       struct err *err) __attribute__((nonnull, warn_unused_result));
/* Undo the beginning of an import that has not ended and has written nothing. REFUSED: it has, and
 * what to do. */
int import_abandon(const struct ops *o, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
