/*
 * slurm.h - the cluster's commands as text: builds what a head node runs, reads what it answers.
 *
 * Knows nothing of quantification and does no I/O (cluster.h does): jobs go in, outcomes come out.
 * Any number of jobs fits into one script, which is one round trip. Pure; any thread.
 */
#ifndef WORKERS_QUANT_SLURM_H
#define WORKERS_QUANT_SLURM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"
#include "common/shell.h"
#include "workers/quant/states.h"

#define SLURM_NAME_MAX 64

/* "trawl-<XXH3-128 of key>-f<fence>", in the alphabet that all SLURM commands keep whole. The key
 * tells the task apart from those of other databases, too (steps.c). */
void slurm_job_name(const char *key, int64_t fence, char name[static SLURM_NAME_MAX])
    __attribute__((nonnull));
/* "<slurm>/jobs/<month>/<name>" for the cluster; free(). */
char *slurm_job_folder(const struct config *c, const char *month, const char *name) OWNED
    __attribute__((nonnull));
/* "<slurm>/scripts/submit_job-<hash of its content>.sh" for the cluster; free(). */
char *slurm_script_path(const struct config *c) OWNED __attribute__((nonnull));

/* One submission; every text may hold any bytes but NUL. */
struct slurm_job {
    const char *name, *folder;
    const char *task;        /* who owns the output folder */
    const char *output;      /* the output folder, cluster view */
    const char *exists_mode; /* "overwrite": take the output folder over whoever owns it */
    const char *env;         /* the content of job.env */
    const char *mem, *time;  /* "" : the cluster's default */
    int64_t cpus;
};

/* A script between slurm_begin and slurm_end; t belongs to the caller (text_fini). */
int slurm_begin(struct text *t, struct err *err) __attribute__((nonnull, warn_unused_result));
void slurm_put_wrapper(struct text *t, const struct config *c) __attribute__((nonnull));
void slurm_put_submit(struct text *t, const struct config *c, const struct slurm_job *job)
    __attribute__((nonnull));
void slurm_put_find(struct text *t, const char *name, const char *folder) __attribute__((nonnull));
void slurm_put_cancel(struct text *t, int64_t id, const char *name) __attribute__((nonnull));
void slurm_put_watch(struct text *t, int64_t id, const char *name, const char *folder)
    __attribute__((nonnull));
void slurm_put_poll(struct text *t) __attribute__((nonnull));
int slurm_end(struct text *t, struct err *err) __attribute__((nonnull, warn_unused_result));

/* Whether the reply is whole. */
bool slurm_reply_whole(const char *reply) __attribute__((nonnull));

/* What became of one submission or question. */
enum slurm_answer {
    SLURM_JOB,       /* the job of this name is *id */
    SLURM_NO_JOB,    /* surely none, and there will be none under this name */
    SLURM_REFUSED,   /* sbatch said why it will never take it */
    SLURM_TAKEN,     /* the output folder belongs to somebody else */
    SLURM_UNCERTAIN, /* sbatch failed, there may be a job: ask by name */
    SLURM_UNUSABLE,  /* a folder, the lock, or the tools: nothing was submitted */
    SLURM_CUT        /* the reply says nothing of this name: ask by name */
};
struct slurm_result {
    enum slurm_answer answer;
    int64_t id;
    char message[320];
};
/* The answer to t_submit or t_find for name. */
void slurm_read_submit(const char *reply, const char *name, struct slurm_result *out)
    __attribute__((nonnull));
void slurm_read_find(const char *reply, const char *name, struct slurm_result *out)
    __attribute__((nonnull));

struct slurm_poll {
    bool squeue_ok;     /* squeue answered: what it does not list is not in the queue */
    bool accounting_ok; /* sacct answered, or there is no accounting to ask */
    char message[320];  /* of what did not answer */
};
/* Fill in the witnesses of views (sorted by id) from the answer to t_poll. Lines that cannot be are
 * passed over. */
void slurm_read_poll(const char *reply, struct job_view *views, size_t n, struct slurm_poll *out)
    __attribute__((nonnull(1, 4)));
#endif
