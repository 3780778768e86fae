/*
 * lead.c - lead or stand by, and the passes of the leader.
 *
 * A full pass, every [scheduler] sweep_ms, recomputes from MongoDB what is to be done. Events make
 * a pass come sooner and narrow it to the raw files that were touched; of all others it goes by
 * what was read last.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "scheduler/scheduler.h"

#define RETRY_MS   1000 /* after a pass that the database did not answer */
#define STANDBY_MS 500  /* how soon a standby notices that the leader has stopped */

static int prepare(struct scheduler *s, struct err *err)
{
    if (!s->prepared && seed(s, err) != 0) {
        return -1;
    }
    s->prepared = true;
    seed_topics(s);
    return 0;
}

static void renew(struct scheduler *s)
{
    struct err err = {0};
    if (lease_tick(s->lease, &err) != 0) {
        err_context(&err, "the scheduler's lease");
        log_err_rarely("lease", &err);
    }
    bool held = lease_held(s->lease);
    if (lease_epoch(s->lease) != s->epoch) {
        s->epoch = lease_epoch(s->lease);
        s->remembers = false; /* another has led in between */
    }
    if (held != atomic_load(&s->leading)) {
        log_info(held ? "leading" : "standing_by", KV("scheduler", s->id),
                 KV("epoch", lease_epoch(s->lease)));
        atomic_store(&s->leading, held);
        instruments_nudge(s->instruments);
    }
}

/* model: lead. Renews the lease in the middle of long passes, too; -1 as soon as another scheduler
 * leads, or is to lead because this one stops. */
static int keep_lease(struct scheduler *s, struct err *err)
{
    if (wake_is_stopping(&s->wake)) {
        return ERR(err, ERR_CANCELLED, 0, "this scheduler stops");
    }
    if (mono_ms() >= s->renew_at_ms) {
        renew(s);
        int64_t wait = s->cfg->scheduler.lease_ms / 4;
        bool standby = !lease_held(s->lease) && wait > STANDBY_MS;
        s->renew_at_ms = mono_ms() + (standby ? STANDBY_MS : wait);
    }
    return lease_held(s->lease) ? 0 : ERR(err, ERR_TRANSIENT, 0, "another scheduler leads");
}

#define POOLS_MS 250 /* how long a pool's size may be an old one while passes follow each other */

/* What slots are there, and which of them are held, by the open tasks. */
static int load_slots(struct scheduler *s, bool anew, struct err *err)
{
    bool first = s->stamped_epoch != lease_epoch(s->lease);
    if (anew || first || mono_ms() - s->slots_read_ms >= POOLS_MS) {
        if (slots_load(s, err) != 0 || (first && slots_stamp(s, err) != 0)) {
            return -1;
        }
        s->slots_read_ms = mono_ms();
    }
    if (slots_mark(s, err) != 0) {
        return -1;
    }
    return anew ? slots_reap(s, err) : 0;
}

/* anew: what slots are there is asked, too. */
static int serve(struct scheduler *s, bool anew, struct err *err)
{
    return keep_lease(s, err) != 0 || reap_tasks(s, err) != 0 || load_slots(s, anew, err) != 0 ||
                   withdraw_pass(s, err) != 0 || admit_pass(s, err) != 0 ||
                   dispatch_pass(s, err) != 0
               ? -1
               : 0;
}

static int load_all(struct scheduler *s, struct err *err)
{
    s->remembers = true; /* until something that it says turns out to be wrong */
    return open_tasks_load(s, NULL, err);
}

int serve_tasks(struct scheduler *s, const bson_t *touched, struct err *err)
{
    bool anew = !s->remembers;
    return (anew ? load_all(s, err) : open_tasks_load(s, touched, err)) != 0 ? -1
                                                                             : serve(s, anew, err);
}

static int touched_pass(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return plan_pass(s, touched, err) != 0 || serve_tasks(s, touched, err) != 0 ? -1 : 0;
}

static int some_pass(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return bson_empty(touched) ? 0 : touched_pass(s, touched, err);
}

/* What was touched since goes on between two parts of a full pass. */
static int attend(struct scheduler *s, struct err *err)
{
    struct wake_news news;
    wake_take(&s->wake, 0, &news);
    if (news.everything) {
        wake_raise(&s->wake, NULL);
    }
    int rc = some_pass(s, &news.touched, err);
    bson_destroy(&news.touched);
    return rc;
}

