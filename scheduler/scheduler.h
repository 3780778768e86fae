/*
 * scheduler.h - the scheduler process without its main(). Private to scheduler/.
 *
 *   brain thread        leads or stands by (lead.c); while leading it makes passes: plan, reap,
 *                       admit, dispatch; a full pass recomputes everything from MongoDB
 *   instrument threads  one for each share: a hung share stops only itself (watch.c)
 *   events thread       librdkafka's; only raises flags (wake.c)
 */
#ifndef SCHEDULER_SCHEDULER_H
#define SCHEDULER_SCHEDULER_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/bus/bus.h"
#include "common/config/config.h"
#include "common/db/db.h"
#include "common/db/lease.h"
#include "common/mount/mount_probe.h"
#include "common/raw/retire.h"
#include "common/task/task.h"
#include "common/task/turn.h"
#include "scheduler/dispatch/slots.h"
#include "common/db/docs.h"

/* What wakes the brain: raised by events and instrument threads, taken by the brain. */
struct wake {
    pthread_mutex_t lock;
    pthread_cond_t raised;
    bool any;        /* lock */
    bool everything; /* lock: make a full pass, not only over the touched raw files */
    bool stop;       /* lock */
    bson_t touched;  /* lock: keys are raw file ids */
};
void wake_init(struct wake *w);
void wake_fini(struct wake *w);
void wake_raise(struct wake *w, const char *raw_file /* NULL: everything */);
void wake_stop(struct wake *w);
bool wake_is_stopping(struct wake *w);
/* Wait until raised or timeout; moves touched out (initialised by the callee). Returns false when
 * stopping. */
struct wake_news {
    bool everything;
    bson_t touched;
};
bool wake_take(struct wake *w, int64_t timeout_ms, struct wake_news *news);
bus_msg_fn wake_on_event; /* ctx: struct scheduler */

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
    size_t group;  /* of s->groups: who shares fairly with whom */
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

struct instruments; /* watch.c: the threads */
struct retire_seen; /* plan_retire.c */

struct scheduler {
    const struct config *cfg;
    struct db *db;
    struct bus *bus;
    struct bus_consumer *events;
    struct lease *lease;
    char id[96];
    struct wake wake;
    struct instruments *instruments;
    struct mounts *mounts; /* of the instruments */
    atomic_bool leading;
    pthread_t brain;
    bool brain_started;

    /* brain thread only */
    struct worker_seen *workers;
    size_t n_workers;
    struct open_task *open;
    size_t n_open, open_room;
    struct task_group *groups; /* of the open tasks, made by each admission */
    size_t n_groups;
    struct pool *pools;
    size_t n_pools;
    int64_t slots_read_ms; /* monotonic */
    int64_t epoch;         /* of the lease under which it was read */
    bool remembers; /* open and pools are what the database said, changed by nobody else since */
    bool whole;     /* open has every task that holds a slot */
    int64_t stamped_epoch; /* that all slots have */
    struct published *published;
    size_t n_published;
    struct docs letters;      /* dead letters under way */
    uint64_t letters_failed;    /* messages that had failed when they were sent */
    struct retire_seen *retire; /* when removals were last under way, for each instrument */
    size_t n_retire;
    int64_t renew_at_ms;    /* monotonic: when the lease is to be renewed */
    int64_t last_pass_ms;   /* monotonic, of the last pass that the database answered */
    int64_t answered_ms;    /* a clock that stands while the database does not answer */
    int64_t next_expiry_ms; /* wall: when the next not_before passes */
    bool prepared;          /* indexes, pools and default settings are there */
    bool has_topics;
    bool unaddressed;       /* a task found no worker that owns a partition */
    int64_t topics_seen_ms; /* mono: when they were last looked for */
};

struct scheduler *scheduler_new(const struct config *cfg, struct err *err) OWNED
    __attribute__((nonnull));
