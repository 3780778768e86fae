/*
 * strays.h - jobs on the cluster under our prefix that no task knows: shown as alerts, and stopped
 * only on an operator's word (trawl cluster cancel).
 */
#ifndef WORKERS_JOB_STRAYS_H
#define WORKERS_JOB_STRAYS_H
#include "common/db.h"
#include "workers/job/job.h"

/* Open an alert for each stray of the poll that no open task has kept, close those of jobs that are
 * gone or known again, and stop those that an operator has given up. */
int strays_note(const struct config *c, struct db *db, const struct job_poll *poll, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
