/*
 * strays.h - jobs on the cluster under our prefix that no open task knows. Stopped only on
 * somebody's word: their task was cancelled or skipped, or trawl cluster cancel; the others are
 * shown as alerts.
 */
#ifndef WORKERS_JOB_STRAYS_H
#define WORKERS_JOB_STRAYS_H
#include "common/db/db.h"
#include "workers/job/job.h"

/* Open an alert for each stray of the poll that no open task has kept, close those of jobs that are
 * gone or known again, and stop those that somebody has given up. */
int strays_note(const struct config *c, struct db *db, const struct job_poll *poll, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
