/*
 * original.h - is what stands at the instrument what was backed up? Names and sizes first, of all
 * files; only when none of them differs are the files read and their hashes compared with the
 * record. Nothing is changed. Any thread; knows no MongoDB.
 *
 * Whether the share is the instrument's is for the caller to prove, before and, when it matters,
 * after: an absent share looks like originals that are gone.
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
    ORIGINAL_BUSY,  /* cannot be told now: `busy` says why, and of which kind */
    ORIGINAL_STATE_COUNT
};
/* "same", "differs", "fewer", "gone", "busy". */
const char *original_state_name(enum original_state s) __attribute__((returns_nonnull));

struct original_member {
    char *from, *to; /* its name in the folder that is looked at; in the record. Bytes */
};

struct original { /* zeroed is empty */
    struct original_member *members;
    size_t n;
};
/* From an array of {from, to} as documents have it ("watch.members"): names escaped. INVALID for
 * one that is no name. original_fini frees, also after a failure. */
int original_load(struct original *o, const bson_t *members, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Of a raw file's document; one that only AlphaKraken wrote has no members: then from its record.
 */
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
    struct err busy;        /* ORIGINAL_BUSY: HOLD when it passes by itself, else TRANSIENT */
    struct tree tree;       /* all that is there, as it was before it was read; paths in folder */
    size_t files;           /* of these */
    size_t missing;         /* recorded files that are not there */
};
/* -1: a hook's error, or memory is short. All else is an answer. */
int original_compare(const struct original_look *l, struct original_seen *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void original_seen_fini(struct original_seen *s) __attribute__((nonnull));

/*
 * What the raw file's document says of its original ("original", docs/data-model.md). False for one
 * that was found to differ, or whose difference is being settled: it is shown as safe nowhere.
 */
bool original_is_safe(const bson_t *raw_file) __attribute__((nonnull));
/* Why not: "its original is not what was backed up: …"; "" when it is. Returns buf. */
#define ORIGINAL_SAID  400
#define ORIGINAL_ALERT "original_differs" /* of one in Backup: only a person can decide */
const char *original_says(const bson_t *raw_file, char buf[static ORIGINAL_SAID])
    __attribute__((nonnull));
#endif
