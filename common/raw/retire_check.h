/*
 * retire_check.h - may the files of a raw file be deleted from the instrument's Backup? Every file
 * that is there must be recorded, and both it and its copy in the pool must have the recorded size
 * and hashes, read again now. One file that is not as expected keeps all of them. The worker and
 * `trawl remove --dry-run` call the same function; it changes nothing.
 */
#ifndef COMMON_RAW_RETIRE_CHECK_H
#define COMMON_RAW_RETIRE_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rehash.h"
#include "common/base/tree.h"
#include "common/raw/backup_record.h"

struct retire_place {
    const char *instrument; /* the instrument's folder */
    const char *pool;       /* the folder of the record's paths: record_folder */
    bool set;               /* Sciex: every name with the stem of the main file belongs to it */
    bool sizes_only;        /* read nothing: a quick check, never enough to delete */
    struct rehash_hooks hooks;
};

struct retire_check { /* zeroed before; retire_check_fini frees */
    struct tree tree; /* all that is there, paths below Backup */
    char (*why)[224]; /* for each entry of the tree: why it must stay, or "" */
    size_t files, bad;
    size_t differing; /* of the bad: the original itself is not what was backed up */
    size_t gone;      /* recorded files that are missing */
    int64_t bytes;
    int64_t total; /* bytes to read; grows while checking */
};

/* -1: a folder is missing, or another program has an original open (HOLD), a hook's error, or out
 * of memory. A reason against deleting is no error: bad counts them. */
int retire_check_run(struct retire_check *c, const struct record *r, const struct retire_place *p,
                     struct err *err) __attribute__((nonnull, warn_unused_result));
void retire_check_fini(struct retire_check *c) __attribute__((nonnull));
/* The first reason with its file's name, and how many more there are. Returns buf. */
#define RETIRE_REASON 300
const char *retire_check_reason(const struct retire_check *c, char buf[static RETIRE_REASON])
    __attribute__((nonnull));

/* The folder must be there (HOLD otherwise): an absent share must never look like an empty one. */
int retire_need_folder(const char *path, const char *what, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
