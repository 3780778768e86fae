/*
 * watch_reopen.h - the one way in which a raw file goes back to monitoring: its original is not, or
 * has ceased to be, what was acquired. Its copy is superseded: the next copy may replace it, and
 * only while its content is exactly what we recorded. Jobs that still measure the old content are
 * cancelled. Any thread of the scheduler.
 */
#ifndef SCHEDULER_WATCH_WATCH_REOPEN_H
#define SCHEDULER_WATCH_WATCH_REOPEN_H
#include "common/db/db.h"

/* Whether the original of this raw file (as just read) may be acquired again: it is still where it
 * was acquired, nothing is moving or removing it, it is not set aside, and no copy of it runs (a
 * copy notices a change itself). */
bool reopen_may(const bson_t *rf) __attribute__((nonnull));
/* Cancel the jobs that measure what was copied. Call it before the change that follows, so that a
 * crash in between leaves no job behind. */
int reopen_cancel_jobs(struct db *db, const bson_t *rf, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* reopen_cancel_jobs, then raw_file_reopening. *won = false: it has moved on meanwhile. After a
 * failure the change may have been made. */
int reopen_raw_file(struct db *db, const bson_t *rf, const char *why, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
