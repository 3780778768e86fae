/* scheduler.c - what the process has: its connections and threads, from start to stop. */
#include "scheduler/scheduler.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/schema.h"
#include "scheduler/indexes.h"
#include "scheduler/kraken_status.h"
#include "scheduler/migrate/migrate.h"
#include "scheduler/old_lists.h"
#include "scheduler/retention.h"

static int hear_events(struct scheduler *s, struct err *err)
{
    pthread_mutex_lock(&s->wake.lock); /* the first event waits until s->events is set */
    s->events = bus_consume_events(s->bus, wake_on_event, s, err);
    pthread_mutex_unlock(&s->wake.lock);
    return s->events != NULL ? 0 : -1;
}

struct scheduler *scheduler_new(const struct config *cfg, struct err *err)
{
    AUTO(scheduler_free) struct scheduler *s = calloc(1, sizeof *s);
    if (s == NULL) {
        ERR(err, ERR_FATAL, 0, "out of memory");
        return NULL;
    }
    s->cfg = cfg;
    wake_init(&s->wake);
    char host[64] = "unknown";
    gethostname(host, sizeof host - 1);
    snprintf(s->id, sizeof s->id, "%.60s-%d-%06llx", host, (int)getpid(),
             (unsigned long long)mono_random(1 << 24));
    if ((s->db = db_new(cfg, "trawl-scheduler", err)) == NULL ||
        schema_refuses(s->db, cfg->trawl.env, err) || (s->bus = bus_new(cfg, s->id, err)) == NULL ||
        (s->lease = lease_new(s->db, "scheduler", s->id, cfg->scheduler.lease_ms, err)) == NULL ||
        (s->mounts = mounts_new(cfg, s->db, err)) == NULL ||
        (s->instruments = instruments_new(s, err)) == NULL ||
        (s->indexes = chore_new(s, indexes_round, err)) == NULL ||
        (s->migration = chore_new(s, migrate_round, err)) == NULL ||
        (s->kraken_status = chore_new(s, kraken_status_round, err)) == NULL ||
        (s->retaining = chore_new(s, retention_round, err)) == NULL ||
        (s->old_lists = chore_new(s, old_lists_round, err)) == NULL || hear_events(s, err) != 0) {
        return NULL;
    }
    if (pthread_create(&s->brain, NULL, lead_main, s) != 0) {
        ERR(err, ERR_FATAL, 0, "cannot start a thread");
        return NULL;
    }
    s->brain_started = true;
    log_info("scheduler_started", KV("scheduler", s->id));
    return TAKE(s);
}

void scheduler_free(struct scheduler *s)
{
    if (s == NULL) {
        return;
    }
    wake_stop(&s->wake);
    if (s->brain_started) {
        pthread_join(s->brain, NULL);
    }
    if (s->mounts != NULL) {
        mounts_stop(s->mounts);
    }
    instruments_free(s->instruments);
    chore_free(s->indexes);
    chore_free(s->migration);
    chore_free(s->kraken_status);
    chore_free(s->retaining);
    chore_free(s->old_lists);
    mounts_free(s->mounts);
    bus_consumer_free(s->events);
    dispatch_fini(&s->dispatch);
    docs_clear(&s->letters.sent);
    free(s->retirement.seen);
    lease_free(s->lease);
    bus_free(s->bus);
    db_free(s->db);
    wake_fini(&s->wake);
    free(s);
}
