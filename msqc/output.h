/*
 * output.h - a file that appears under its name only when it is complete.
 * Threads: none; one owner.
 */
#ifndef MSQC_OUTPUT_H
#define MSQC_OUTPUT_H
#include <limits.h>
#include <stdio.h>

#include "common/base/err.h"

struct output {
    FILE *stream;        /* write here; NULL when closed */
    char path[PATH_MAX]; /* the final name */
    char part[PATH_MAX]; /* the name while it is written */
    char folder[PATH_MAX];
};

/*
 * Start writing <folder>/<name> as <name>.part, and remove what an earlier run left under the final
 * name: whatever is there later is this run's. The caller calls output_abandon() in any case.
 * On failure: -1, *err set, nothing to close.
 */
int output_open(struct output *out, const char *folder, const char *name, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Write a number so that reading it back gives the same double; NAN, the unknown, writes nothing.
 * A failed write is remembered by the stream and comes out of output_check() or output_commit().
 */
void output_number(struct output *out, double value) __attribute__((nonnull));

/* -1 and *err when a write has failed, for instance on a full disk. */
int output_check(struct output *out, struct err *err) __attribute__((nonnull, warn_unused_result));

/*
 * Flush, fsync, rename to the final name, fsync the folder. On failure: -1, *err set, no file under
 * the final name.
 */
int output_commit(struct output *out, struct err *err) __attribute__((nonnull, warn_unused_result));

/* Close and remove what is not committed; after output_commit() this does nothing. */
void output_abandon(struct output *out) __attribute__((nonnull));
#endif
