/*
 * why.h - what a raw file or a task waits for, and what would move it. Pure: documents in, text
 * out.
 */
#ifndef OPS_WHY_H
#define OPS_WHY_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config/config.h"
#include "common/db/docs.h"
#include "ops/queue.h"

enum why_reason {
    WHY_ACQUIRING,    /* the instrument may still write */
    WHY_PLANNING,     /* the scheduler has not planned the next task yet */
    WHY_NO_LEADER,    /* no scheduler leads */
    WHY_LEADER_STUCK, /* one leads, and its passes fail */
    WHY_POOL_FULL,    /* every slot of the pool is taken */
    WHY_POOL_CLOSED,  /* the pool's size is 0 */
    WHY_STOPPED,      /* trawl stop */
    WHY_CAPPED,       /* its instrument holds as many slots as it may */
    WHY_NOT_BEFORE,   /* back-off after a failure */
    WHY_HELD,         /* a location or the cluster cannot be used */
    WHY_NO_WORKER,    /* no worker of this kind lives */
    WHY_WORKERS_BUSY, /* no thread of this kind is free */
    WHY_QUEUED,       /* there is a slot: the next round of admission */
    WHY_UNCLAIMED,    /* admitted, and a worker is about to take it */
    WHY_RUNNING,
    WHY_TASKS_OPEN, /* of a raw file: each task says what it waits for */
    WHY_CANCELLING, /* somebody asked to stop it */
    WHY_PARKED,     /* a SLURM job */
    WHY_FAILED,
    WHY_CANCELLED,
    WHY_SKIPPED,
    WHY_IGNORED,
    WHY_DONE,
    WHY_ORIGINAL, /* its original is not, or perhaps not, what was backed up */
    WHY_REASON_COUNT
};
/* The word in the JSON form: "pool_full", … */
const char *why_reason_name(enum why_reason r) __attribute__((returns_nonnull));

struct why_facts {
    const struct docs *workers; /* those that live */
    const struct docs *pools;
    const struct docs *slots;            /* those that are taken */
    const struct instrument *instrument; /* of the raw file; NULL when its file cannot be read */
    const bson_t *watch;                 /* how its share is seen; NULL when it is not */
    struct queue queue;                  /* of the pools that tasks wait for */
    const bson_t *watcher; /* the lease of who watches the cluster's jobs; NULL: nobody does */
    bool led;              /* a scheduler leads */
    const bson_t *leader;  /* its lease; NULL when nobody leads, or it is not known */
    int64_t now_ms;
};

struct why {
    enum why_reason reason;
    char what[640]; /* what it waits for, or what it came to */
    char next[960]; /* what would move it; "" when there is nothing to do */
};

/* One task of the raw file. */
void why_task(const struct why_facts *f, const bson_t *task, struct why *out)
    __attribute__((nonnull));
/* The raw file itself, with all its tasks: what none of the open tasks says. */
void why_raw_file(const struct why_facts *f, const bson_t *raw, const struct docs *tasks,
                  struct why *out) __attribute__((nonnull));
/* why_acquire.c: a raw file whose acquisition may go on. */
void why_acquiring(const struct why_facts *f, const bson_t *raw, struct why *out)
    __attribute__((nonnull));

/* why_wait.c: what keeps a ready task from running. */
void why_ready(const struct why_facts *f, const bson_t *task, struct why *out)
    __attribute__((nonnull));
/* why_pool.c: what a pool is doing, and what its next task waits for; pool is its document. */
void why_pool(const struct why_facts *f, const bson_t *pool, struct why *out)
    __attribute__((nonnull));

/* For those above: what it waits for, and what would move it. */
void why_say(struct why *out, enum why_reason reason, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 3, 4)));
void why_next(struct why *out, const char *fmt, ...) __attribute__((nonnull, format(printf, 2, 3)));
/* True, and said, when no scheduler leads; or no worker that runs this kind lives. */
bool why_nobody_leads(const struct why_facts *f, struct why *out) __attribute__((nonnull));
bool why_nobody_runs(const struct why_facts *f, const char *kind, struct why *out)
    __attribute__((nonnull));
/* Threads of this kind over all living workers; *free_threads of them have nothing to do. */
int64_t why_threads(const struct why_facts *f, const char *kind, int64_t *free_threads)
    __attribute__((nonnull));
/* A pool that is stopped, closed or full: true, and said. used = its taken slots. */
bool why_pool_holds(const struct why_facts *f, const bson_t *pool, struct why *out)
    __attribute__((nonnull));

/* The living worker's entry for this task, as a view; false when no worker names it. */
bool why_run_of(const struct docs *workers, const char *task, const char **worker, bson_t *view)
    __attribute__((nonnull));
#endif