void scheduler_free(struct scheduler *s);
AUTO_DEFINE(struct scheduler, scheduler_free);

/* lead.c */
void *lead_main(void *scheduler);

/* seed.c: what must be there before the first task. Idempotent. */
int seed(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* The topics, as soon as there is a broker; until then each call tries again. */
void seed_topics(struct scheduler *s);

/* One pass each; -1 with *err set when the database does not answer. All on the brain thread. */
int plan_pass(struct scheduler *s, const bson_t *touched /* NULL: all unsettled */, struct err *err)
    __attribute__((warn_unused_result));
/* plan_retire.c, before plan_pass in a full pass: plan the moves and removals that are due, and
 * have plan_pass look at raw files whose move or removal has ended. */
int retire_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
int reap_workers(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* A pass has been answered: s->answered_ms goes on, by no more than a sixth of a worker's lease. */
void reap_tick(struct scheduler *s);
int reap_tasks(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* dead_letters.c: send to <env>.dead each task that has failed or is dead and was not sent yet. */
int letters_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* held.c: alerts of what originals hold for long; closed when it goes on. */
int held_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* withdraw.c: give back what was admitted and nobody has claimed where a pool was made smaller. */
int withdraw_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
int admit_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
int dispatch_pass(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* When the first unclaimed task is to be published again (monotonic); INT64_MAX: none is. */
int64_t dispatch_due_ms(const struct scheduler *s);
/* lead.c: read the open tasks of these raw files again and let all go on: reap, admit, dispatch.
 * Long planning calls it in between, so that nobody waits for a thousand others to be planned. */
int serve_tasks(struct scheduler *s, const bson_t *touched, struct err *err)
    __attribute__((warn_unused_result));
/* Read open tasks into s->open: all of them, or (touched: keys are raw file ids) those of these raw
 * files, the others being kept as they were read. */
int open_tasks_load(struct scheduler *s, const bson_t *touched /* NULL: all */, struct err *err)
    __attribute__((warn_unused_result));
void open_tasks_clear(struct scheduler *s);
/* Add those of these tasks that hold slots now. All were read by their states, without a snapshot,
 * so one that went from running to parked meanwhile may be missing. */
int open_tasks_add_holders(struct scheduler *s, const bson_t *ids /* an array */, struct err *err)
    __attribute__((warn_unused_result));
/* open_tasks.c: the scheduler's own transitions of tasks, guarded by state, fence and epoch. One
 * that is not yet made, for db_update_all; its proof is that all of set is there. */
int task_change(struct scheduler *s, const struct open_task *t, enum task_state to,
                const bson_t *set, const bson_t *unset, struct db_change *out, struct err *err)
    __attribute__((warn_unused_result));
/* The same, made. */
int task_transition(struct scheduler *s, const struct open_task *t, enum task_state to,
                    const bson_t *set, const bson_t *unset, bool *won, struct err *err)
    __attribute__((warn_unused_result));
/* What was made, in memory: its fence has grown, and so many attempts more count. */
void open_task_moved(struct open_task *t, enum task_state to, int attempts);

/* watch.c: start, reload and stop the threads of config/instruments.d. */
struct instruments *instruments_new(struct scheduler *s, struct err *err) OWNED;
void instruments_free(struct instruments *all);
void instruments_reload(struct instruments *all);
/* A copy of what is configured for an instrument, for decisions; false when unknown. */
struct instrument_facts {
    bool known, skip_processing, skip_quanting;
    enum instrument_type type;
    int64_t max_copies, file_move_delay_m, min_free_space_gb;
    double min_file_age_days;
    char path[1024];
};
struct instrument_facts instruments_facts(struct instruments *all, const char *id);
/* Whether this scheduler leads has changed: the threads look at once. */
void instruments_nudge(struct instruments *all);
/* The raw file went back to monitoring: the instrument's thread reads its documents again. */
void instruments_recall(struct instruments *all, const char *id);
#endif
