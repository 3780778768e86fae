/*
 * scheduler.h - the scheduler process without its main(). Private to scheduler/.
 *
 *   brain thread        leads or stands by (lead.c); while it leads it makes passes: plan, then
 *                       dispatch; a full pass recomputes everything from MongoDB
 *   instrument threads  one for each share: a hung share stops only itself (watch/)
 *   chore threads       while it leads: indexes (indexes.c), migrations (migrate/), what has an end
 *                       (retention.c), what AlphaKraken reads (kraken_status.c)
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
#include "scheduler/chore.h"
#include "scheduler/dispatch/dead_letters.h"
#include "scheduler/dispatch/dispatch.h"
#include "scheduler/plan/plan_retire.h"
#include "scheduler/wake.h"
#include "scheduler/watch/instruments.h"

struct scheduler {
    const struct config *cfg;
    struct db *db;
    struct bus *bus;
    struct bus_consumer *events; /* wake's lock, while it is being set */
    struct lease *lease;
    char id[96];
    struct wake wake;
    struct instruments *instruments;
    struct mounts *mounts; /* of the instruments */
    struct chore *migration, *kraken_status, *indexes, *retaining, *old_lists;
    atomic_bool leading;
    atomic_int creating; /* raw files that instrument threads are making at this moment */
    atomic_bool refused; /* the database is newer than this program: the process ends */
    pthread_t brain;
    bool brain_started;

    /* brain thread only */
    int64_t epoch;           /* of the lease under which everything here was read */
    int64_t renew_at_ms;     /* monotonic: when the lease is renewed */
    bool owns;               /* the database is Trawl's */
    bool shadow;             /* it is a shadow's: no task is admitted */
    int64_t owner_at_ms;     /* monotonic: when to look whose it is again */
    int failed_passes;       /* in a row */
    struct err plan_trouble; /* why nothing can be quantified; ERR_NONE: it can */
    bool prepared;           /* pools and default settings are there */
    bool has_topics;
    int64_t topics_seen_ms; /* monotonic: when they were last looked for */
    struct dispatch dispatch;
    struct dead_letters letters;
    struct retirement retirement;
};

/* Connects nothing yet, starts all threads. NULL with *err set. Freed with scheduler_free, which
 * stops them. */
struct scheduler *scheduler_new(const struct config *cfg, struct err *err) OWNED
    __attribute__((nonnull));
void scheduler_free(struct scheduler *s);
AUTO_DEFINE(struct scheduler, scheduler_free);

/* lead.c: the brain thread. */
void *lead_main(void *scheduler);
/* Read the open tasks of these raw files (keys) again, or, when the cache is not valid, all; then a
 * step of dispatching. -1 also when this scheduler has stopped leading. */
int lead_serve(struct scheduler *s, const bson_t *touched, struct err *err)
    __attribute__((warn_unused_result));

/* seed.c: what must be there before the first task. Idempotent. */
int seed(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* The topics, as soon as there is a broker; until then each call tries again. */
void seed_topics(struct scheduler *s);
#endif
