/*
 * why.h - what a raw file or a task waits for, and what would help. Pure: documents in, text out.
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
    WHY_NO_WORKER,    /* no living worker runs this kind */
    WHY_WORKERS_BUSY, /* no thread of this kind is free */
    WHY_QUEUED,       /* a slot is free: the next round of admission takes it */
    WHY_UNCLAIMED,    /* admitted, and a worker is about to take it */
    WHY_RUNNING,
    WHY_TASKS_OPEN, /* of a raw file: each task has its own reason */
    WHY_FOREIGN,    /* a raw file of another program that was not imported */
    WHY_CANCELLING, /* somebody asked to stop it */
    WHY_PARKED,     /* a SLURM job */
    WHY_FAILED,
    WHY_CANCELLED,
    WHY_SKIPPED,
    WHY_IGNORED,
    WHY_DONE,
    WHY_ORIGINAL, /* its original is not, or may not be, what was backed up */
    WHY_REASON_COUNT
};
/* The word in the JSON form: "pool_full", … */
const char *why_reason_name(enum why_reason r) __attribute__((returns_nonnull));

struct why_facts {
    const struct docs *workers; /* the living ones */
    const struct docs *pools;
    const struct docs *slots;            /* the taken ones */
    const struct instrument *instrument; /* of the raw file; NULL when its file cannot be read */
    const bson_t *watch; /* what the scheduler reports of its share; NULL: nothing */
    struct queue queue;  /* of the pools that tasks wait for */
    const bson_t
        *watcher; /* the lease of the worker that watches the cluster's jobs; NULL: none does */
    bool led;     /* a scheduler leads */
    const bson_t *leader; /* its lease; NULL when no scheduler leads, or it is not known */
    int64_t now_ms;
};

struct why {
    enum why_reason reason;
    char what[640]; /* what it waits for, or how it ended */
    char next[960]; /* what would help; "": nothing is needed */
};

/* One task of the raw file. */
void why_task(const struct why_facts *f, const bson_t *task, struct why *out)
    __attribute__((nonnull));
/* The raw file itself, given all its tasks: what the open tasks do not explain. */
void why_raw_file(const struct why_facts *f, const bson_t *raw, const struct docs *tasks,
                  struct why *out) __attribute__((nonnull));
/* why_acquire.c: a raw file that may still be written. */
void why_acquiring(const struct why_facts *f, const bson_t *raw, struct why *out)
    __attribute__((nonnull));

/* why_wait.c: what keeps a ready task from running. */
void why_ready(const struct why_facts *f, const bson_t *task, struct why *out)
    __attribute__((nonnull));
/* why_pool.c: what a pool is doing and what its next task waits for; pool: its document. */
void why_pool(const struct why_facts *f, const bson_t *pool, struct why *out)
    __attribute__((nonnull));

/* Used by those above to set what it waits for, and what would help. */
void why_set(struct why *out, enum why_reason reason, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 3, 4)));
void why_set_next(struct why *out, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 2, 3)));
/* True, with *out set, when no scheduler leads, or no living worker runs this kind. */
bool why_no_leader(const struct why_facts *f, struct why *out) __attribute__((nonnull));
bool why_no_worker(const struct why_facts *f, const char *kind, struct why *out)
    __attribute__((nonnull));
/* Threads of this kind over all living workers; *free_threads of them are idle. */
int64_t why_threads(const struct why_facts *f, const char *kind, int64_t *free_threads)
    __attribute__((nonnull));
/* True, with *out set, when the pool is stopped, closed or full. */
bool why_pool_holds(const struct why_facts *f, const bson_t *pool, struct why *out)
    __attribute__((nonnull));

/* The living worker's entry for this task, as a view; false when no worker has one. */
bool why_run_of(const struct docs *workers, const char *task, const char **worker, bson_t *view)
    __attribute__((nonnull));
#endif
