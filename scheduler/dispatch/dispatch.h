/*
 * dispatch.h - from ready tasks to workers: what the leader remembers of open tasks, pools, slots
 * and workers, and the step that moves them on. Private to scheduler/; brain thread only.
 *
 * This memory is a cache of the database; cache_valid is cleared as soon as a write shows that it
 * is wrong. Every write is guarded, so a wrong cache costs a pass and nothing else.
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
    int64_t beat_changed_ms; /* answered_ms when the beat last changed */
    bool present;            /* its document was there in this pass */
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
    bool undated;    /* no leader has set yet when that back-off ends */
    int64_t lost;    /* how many workers died while they ran it */
    int64_t busy_ms; /* since when its original has held it; 0: it does not */
    bool cancel, ended;
    bool fresh;    /* read in this pass */
    bool repeated; /* the list holds a later reading of it */
    size_t group;  /* index into groups */
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
    char worker[96]; /* the worker it was sent to */
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
    bool cache_valid;       /* open and pools match the database, as far as we know */
    bool open_complete;     /* open has every task that holds a slot */
    int64_t slots_read_ms;  /* monotonic */
    int64_t stamped_epoch;  /* the epoch in all slots */
    int64_t last_pass_ms;   /* monotonic, of the last pass that the database answered */
    int64_t answered_ms;    /* a clock that stops while the database does not answer */
    int64_t next_expiry_ms; /* wall: when the next not_before passes; INT64_MAX: there is none */
    bool unaddressed;       /* a task found no worker that owns a partition */
};
void dispatch_fini(struct dispatch *d);

/* dispatch.c: one step: tasks of lost workers, slots, withdrawals, admissions, messages. all: also
 * read the slots from the database. */
int dispatch_step(struct scheduler *s, bool all, struct err *err)
    __attribute__((warn_unused_result));
/* When the next unclaimed task is due to be published again (monotonic); INT64_MAX: there is none.
 */
int64_t publish_due_ms(const struct scheduler *s);

/* reap.c: read the workers' heartbeats. */
int reap_workers(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* The database has answered a pass: advance answered_ms, by at most a sixth of a worker's lease. */
void reap_tick(struct scheduler *s);
/* Return the tasks of lost workers; end cancelled tasks that no worker runs. */
int reap_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* withdraw.c: where a pool was made smaller, return admitted tasks that no worker has claimed. */
int withdraw_surplus(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* admit.c: give free slots to the tasks whose turn it is. */
int admit_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* publish.c: send a message for each admitted task that no worker has claimed. */
int publish_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));

/* open_tasks.c: read open tasks: all of them, or those of the touched raw files (keys are their
 * ids), keeping the others as they were read. */
int open_tasks_load(struct scheduler *s, const bson_t *touched /* NULL: all */, struct err *err)
    __attribute__((warn_unused_result));
void open_tasks_clear(struct dispatch *d);
/* Add those of these tasks that hold slots now: tasks are read by state, without a snapshot, so one
 * that went from running to parked meanwhile may be missing from the list. */
int open_tasks_add_holders(struct scheduler *s, const bson_t *ids /* an array */, struct err *err)
    __attribute__((warn_unused_result));
/* A transition of a task by the scheduler, guarded by state, fence and epoch; not written yet, for
 * db_update_all. Its proof is that the document has all of set. */
int task_change(struct scheduler *s, const struct open_task *t, enum task_state to,
                const bson_t *set, const bson_t *unset, struct db_change *out, struct err *err)
    __attribute__((warn_unused_result));
/* The same, written at once. */
int task_transition(struct scheduler *s, const struct open_task *t, enum task_state to,
                    const bson_t *set, const bson_t *unset, bool *won, struct err *err)
    __attribute__((warn_unused_result));
/* Apply a written transition in memory: the fence grows by one, the attempts by these. */
void open_task_moved(struct open_task *t, enum task_state to, int attempts);
#endif
