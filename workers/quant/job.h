/*
 * job.h - the job contract (reference/ingest.md §4.1): the environment and the command of one job.
 * Pure; any thread.
 */
#ifndef WORKERS_QUANT_JOB_H
#define WORKERS_QUANT_JOB_H
#include "workers/quant/quant.h"

/*
 * The content of job.env: one export a line, every value in single quotes, so that a shell that
 * reads it gets the very bytes. job->cluster_output is set. Freed with free(). INVALID for
 * parameters that are no words (an open quote), a path that leaves its location, or a type without
 * a command.
 */
char *job_env(const struct quant_job *job, struct err *err) OWNED __attribute__((nonnull));

/* The command line of the software as shell words; CUSTOM_COMMAND. Freed with free(). */
char *job_command(const struct quant_job *job, struct err *err) OWNED __attribute__((nonnull));
#endif
