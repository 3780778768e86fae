/*
 * states.h - what SLURM's states mean to us, and how several witnesses become one outcome.
 * Pure; any thread.
 */
#ifndef WORKERS_JOB_STATES_H
#define WORKERS_JOB_STATES_H
#include <stdbool.h>
#include <stdint.h>

#define JOB_STATE_MAX 32

enum job_fate {
    JOB_WAITS,     /* pending, running, between the two, or suspended */
    JOB_SUCCEEDED, /* COMPLETED; its results must still be there */
    JOB_FAILED,    /* a reason that the next try would meet again */
    JOB_LOST,      /* the node or the cluster failed, not the job */
    JOB_CANCELLED,
    JOB_UNKNOWN, /* never success */
    JOB_FATE_COUNT
};

/* The fate of a state as squeue, sacct or scontrol print it: "CANCELLED by 1001" and shortened
 * names ("OUT_OF_ME+") too. JOB_UNKNOWN for everything else. */
enum job_fate states_fate(const char *state) __attribute__((nonnull));
/* The full name, "OUT_OF_MEMORY" for "OUT_OF_ME+"; "UNKNOWN" for an unknown one. */
const char *states_name(const char *state) __attribute__((nonnull, returns_nonnull));

/* What one witness said about a job; an empty state: it said nothing. */
struct job_word {
    char state[JOB_STATE_MAX];
    int exit_code, signal;
    int64_t elapsed_s; /* -1: not known */
    int64_t peak_mib;  /* most memory at one time; 0: not known */
};

struct job_view {
    int64_t id;
    const char *name; /* borrowed */
    bool over_memory; /* its log says that it was ended for that */
    bool claimed;     /* it has begun under its name */
    bool closed;      /* nobody can begin under its name any more */
    bool gone;        /* the engine has seen that it does not run, and never will */
    char beat[24];    /* what the wrapper wrote last to show that it lives */
    struct job_word squeue, wrapper, sacct, scontrol;
    struct job_word own; /* of an engine that is no cluster: what it knows by itself */
};

struct job_outcome {
    char state[JOB_STATE_MAX];
    char source[12]; /* wrapper, engine, sacct, scontrol, squeue or none */
    int exit_code;
    int64_t elapsed_s;
    int64_t peak_mib; /* -1: not known */
};

/*
 * Weigh the witnesses: the wrapper, sacct, scontrol, squeue, in that order. JOB_WAITS while the job
 * may still go on; JOB_UNKNOWN when nobody knows it; otherwise it has ended and *out says how.
 */
enum job_fate states_decide(const struct job_view *view, struct job_outcome *out)
    __attribute__((nonnull, warn_unused_result));

/*
 * Whether the job may run now or later, whatever the cluster says of it: a node that was given up
 * runs on, and a listing may lack what there is. Not when its wrapper has said its end, when the
 * engine has seen it gone, when it was cancelled before it began, or when it cannot begin any more.
 * For one that has begun and has been silent since, its beat decides (poll.c).
 */
bool states_may_run(const struct job_view *view, enum job_fate fate)
    __attribute__((nonnull, warn_unused_result));
#endif
