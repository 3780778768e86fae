/*
 * job.h - one remove task in the worker's hands. Only the files of this folder and their tests
 * include it.
 */
#ifndef WORKERS_REMOVE_JOB_H
#define WORKERS_REMOVE_JOB_H
#include "common/raw/backup_record.h"
#include "common/raw/retire_check.h"
#include "workers/worker.h"

struct remove_job {
    struct job_base base; /* first: filled in by the runner */
    char *raw_file, *source_root;
    bool set; /* Sciex */

    const char *skipped; /* why there is nothing to do; NULL: go on */
    char *backup;        /* <source_root>/Backup */
    char *pool;          /* the folder of the copies */
    struct record record;
    struct retire_check check; /* what is there, and that all of it may go */
    int64_t bytes_read;
    bool *deleted; /* for each entry of check.tree */
    size_t n_deleted;
    int64_t freed_bytes;
};

int remove_decode(void *job, const bson_t *task, struct err *err);
extern const struct worker_step remove_steps[];
void remove_result(const void *job, bson_t *out);
void remove_destroy(void *job);

/* erase.c: delete what the check allows, file by file, then the folders that are empty. May run
 * again after having been cut off, over a new check. */
int remove_erase(struct remove_job *job, struct err *err) __attribute__((warn_unused_result));
#endif
