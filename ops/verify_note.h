/*
 * verify_note.h - records what `trawl verify` found: the raw file's backup_damaged, verified_at and
 * original, and the alerts "backup_damaged" and "original_differs" (docs/data-model.md).
 */
#ifndef OPS_VERIFY_NOTE_H
#define OPS_VERIFY_NOTE_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/db/db.h"

#define VERIFY_ALERT "backup_damaged"

struct verify_found_backup {
    const bson_t *raw;   /* as it was when its backup was read */
    const bson_t *files; /* array of {path, reason}; empty: all is as recorded */
    int64_t n;           /* damaged files; files may list fewer */
    const char *text;    /* of the alert */
    const char *by;
};
/*
 * Record it. *stale = true, and nothing is written, when the files or the backup status of the raw
 * file have changed since: the result is out of date.
 */
int verify_note_backup(struct db *db, const struct verify_found_backup *f, bool *stale,
                       struct err *err) __attribute__((nonnull, warn_unused_result));

struct verify_found_original {
    const bson_t *raw; /* as it was when its original was read */
    const char *state; /* "same", "fewer", "gone" or "differs" */
    const char *why;   /* which file, and how; "" */
    const char *text;  /* of the alert */
    const char *by;
};
/* Record how an original compared with its backup: "original", and the alert "original_differs"
 * where Trawl cannot acquire it again. *stale as above. */
int verify_note_original(struct db *db, const struct verify_found_original *f, bool *stale,
                         struct err *err) __attribute__((nonnull, warn_unused_result));

/* Whether the backup of a raw file stays as it is: it is copied, and no copy is under way. */
int verify_backup_is_settled(struct db *db, const bson_t *raw, bool *still, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
