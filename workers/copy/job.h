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
    char *name, *id;      /* the raw file's id in bytes; as documents have it */
    int64_t round;
    char *source_root, *target_dir, *main;
    struct copy_member *members;
    size_t n_members;
    char *digest;    /* NULL: as configured */
    bson_t *earlier; /* lists of earlier copies: {supersedes?, published?}, as the task has them */
    bson_t *whole;   /* of these, the references whose lists are whole */
    struct copy_superseded *supersedes; /* their files, by copy and path */
    size_t n_supersedes;
    bson_t *list; /* the reference to this copy's list; from record on */
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
/* Step: read the lists of earlier copies, once. */
int copy_read_earlier(void *job, struct err *err);
/* Have a list of what the report says in the database, and its reference in job->list. Waits while
 * the database does not answer. */
int copy_write_list(struct copy_job *job, struct err *err);
/* After an error of the database: 0 after a while, to try again; -1 when waiting does not help or
 * the task must stop. */
int copy_wait_for_database(struct copy_job *job, struct err *err);
/* The task's "published" with job->list added to it; false: it has one of the same files. */
bool copy_published(const struct copy_job *job, bson_t *out);
void copy_destroy(void *job);
#endif
