/*
 * worker.h - the one shape of a kind, and what a step may ask of the runner.
 *
 * The runner polls, claims, decodes, runs the steps in order, and settles. A step never touches
 * Kafka or task states. Delivery is at-least-once and a parked task starts again from its first
 * step: every step may run twice and must find its own work done.
 */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/config.h"
#include "common/db/db.h"

struct run; /* one claimed task in the runner's hands; opaque to kinds */

/* The first member of every job, filled in by the runner before the first step. */
struct job_base {
    const struct config *cfg;
    struct db *db;
    struct run *run;
    const char *task_id;
    const char *worker;
    int64_t attempt;
    int64_t fence;
    void *shared; /* what the kind's open made; NULL without one */
};

/* What a step returns beside 0 (go on) and -1 (failed, *err says why and of which kind). */
#define STEP_PARK 1 /* wait outside: the task is parked with what kind->parked gives */

struct worker_step {
    const char *name;
    int (*run)(void *job, struct err *err);
};

/*
 * A location that the kind's tasks read or write: "backup", "output", or "instrument" for the
 * task's instrument_id at its input.source_root. The runner proves each before every step; a task
 * whose location cannot be proven is held, and no step runs.
 */
struct worker_location {
    const char *name;
    bool write;
};

struct worker_kind {
    const char *name;                        /* folder, topic, pool default and config section */
    const struct worker_location *locations; /* ends with {0}; NULL: none */
    size_t job_size; /* a zeroed block of this size begins with struct job_base */
    /* Task document -> job. Pure, bounded, fuzzed; INVALID for a document that cannot be. */
    int (*decode)(void *job, const bson_t *task, struct err *err);
    const struct worker_step *steps; /* ends with {0} */
    /* Append the result's (parked's) fields to out. Pure. parked may be NULL. */
    void (*result)(const void *job, bson_t *out);
    void (*parked)(const void *job, bson_t *out);
    void (*destroy)(void *job); /* accepts a half-filled job */
    /*
     * What parked tasks of this kind wait for, looked at by one worker at a time (under a lease)
     * every watch_ms. Calls task_ended for those whose wait is over. NULL: this kind never parks.
     * State that lives between calls (a session) is kept below *keep and freed by watch_free.
     */
    int (*watch)(void **keep, const struct job_base *base, struct err *err);
    void (*watch_free)(void *keep);
    int64_t (*watch_ms)(const struct config *cfg);
    int64_t (*threads)(const struct config *cfg);
    /* What all tasks of the kind in this process share (job_base.shared); both NULL: nothing. Made
     * before the first task, ended after the last one. NULL with *err set stops the start. */
    void *(*open)(const struct config *cfg, struct err *err);
    void (*close)(void *shared);
};

/* Long steps look at this at least once a second and return ERR_CANCELLED or ERR_FENCED by
 * run_check: 0 to go on, -1 with *err set when the task was cancelled, lost or the worker must
 * stop. */
int run_check(struct run *run, struct err *err) __attribute__((nonnull, warn_unused_result));
/* How far a long step is; shown live from the worker's heartbeat. Any thread of the step. */
void run_progress(struct run *run, int64_t done, int64_t total) __attribute__((nonnull));
/* Keep facts across attempts: fields is {"kept.x": …}. */
int run_keep(struct run *run, const bson_t *fields, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* All kinds that this build knows, NULL-terminated; workers/kinds.c lists them. */
extern const struct worker_kind *const worker_kinds[];
#endif
