/*
 * members.h - which files of the backup belong to the raw file of a job: those that were backed up
 * as its own, by name. Any thread.
 */
#ifndef WORKERS_QUANT_MEMBERS_H
#define WORKERS_QUANT_MEMBERS_H
#include "workers/quant/quant.h"

/*
 * job->copy := the paths of the raw file's files as its engine's jobs see them, as shell words; for
 * software that gets a copy beside its output (Sciex), else "". Reads the raw file's document.
 * INVALID when that does not list them.
 */
int members_find(struct quant_job *job, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same from the document; pure. */
int members_of(struct quant_job *job, const bson_t *raw, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
