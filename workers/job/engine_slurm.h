/*
 * engine_slurm.h - the cluster's commands as text: builds what a head node runs, reads what it
 * answers.
 *
 * No I/O (cluster.h does it): jobs go in, outcomes come out. Any number of jobs fits into one
 * script, which is one round trip. Pure but for slurm_batch; any thread.
 */
#ifndef WORKERS_JOB_ENGINE_SLURM_H
#define WORKERS_JOB_ENGINE_SLURM_H
#include "workers/job/job.h"

/* A script between slurm_begin and slurm_end; t belongs to the caller (strbuf_fini). */
int slurm_begin(struct strbuf *t, struct err *err) __attribute__((nonnull, warn_unused_result));
void slurm_put_wrapper(struct strbuf *t, const struct config *c) __attribute__((nonnull));
/* env is the content of job.env. */
void slurm_put_submit(struct strbuf *t, const struct config *c, const struct job_spec *job,
                      const char *env) __attribute__((nonnull));
void slurm_put_find(struct strbuf *t, const char *name, const char *folder)
    __attribute__((nonnull));
void slurm_put_cancel(struct strbuf *t, int64_t id, const char *name) __attribute__((nonnull));
/* No job can start under this name from now on, and one that has started is asked to stop. */
void slurm_put_close(struct strbuf *t, const struct job_watched *job) __attribute__((nonnull));
void slurm_put_watch(struct strbuf *t, int64_t id, const char *name, const char *folder)
    __attribute__((nonnull));
/* prefix: of the names of all our jobs. */
void slurm_put_poll(struct strbuf *t, const char *prefix) __attribute__((nonnull));
int slurm_end(struct strbuf *t, struct err *err) __attribute__((nonnull, warn_unused_result));

/* The answer to t_submit or t_find for name. */
void slurm_read_submit(const char *reply, const char *name, struct job_result *out)
    __attribute__((nonnull));
void slurm_read_find(const char *reply, const char *name, struct job_result *out)
    __attribute__((nonnull));

/* Fill in the words of jobs (sorted by id) from the answer to t_poll, and what else it says
 * (job_poll_fini). Lines that cannot be are passed over. */
void slurm_read_poll(const char *reply, struct job_watched *jobs, size_t n, struct job_poll *out)
    __attribute__((nonnull(1, 4)));

/* submit.c: submit together with all that submit at the same time, in one round trip. 0 and *out,
 * or -1: surely nothing was submitted. Any thread. */
int slurm_batch(const struct config *c, const struct job_spec *spec, struct job_result *out,
                struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
