/*
 * dispatch.h - from ready tasks to workers: what the leader remembers of open tasks, pools, slots
 * and workers, and the step that moves them on. Private to scheduler/; brain thread only.
 *
 * What is remembered is a cache of the database: cache_valid says that nobody else has written it
 * since. Every write is guarded, so that a cache that is wrong costs a pass and nothing else.
 */
#ifndef SCHEDULER_DISPATCH_DISPATCH_H
#define SCHEDULER_DISPATCH_DISPATCH_H
#include <stdbool.h>
#include <stdint.h>

#include "common/db/db.h"
#include "common/task/task.h"
#include "common/task/turn.h"
#include "scheduler/dispatch/slots.h"

struct scheduler;

/* A worker as its heartbeats show it. */
struct worker_seen {
    char id[96];
    int64_t beat;
    int64_t seen_ms; /* of answered_ms: when the beat last changed */
    bool present;    /* its document was there in this pass */
    struct {
        char kind[32];
        int64_t threads;
        int64_t free; /* in this pass: not taken by a task that was sent to it or that it runs */
        int32_t partitions[64];
        size_t n_partitions;
    } kinds[8];
    size_t n_kinds;
};

/* A task that is not terminal, as it was last read. */
struct open_task {
    char *id, *kind, *pool, *raw_file, *instrument, *project, *slot, *worker;
    enum task_state state;
    int64_t fence, attempt, priority, ready_ms, not_before_ms;
    int64_t wait_ms; /* of the back-off that ends at not_before_ms; -1: none */
    bool undated;    /* nobody has said yet when that back-off ends */
    int64_t lost;    /* how many workers died while they ran it */
    int64_t busy_ms; /* since when its original holds it; 0: it does not */
    bool cancel, ended;
    bool fresh;    /* read in this pass */
    bool repeated; /* the list holds a later reading of it */
    size_t group;  /* of groups: who shares fairly with whom */
};

/* The open tasks of one pool and one instrument (copies) or project (cluster). */
struct task_group {
    const char *pool, *key; /* borrowed from a task of the group */
    struct turn_group turn;
    size_t next, waiting; /* of the queue: the first of the group, and how many */
};

/* When an admitted task was last published by us, or found no worker with a free thread; remembered
 * between passes. */
struct published {
    char *task;
    int64_t fence;
    int64_t at_ms;
    bool sent;
    char worker[96]; /* to whom it was sent */
    bool current;    /* still admitted in this pass */
};

struct dispatch { /* zeroed: nothing has been read */
    struct worker_seen *workers;
    size_t n_workers;
    struct open_task *open;
    size_t n_open, open_room;
    struct task_group *groups; /* of the open tasks, made by each admission */
    size_t n_groups;
    struct pool *pools;
    size_t n_pools;
    struct published *published;
    size_t n_published;
    bool cache_valid;       /* open and pools are what the database says */
    bool open_complete;     /* open has every task that holds a slot */
    int64_t slots_read_ms;  /* monotonic */
    int64_t stamped_epoch;  /* that all slots have */
    int64_t last_pass_ms;   /* monotonic, of the last pass that the database answered */
    int64_t answered_ms;    /* a clock that stops while the database does not answer */
    int64_t next_expiry_ms; /* wall: when the next not_before passes; INT64_MAX: none does */
    bool unaddressed;       /* a task found no worker that owns a partition */
};
void dispatch_fini(struct dispatch *d);

/* dispatch.c: one step: tasks of lost workers, slots, withdrawals, admissions, messages. all: ask
 * the database for what slots there are, too. */
int dispatch_step(struct scheduler *s, bool all, struct err *err)
    __attribute__((warn_unused_result));
/* When the first unclaimed task is published again (monotonic); INT64_MAX: none is. */
int64_t publish_due_ms(const struct scheduler *s);

/* reap.c: read the workers' heartbeats. */
int reap_workers(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* A pass has been answered: answered_ms goes on, by no more than a sixth of a worker's lease. */
void reap_tick(struct scheduler *s);
/* Tasks of lost workers, and cancelled ones that nobody runs. */
int reap_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* withdraw.c: give back what was admitted and nobody has claimed where a pool was made smaller. */
int withdraw_surplus(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* admit.c: free slots to those whose turn it is. */
int admit_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* publish.c: a message for each admitted task that no worker has claimed. */
int publish_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));

/* open_tasks.c: read open tasks: all of them, or (touched: keys are raw file ids) those of these
 * raw files, the others being kept as they were read. */
int open_tasks_load(struct scheduler *s, const bson_t *touched /* NULL: all */, struct err *err)
    __attribute__((warn_unused_result));
void open_tasks_clear(struct dispatch *d);
/* Add those of these tasks that hold slots now. All were read by their states, without a snapshot,
 * so one that went from running to parked meanwhile may be missing. */
int open_tasks_add_holders(struct scheduler *s, const bson_t *ids /* an array */, struct err *err)
    __attribute__((warn_unused_result));
/* The scheduler's own transitions of tasks, guarded by state, fence and epoch. One that is not yet
 * made, for db_update_all; its proof is that all of set is there. */
int task_change(struct scheduler *s, const struct open_task *t, enum task_state to,
                const bson_t *set, const bson_t *unset, struct db_change *out, struct err *err)
    __attribute__((warn_unused_result));
/* The same, made. */
int task_transition(struct scheduler *s, const struct open_task *t, enum task_state to,
                    const bson_t *set, const bson_t *unset, bool *won, struct err *err)
    __attribute__((warn_unused_result));
/* What was made, in memory: its fence has grown, and so many attempts more count. */
void open_task_moved(struct open_task *t, enum task_state to, int attempts);
#endif
