/*
 * original.h - is the original at the instrument what was backed up? Compares names and sizes of
 * all files first; only when none differs does it read the files and compare their hashes with the
 * record. Changes nothing. Any thread; uses no MongoDB.
 *
 * The caller must prove that the share is the instrument's, before and, where it matters, after: an
 * absent share looks like originals that are gone.
 */
#ifndef COMMON_RAW_ORIGINAL_H
#define COMMON_RAW_ORIGINAL_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/base/rehash.h"
#include "common/base/tree.h"
#include "common/raw/backup_record.h"

enum original_state {
    ORIGINAL_SAME,    /* every file that is recorded is there and equal, and no other */
    ORIGINAL_DIFFERS, /* a file is new, is missing, or has other content */
    ORIGINAL_FEWER, /* what is left is equal, but more than half of its bytes are gone: somebody is
                       taking it away, and the backup has more than the instrument */
    ORIGINAL_GONE,  /* none of its names is there */
    ORIGINAL_BUSY,  /* cannot be decided now: `busy` says why, and of which kind */
    ORIGINAL_STATE_COUNT
};
/* "same", "differs", "fewer", "gone", "busy". */
const char *original_state_name(enum original_state s) __attribute__((returns_nonnull));

struct original_member {
    char *from, *to; /* its name in the folder; its name in the record. Bytes */
};

struct original { /* zeroed is empty */
    struct original_member *members;
    size_t n;
};
/* From an array of {from, to} with escaped names, as in "watch.members". INVALID for one that is no
 * name. original_fini frees, also after a failure. */
int original_load(struct original *o, const bson_t *members, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* From a raw file's document, or, where AlphaKraken wrote it without members, from its record. */
int original_load_of(struct original *o, const bson_t *raw_file, const struct record *r,
                     struct err *err) __attribute__((nonnull, warn_unused_result));
void original_fini(struct original *o) __attribute__((nonnull));

struct original_look {
    const char *folder; /* where the members' names are */
    const struct original_member *members;
    size_t n;
    const struct record *record; /* files of other members are left out of the comparison */
    struct rehash *rehash;       /* whose hooks see every block, and may stop */
};

#define ORIGINAL_WHY 320
struct original_seen { /* zeroed before; original_seen_fini frees */
    enum original_state state;
    char why[ORIGINAL_WHY]; /* the first file that differs, and how; "" when none does */
    struct err busy;        /* ORIGINAL_BUSY: HOLD when waiting is enough, else TRANSIENT */
    struct tree tree;       /* all that is there, as it was before it was read; paths in folder */
    size_t files;           /* of these */
    size_t missing;         /* recorded files that are not there */
};
/* -1: a hook's error, or out of memory. All else is an answer. */
int original_compare(const struct original_look *l, struct original_seen *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void original_seen_fini(struct original_seen *s) __attribute__((nonnull));

/*
 * Whether "original" in the raw file's document (docs/data-model.md) allows showing it as safe.
 * False for one that was found to differ, or is being compared again.
 */
bool original_is_safe(const bson_t *raw_file) __attribute__((nonnull));
/* Why it is not safe: "its original is not what was backed up: …"; "" when it is. Returns buf. */
#define ORIGINAL_PROBLEM 400
#define ORIGINAL_ALERT                                                                             \
    "original_differs" /* for an original in Backup: only a person can decide                      \
                        */
const char *original_problem(const bson_t *raw_file, char buf[static ORIGINAL_PROBLEM])
    __attribute__((nonnull));
#endif
