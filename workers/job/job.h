/*
 * job.h - a command that runs outside of this process, exactly once, whatever runs it.
 *
 * A kind says what is to run (struct job_spec) and waits parked; an engine runs it: "slurm" on a
 * cluster through its head node, "local" as a process of this host, "file" by the program that
 * takes job files from a folder. None of them knows what the command is for. The kind keeps the
 * job's name in its task before it submits: a name is submitted at most once, also when two
 * processes ask, and job_ask finds out whether it was. Any thread.
 */
#ifndef WORKERS_JOB_JOB_H
#define WORKERS_JOB_JOB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/strbuf.h"
#include "common/config/config.h"
#include "workers/job/states.h"
#include "workers/worker.h"

#define JOB_NAME_MAX   96
#define JOB_PREFIX_MAX 24

struct job_pair {
    const char *name, *value;
};

/* What is to run. Every text may hold any bytes but NUL. Paths are as the engine's jobs see them.
 */
struct job_spec {
    const char *name, *folder; /* job_name, job_folder */
    const char *owner;         /* marks the output folder as this task's */
    const char *output;        /* the output folder, in which the command runs */
    const char *worker_output; /* the same as our processes see it */
    const char *exists_mode;   /* "overwrite": take the output folder over from any owner */
    const char *command;       /* words as a shell reads them, each quoted (common/base/shell.h) */
    const struct job_pair *env;
    size_t n_env;
    const char *input;         /* a path that the log shows */
    const char *results;       /* names below output, a line each: older ones are set aside */
    const char *copy;          /* files, as shell words: copied beside the output first; "": none */
    const char *copy_variable; /* then names the copy of what it named before */
    const char *mem, *time;    /* "62G", "02:00:00"; "": the engine's default */
    int64_t cpus, mem_mib, time_s; /* mem and time as numbers; 0: not limited */
};

/* What became of one submission or question. */
enum job_answer {
    JOB_FOUND,     /* the job of this name is id */
    JOB_NONE,      /* surely none, and there will be none under this name */
    JOB_REFUSED,   /* the engine said why it will never take it */
    JOB_TAKEN,     /* the output folder belongs to somebody else */
    JOB_UNCERTAIN, /* there may be a job: ask by name */
    JOB_UNUSABLE,  /* a folder, a lock, or the tools: nothing was submitted */
    JOB_CUT        /* the answer is lost: ask by name */
};
struct job_result {
    enum job_answer answer;
    int64_t id;
    bool away; /* the engine, not the job, is the trouble */
    char message[320];
};

/* One job that is waited for. */
struct job_watched {
    struct job_view view; /* id and name; the engine fills in the words */
    const char *folder, *worker_output;
    bool cancel; /* stop it */
    bool close;  /* see to it that it never starts, and stops should it have started */
};

/* A job under our prefix that nobody asked about. */
struct job_stray {
    int64_t id;
    char name[JOB_NAME_MAX], state[JOB_STATE_MAX];
};
struct job_poll {
    bool queue_ok;      /* the queue answered: what it does not list is not in it */
    bool accounting_ok; /* so did the accounting, or there is none to ask */
    char message[320];  /* of what did not answer */
    struct job_stray *strays;
    size_t n_strays;
};
void job_poll_fini(struct job_poll *p) __attribute__((nonnull));

struct job_engine {
    const char *name;
    bool here; /* jobs see paths as our processes do */
    /* 0 and *out, or -1: surely nothing was submitted. */
    int (*submit)(const struct config *c, const struct job_spec *spec, struct job_result *out,
                  struct err *err);
    /* Was this name submitted? When not, nobody can submit it any more. -1: that cannot be found
     * out now. */
    int (*find)(const struct config *c, const struct job_spec *spec, struct job_result *out,
                struct err *err);
    /* All jobs that are waited for (n may be 0), sorted by id, in one go. */
    int (*look)(const struct config *c, struct job_watched *jobs, size_t n, struct job_poll *out,
                struct err *err);
    /* The id of a job whose name is all that is known; NULL: its log has it. */
    int64_t (*id_of)(const char *name);
    void (*close)(void); /* what is open; or NULL */
};
extern const struct job_engine engine_slurm, engine_local, engine_file;

/* "slurm", "local", "file", and AlphaKraken's words for them; NULL for another word. */
const struct job_engine *job_engine(const char *name) __attribute__((nonnull));
/* A location's path as the engine's jobs see it. */
const char *job_path(const struct job_engine *e, const struct config_location *l)
    __attribute__((nonnull));

/* "trawl-<of environment and database>-": what all our jobs' names begin with. */
void job_prefix(const struct config *c, char prefix[static JOB_PREFIX_MAX])
    __attribute__((nonnull));
/* "<prefix><XXH3-128 of key>-f<fence>", in the alphabet that all commands keep whole. */
void job_name(const struct config *c, const char *key, int64_t fence,
              char name[static JOB_NAME_MAX]) __attribute__((nonnull));
/* "<slurm>/jobs/<month>/<name>"; free(); NULL when memory is short. */
char *job_folder(const struct job_engine *e, const struct config *c, const char *month,
                 const char *name) OWNED __attribute__((nonnull));

/*
 * Submit, and when the answer is lost ask until it is clear. 0 and *id; or -1: HOLD (try again, the
 * name is of no use any more), INVALID (it never will be taken), TRANSIENT.
 */
int job_submit(const struct job_engine *e, const struct config *c, const struct job_spec *spec,
               int64_t *id, struct err *err) __attribute__((nonnull, warn_unused_result));
/* 0 and *id, which is 0 when it surely was not submitted and never will be. -1, HOLD: that cannot
 * be found out now. */
int job_ask(const struct job_engine *e, const struct config *c, const struct job_spec *spec,
            int64_t *id, struct err *err) __attribute__((nonnull, warn_unused_result));

/* The script that a job of "slurm" and "local" is, and the job.env that it reads. spec.c */
int job_env_write(const struct config *c, const struct job_spec *spec, bool limited,
                  struct strbuf *out, struct err *err)
    __attribute__((nonnull, warn_unused_result)); /* out: strbuf_fini */
/* "<root>/scripts/run_job-<hash of its content>.sh"; free(). */
char *job_script_path(const char *root) OWNED __attribute__((nonnull));
/* Take one status.json of a job into its view, when it names this very job. */
void job_status_read(const char *json, size_t len, struct job_view *view) __attribute__((nonnull));

/*
 * The watch of a kind that parks on jobs (worker_kind.watch): one look of each engine at all parked
 * tasks of the kind, whatever their number.
 */
int job_watch(const char *kind, void **keep, const struct job_base *base, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void job_watch_free(void *keep);
#endif
