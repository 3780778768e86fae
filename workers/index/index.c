/*
 * index.c - the table of the kind "index". README.md says what goes in and comes out.
 */
#include "workers/index/index.h"

#include "workers/index/job.h"

static const struct worker_step index_steps[] = {
    {"load", index_load},
    {"contribute", index_contribute},
    {"fold", index_fold},
    {"settle", index_settle},
    {0},
};

static int64_t index_threads(const struct config *cfg)
{
    return cfg->index.threads;
}

const struct worker_kind worker_index = {
    .name = "index",
    .job_size = sizeof(struct index_job),
    .decode = index_decode,
    .steps = index_steps,
    .result = index_result,
    .destroy = index_destroy,
    .threads = index_threads,
};
