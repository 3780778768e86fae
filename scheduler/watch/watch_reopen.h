/*
 * watch_reopen.h - the one door by which a raw file goes back to monitoring: its original is not,
 * or not any more, what was acquired. Its copy is superseded: the next one may take its place, and
 * only because its content is exactly what we recorded. Jobs that still measure the old content are
 * cancelled. Any thread of the scheduler.
 */
#ifndef SCHEDULER_WATCH_WATCH_REOPEN_H
#define SCHEDULER_WATCH_WATCH_REOPEN_H
#include "common/db/db.h"

/* Whether the original of this raw file (as just read) may be looked at anew: it stays on the share
 * as it was acquired, nothing is moving or removing it, it is not set aside, and no copy of it
 * runs (that notices by itself). */
bool reopen_may(const bson_t *rf) __attribute__((nonnull));
/* Cancel the jobs that measure what was copied; before the change that follows, so that nobody who
 * dies in between leaves one behind. */
int reopen_cancel_jobs(struct db *db, const bson_t *rf, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same, then raw_file_reopening. *won = false: it has moved on meanwhile. After a failure it
 * may have been made. */
int reopen(struct db *db, const bson_t *rf, const char *why, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
