/*
 * verify.h - reads the files of a backup again and compares them, and the manifest beside them,
 * with what the copy recorded. Uses no MongoDB: verify_note.h records the result.
 */
#ifndef OPS_VERIFY_H
#define OPS_VERIFY_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rehash.h"
#include "common/db/doc_json.h"
#include "common/raw/backup_record.h"

enum verify_state {
    VERIFY_OK,
    VERIFY_DAMAGED,    /* other bytes */
    VERIFY_WRONG_SIZE, /* longer or shorter; not read */
    VERIFY_MISSING,
    VERIFY_UNREADABLE,
    VERIFY_DENIED, /* this process may not read it, which means nothing for the backup */
    VERIFY_STATE_COUNT
};
/* "ok", "damaged", "wrong size", "missing", "unreadable", "no permission". */
const char *verify_state_name(enum verify_state s) __attribute__((returns_nonnull));

struct verify_file {
    const struct record_file *record;
    enum verify_state state;
    char found[HASH_DIGEST_HEX]; /* the hash of what was read if it differs from the recorded one,
                                    else "" */
    char detail[200];            /* in words; "" for VERIFY_OK */
};
struct verify_watch {
    void (*file)(void *ctx, const struct verify_file *result); /* called for each file */
    void *ctx;
};

/* Check every recorded file below folder, reading by r (whose hooks see every block). -1: out of
 * memory, or a hook stopped it. */
int verify_files(struct rehash *r, const char *folder, const struct record *record,
                 const struct verify_watch *w, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Whether the manifests of the raw file id (bytes) in folder agree with the record; else why gets
 * the first difference. AlphaKraken's backups have none. -1: out of memory. */
#define VERIFY_WHY 300
int verify_manifests(const char *folder, const char *id, const struct record *record,
                     char why[static VERIFY_WHY], struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct verify_one { /* the result for one raw file */
    const char *id;
    int64_t n, bad, damaged, bytes, start_ms;
    bson_t files;         /* the damaged ones: {path, reason}, at most 100 */
    char first[400];      /* "<path>: <reason>" of the first */
    char why[VERIFY_WHY]; /* how the manifests or the original differ, why it was skipped, or "" */
    const char *state;    /* of an original: "same", "differs", …; NULL: a backup was read */
    json_t *list;         /* NULL without --json */
};
void verify_one_init(struct verify_one *one, const char *id) __attribute__((nonnull));
void verify_one_fini(struct verify_one *one) __attribute__((nonnull));
#endif
