/*
 * output.h - the output folder as this process sees it: whose it is, and the end of its log.
 * Reads only; the cluster's user writes there.
 */
#ifndef WORKERS_QUANT_OUTPUT_H
#define WORKERS_QUANT_OUTPUT_H
#include "workers/quant/quant.h"

/*
 * Choose the folder by the job's exists mode and set worker_output and cluster_output (and with
 * "add" output; with "associate" job_id and job_name). HOLD when the output location is not there,
 * INVALID when the folder belongs to somebody else.
 */
int output_choose(struct quant_job *job, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The last lines (at most 50, at most 8 KiB) of log.txt, escaped where it is no UTF-8; "" when
 * there is none. Freed with free(); NULL when memory is short. */
char *output_log_tail(const struct quant_job *job) OWNED __attribute__((nonnull));
#endif
