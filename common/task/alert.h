/*
 * alert.h - what a person must look at: one document of "alerts" for each kind and raw file, open
 * until its cause is over (docs/data-model.md). Any thread.
 */
#ifndef COMMON_TASK_ALERT_H
#define COMMON_TASK_ALERT_H
#include "common/db/db.h"

struct alert {
    const char *kind;     /* "backup_damaged" */
    const char *raw_file; /* its id */
    const char *text;
    const char *by;
};
/* Open it, or give an open one this text; it keeps the time at which it was opened. */
int alert_open(struct db *db, const struct alert *a, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Does nothing when it is not open; text is not used. */
int alert_close(struct db *db, const struct alert *a, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
