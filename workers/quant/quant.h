/*
 * quant.h - the job of this kind: one raw file, quantified with one settings document.
 *
 * Names and paths are bytes here; documents hold them escaped (path_escape). Paths come in two
 * views: what the cluster's nodes see (cluster_) and what this process sees (worker_).
 */
#ifndef WORKERS_QUANT_QUANT_H
#define WORKERS_QUANT_QUANT_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/quant/settings.h"
#include "workers/job/job.h"
#include "workers/worker.h"

enum quant_exists { EXISTS_RAISE, EXISTS_OVERWRITE, EXISTS_ASSOCIATE, EXISTS_ADD, EXISTS_COUNT };
const char *quant_exists_name(enum quant_exists mode) __attribute__((returns_nonnull));

struct quant_job {
    struct job_base base; /* first */
    /* decode */
    struct settings settings;
    char *raw;         /* below the backup location */
    char *output;      /* below the output location; prepare may add .run2 */
    char *raw_id;      /* of the raw file document */
    char *raw_id_text; /* the same as documents hold it */
    char *project;
    char month[8];      /* folder of the job below <slurm>/jobs */
    int64_t created_ms; /* of the task: differs from that of an older one of the same id */
    bool sciex;
    bool cancel; /* somebody asked to stop */
    char *owner; /* what marks the output folder as ours: the task, and which run of it */
    enum quant_exists exists;
    const struct job_engine *engine; /* what runs the job */
    /* kept and parked */
    int64_t job_id; /* 0: not submitted */
    char job_name[JOB_NAME_MAX];
    bool given_up; /* its task was cancelled: the sweep may have stopped it */
    bool ended;    /* the watcher has seen the end, below */
    struct job_outcome outcome;
    /* prepare */
    char *worker_output, *cluster_output, *folder;
    char *copy; /* backup_files.h; NULL: nothing is copied */
    /* store */
    char error_code[64]; /* of a job that failed; errors.h */
    bson_t *metrics;
    char *metrics_id; /* name of the metrics document: "<task>#f<fence of the submission>" */
};

int quant_decode(void *job, const bson_t *task, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void quant_destroy(void *job);
void quant_result(const void *job, bson_t *out) __attribute__((nonnull));
void quant_parked(const void *job, bson_t *out) __attribute__((nonnull));

/* The steps, in their order; steps.c says what each finds done when it runs again. */
int quant_prepare(void *job, struct err *err) __attribute__((nonnull, warn_unused_result));
int quant_submit(void *job, struct err *err) __attribute__((nonnull, warn_unused_result));
int quant_collect(void *job, struct err *err) __attribute__((nonnull, warn_unused_result));
int quant_store(void *job, struct err *err) __attribute__((nonnull, warn_unused_result));

extern const struct worker_kind worker_quant;
#endif
