/*
 * job.h - one index task between its steps. Only the files of this folder include it.
 */
#ifndef WORKERS_INDEX_JOB_H
#define WORKERS_INDEX_JOB_H
#include "common/index/week.h"
#include "workers/index/contribution.h"
#include "workers/worker.h"

struct index_job {
    struct job_base base; /* first: the runner fills it in */
    char *raw_file;
    bson_t *raw;
    int64_t rev;     /* of raw when it was read */
    bool has_rev;    /* false for a document from elsewhere that was never counted */
    bool superseded; /* a run that read a higher rev was here: everything is in its hands */
    struct docs metrics;
    struct docs tasks;
    struct contribution_list touched; /* what this raw file says, then its tombstones */
    size_t live;                      /* the first so many of touched are no tombstones */
    struct weeks weeks;               /* in which its contributions are or have been */
};

int index_decode(void *job, const bson_t *task, struct err *err);
void index_result(const void *job, bson_t *out);
void index_destroy(void *job);

int index_load(void *job, struct err *err);
int index_contribute(void *job, struct err *err);
int index_fold(void *job, struct err *err);
int index_settle(void *job, struct err *err);
#endif