/* Over everything: also what no event tells of. */
static int full_pass(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return load_all(s, err) != 0 || reap_workers(s, err) != 0 || some_pass(s, touched, err) != 0 ||
                   retire_pass(s, err) != 0 || keep_lease(s, err) != 0 || attend(s, err) != 0 ||
                   plan_pass(s, NULL, err) != 0 || attend(s, err) != 0 ||
                   serve(s, true, err) != 0 || letters_pass(s, err) != 0 || held_pass(s, err) != 0
               ? -1
               : 0;
}

static int pass(struct scheduler *s, const bson_t *touched, bool full, struct err *err)
{
    if (prepare(s, err) != 0 ||
        (full ? full_pass(s, touched, err) : touched_pass(s, touched, err)) != 0) {
        return -1;
    }
    reap_tick(s);
    return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long the brain may sleep: until the sweep or the lease's renewal, and, when it leads and may
 * ask the database (retry_at), the next not_before or a message that is to be sent again. */
static int64_t nap_ms(const struct scheduler *s, int64_t sweep_at, int64_t retry_at)
{
    int64_t now = mono_ms();
    int64_t until = earlier(sweep_at, s->renew_at_ms);
    if (lease_held(s->lease) && retry_at <= now) {
        int64_t due =
            s->next_expiry_ms == INT64_MAX ? INT64_MAX : now + s->next_expiry_ms - wall_ms() + 1;
        until = earlier(until, earlier(due, dispatch_due_ms(s)));
    }
    return until > now ? until - now : 0;
}

static int64_t lead_once(struct scheduler *s, const bson_t *touched, bool full)
{
    struct err err = {0};
    if (pass(s, touched, full, &err) == 0) {
        return 0;
    }
    s->remembers = false;
    s->prepared = false; /* the database may have been restored without our indexes */
    if (err.kind != ERR_CANCELLED) {
        log_err_rarely("pass", &err);
    }
    return RETRY_MS;
}

/* With thousands of open raw files a full pass takes long; most of the time stays for events. */
static int64_t next_sweep(const struct scheduler *s, int64_t began_ms)
{
    enum { REST = 4 }; /* times the pass's own duration */
    int64_t rest = REST * (mono_ms() - began_ms);
    return mono_ms() + (rest > s->cfg->scheduler.sweep_ms ? rest : s->cfg->scheduler.sweep_ms);
}

void *lead_main(void *arg)
{
    struct scheduler *s = arg;
    int64_t sweep_at = 0, retry_at = 0;
    s->next_expiry_ms = INT64_MAX;
    for (bool go_on = true; go_on;) {
        struct wake_news news;
        go_on = wake_take(&s->wake, nap_ms(s, sweep_at, retry_at), &news);
        struct err standing_by = {0};
        bool leads = keep_lease(s, &standing_by) == 0;
        if (go_on && leads && mono_ms() >= retry_at) {
            bool full = news.everything || !s->remembers || mono_ms() >= sweep_at;
            instruments_reload(s->instruments);
            int64_t began = mono_ms();
            int64_t wait = lead_once(s, &news.touched, full);
            sweep_at = full ? next_sweep(s, began) : sweep_at;
            retry_at = mono_ms() + wait;
            sweep_at = wait > 0 ? retry_at : sweep_at;
        } else if (mono_ms() >= sweep_at) {
            sweep_at = mono_ms() + s->cfg->scheduler.sweep_ms;
        }
        bson_destroy(&news.touched);
    }
    atomic_store(&s->leading, false);
    lease_release(s->lease);
    return NULL;
}

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
        (s->bus = bus_new(cfg, s->id, err)) == NULL ||
        (s->lease = lease_new(s->db, "scheduler", s->id, cfg->scheduler.lease_ms, err)) == NULL ||
        (s->mounts = mounts_new(cfg, s->db, err)) == NULL ||
        (s->instruments = instruments_new(s, err)) == NULL || hear_events(s, err) != 0) {
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

static void forget_everything(struct scheduler *s)
{
    open_tasks_clear(s);
    slots_clear(s);
    docs_clear(&s->letters);
    for (size_t i = 0; i < s->n_published; i++) {
        free(s->published[i].task);
    }
    free(s->published);
    free(s->groups);
    free(s->retire);
    free(s->workers);
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
    mounts_free(s->mounts);
    bus_consumer_free(s->events);
    forget_everything(s);
    lease_free(s->lease);
    bus_free(s->bus);
    db_free(s->db);
    wake_fini(&s->wake);
    free(s);
}
