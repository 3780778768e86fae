/*
 * verify_note.h - what `trawl verify` found, noted: the raw file's backup_damaged, verified_at and
 * original, and the alerts "backup_damaged" and "original_differs" (docs/data-model.md).
 */
#ifndef OPS_VERIFY_NOTE_H
#define OPS_VERIFY_NOTE_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/db/db.h"

#define SCRUB_ALERT "backup_damaged"

struct scrub_found {
    const bson_t *raw;   /* as it was when its backup was read */
    const bson_t *files; /* array of {path, reason}; empty: all is as recorded */
    int64_t n;           /* damaged files; files may list fewer */
    const char *text;    /* of the alert */
    const char *by;
};
/*
 * Note it. *stale = true, and nothing is written, when the raw file has other files or another
 * backup status now: what was read is no longer what counts.
 */
int scrub_note(struct db *db, const struct scrub_found *f, bool *stale, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct scrub_original {
    const bson_t *raw; /* as it was when its original was read */
    const char *state; /* "same", "fewer", "gone" or "differs" */
    const char *why;   /* which file, and how; "" */
    const char *text;  /* of the alert */
    const char *by;
};
/* Note how an original compared with its backup: "original", and the alert "original_differs" of
 * one that nobody acquires anew. *stale as above. */
int scrub_note_original(struct db *db, const struct scrub_original *f, bool *stale, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Whether a raw file has a backup that stays as it is: copied, and no copy of it under way. */
int scrub_is_still(struct db *db, const bson_t *raw, bool *still, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
