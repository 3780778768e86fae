/*
 * job.h - one copy task in the worker's hands.
 */
#ifndef WORKERS_COPY_JOB_H
#define WORKERS_COPY_JOB_H
#include "workers/copy/engine/engine.h"
#include "workers/worker.h"

struct copy_shared { /* of all copies of this process */
    struct bandwidth_schedule schedule;
    struct bandwidth *limit; /* NULL: no hour has one */
};

struct copy_job {
    struct job_base base; /* first: filled in by the runner */
    char *name;           /* the raw file's id */
    char *source_root, *target_dir, *main;
    struct copy_member *members;
    size_t n_members;
    char *digest;                       /* NULL: as configured */
    struct copy_superseded *supersedes; /* by copy and path */
    size_t n_supersedes;
    bson_t *published; /* of earlier attempts; NULL: nothing */
    bool rename_aside;
    int64_t s3_part_mib; /* -1: as configured */
    int64_t limit_bytes_per_s;

    struct copy_plan plan;         /* from check_mounts on; borrows from the above */
    struct copy *copy;             /* from reserve on */
    struct bandwidth_share *share; /* of the backup's bandwidth; NULL: not limited */
    struct copy_report report;
};

int copy_decode(void *job, const bson_t *task, struct err *err);
extern const struct worker_step copy_steps[];
void copy_result(const void *job, bson_t *out);
/* The task's "published" with what the report says added to it; false: it holds that already. */
bool copy_published(const struct copy_job *job, bson_t *out);
void copy_destroy(void *job);
#endif
