/*
 * backup_files.h - which files of the backup a job's raw file consists of: those that were backed
 * up as its own (common/raw/backup_record.h), by name. Any thread.
 */
#ifndef WORKERS_QUANT_BACKUP_FILES_H
#define WORKERS_QUANT_BACKUP_FILES_H
#include "workers/quant/quant.h"

/*
 * job->copy := the paths of the raw file's files as its engine's jobs see them, as shell words; for
 * software that gets a copy beside its output (Sciex), else it stays NULL. Reads the raw file's
 * document. INVALID when that does not list them.
 */
int backup_files_find(struct quant_job *job, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same from the document; pure. */
int backup_files_of(struct quant_job *job, const bson_t *raw, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
