/*
 * runner.h - the worker process without its main(): consumer, threads of each kind, heartbeat,
 * watchers. Everything here is private to workers/.
 *
 *   consumer threads  one for each kind; takes messages and queues them for its threads
 *   kind threads      claim, decode, steps, settle (run.c)
 *   heartbeat thread  extends all leases with one write; learns of cancels and lost fences
 *   watcher threads   one for each kind that parks, under a lease
 *   mounts thread     writes down how this host sees the locations (locations.c)
 */
#ifndef WORKERS_RUNNER_H
#define WORKERS_RUNNER_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/bus/bus.h"
#include "common/config/config.h"
#include "common/db/db.h"
#include "common/mount/mount_probe.h"
#include "common/task/task.h"
#include "workers/worker.h"

#define RUNNER_MAX_KINDS   8
#define RUNNER_MAX_THREADS 64
#define RUN_PINS_MAX       4

struct kind_threads;

/* A message on its way from the consumer to a thread. */
struct handover {
    struct kind_threads *kind;
    struct task_pointer ptr;
    struct bus_msg *msg;
    struct handover *next;
};

struct kind_threads {
    struct runner *runner;
    const struct worker_kind *kind;
    void *shared; /* made by kind->open */
    struct bus_consumer *consumer;
    size_t threads;
    size_t free;           /* lock: threads that wait for work */
    struct handover *head; /* lock */
    pthread_cond_t work;   /* head is there, or the runner is stopping */
    pthread_t ids[RUNNER_MAX_THREADS];
    size_t started;
    pthread_t watcher;
    bool watching;
};

struct run {
    struct runner *runner;
    const struct worker_kind *kind;
    void *shared; /* of all tasks of the kind */
    struct task_claim claim;
    const bson_t *task; /* as claimed */
    _Atomic(const char *) step;
    _Atomic int64_t done, total;
    int64_t started_ms; /* wall clock, for people */
    int64_t began_ms;   /* mono_ms */
    atomic_bool cancelled, fenced, lapsed;
    int pins[RUN_PINS_MAX]; /* of the n_pins locations that it writes to (locations.c) */
    size_t n_pins;
    struct run *next; /* lock */
};

struct runner {
    const struct config *cfg;
    struct db *db;
    struct bus *bus;
    struct mounts *mounts;
    char id[96]; /* <host>-<pid>-<random> */
    char host[64];
    struct kind_threads kinds[RUNNER_MAX_KINDS];
    size_t n_kinds;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct run *runs;           /* lock */
    bool stopping;              /* lock */
    atomic_bool owns;           /* the database is Trawl's */
    atomic_bool refused;        /* the database is newer than this program: the process ends */
    atomic_bool yield;          /* long steps hand back at their next check */
    _Atomic int64_t beat_ok_ms; /* monotonic: when the last beat that was written began; 0: none */
    pthread_t beat_thread;
    bool beating;
    pthread_t mounts_thread;
    bool looking;
    struct {
        _Atomic uint64_t bad;   /* that no scheduler can have sent */
        _Atomic uint64_t stale; /* claimed by another already, or of an earlier attempt */
    } messages;
};

/* The kinds of this build in one text: those that take originals from their instruments, or all the
 * others. */
void runner_list_kinds(bool retiring, const char *separator, char *buf, size_t room)
    __attribute__((nonnull));
/* Start everything for the kinds named in list ("copy,quant"). Freed with runner_free, which waits
 * for running steps: short ones finish, long ones hand their task back. */
struct runner *runner_new(const struct config *cfg, const char *list, struct err *err) OWNED
    __attribute__((nonnull));
void runner_free(struct runner *r);
AUTO_DEFINE(struct runner, runner_free);

/* run.c: claim and carry out what the hand-over points to; gives the message back once claimed. */
void run_handover(struct handover *h) __attribute__((nonnull));

/* locations.c: prove what the run's kind needs, ERR_HOLD when it cannot be; and the thread that
 * notes every [mount] check_s how this host sees its locations. */
int locations_prove(struct run *run, struct err *err) __attribute__((nonnull, warn_unused_result));
void locations_release(struct run *run) __attribute__((nonnull)); /* after the last step */
void *locations_main(void *runner);

/* heartbeat.c */
void *heartbeat_main(void *runner);
/* Whether the last written beat is younger than three quarters of the lease. Without it nothing is
 * claimed and no step goes on: the scheduler may be giving the tasks to others. Any thread. */
bool runner_has_lease(struct runner *r) __attribute__((nonnull));

/* messages.c: note a message that is no pointer to a task of ours; one whose claim was lost; append
 * both counts. Any thread. */
void messages_bad(struct runner *r, const struct bus_msg *msg, const char *why)
    __attribute__((nonnull));
void messages_unclaimed(struct runner *r, const struct handover *h) __attribute__((nonnull));
void messages_append(struct runner *r, bson_t *out) __attribute__((nonnull));

/* watcher.c */
void *watcher_main(void *kind_threads);

bool runner_stopping(struct runner *r) __attribute__((nonnull));
/* Whether the database is Trawl's; logs why not. A thread that writes to it begins so: nothing is
 * written into AlphaKraken's, or into one whose import has not ended. */
bool runner_has_database(struct runner *r) __attribute__((nonnull));
/* Wait until it is, or the runner stops. */
void runner_await_database(struct runner *r) __attribute__((nonnull));
/* Wait ms or until the runner stops. */
void runner_pause(struct runner *r, int64_t ms) __attribute__((nonnull));
#endif
