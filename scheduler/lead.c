/*
 * lead.c - leads or stands by, and makes the passes of the leader.
 *
 * A full pass, every [scheduler] sweep_ms, recomputes from MongoDB what there is to do. Events
 * bring a pass forward and narrow it to the raw files that were touched; for all others the pass
 * uses what was read last.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon.h"
#include "common/db/schema.h"
#include "common/health.h"
#include "common/raw/database_owner.h"
#include "scheduler/alerts/held.h"
#include "scheduler/plan/plan.h"
#include "scheduler/scheduler.h"

#define RETRY_MS   1000 /* after a pass that the database did not answer */
#define OWNER_MS   1000 /* how often to look whose the database is */
#define CREATES_MS 20   /* how often to look whether raw files are being made */
#define STANDBY_MS 500  /* how soon a standby notices that the leader has stopped */

static int prepare_database(struct scheduler *s, struct err *err)
{
    if (!s->prepared && seed(s, err) != 0) {
        return -1;
    }
    s->prepared = true;
    seed_topics(s);
    return 0;
}

/* Whether the database is newer than this program, or of another environment: then the process
 * ends. Only a leader changes either, so who leads need not ask. */
static bool is_refused(struct scheduler *s)
{
    struct err err = {0};
    if (!lease_held(s->lease) && !atomic_load(&s->refused) &&
        schema_refuses(s->db, s->cfg->trawl.env, &err)) {
        atomic_store(&s->refused, true);
        start_refuse(&err);
    }
    return atomic_load(&s->refused);
}

static void renew_lease(struct scheduler *s)
{
    struct err err = {0};
    if (is_refused(s)) {
        return;
    }
    if (lease_tick(s->lease, &err) != 0) {
        err_context(&err, "the scheduler's lease");
        log_err_rarely("lease", &err);
    }
    bool held = lease_held(s->lease);
    if (lease_epoch(s->lease) != s->epoch) {
        s->epoch = lease_epoch(s->lease);
        s->dispatch.cache_valid = false; /* another scheduler has led in between */
    }
    if (held != atomic_load(&s->leading)) {
        log_info(held ? "leading" : "standing_by", KV("scheduler", s->id),
                 KV("epoch", lease_epoch(s->lease)));
        atomic_store(&s->leading, held);
        instruments_nudge(s->instruments);
    }
}

/* An import takes no raw file that is made behind its back. Each insert has its deadline. */
static void await_creates(struct scheduler *s)
{
    int64_t until = mono_ms() + 2 * s->cfg->mongo.timeout_ms;
    while (atomic_load(&s->creating) > 0 && mono_ms() < until) {
        mono_sleep_ms(CREATES_MS);
    }
}

/* Give the lease back, so that an import can take it at once. */
static void step_aside(struct scheduler *s)
{
    if (atomic_exchange(&s->leading, false)) {
        log_info("standing_by", KV("scheduler", s->id), KV("epoch", lease_epoch(s->lease)));
        instruments_nudge(s->instruments);
    }
    await_creates(s);
    lease_release(s->lease);
    s->dispatch.cache_valid = false;
}

/* Nobody leads in a database that is not ours, or whose import has not ended. */
static int need_own_database(struct scheduler *s, struct err *err)
{
    struct err why = {0};
    if (mono_ms() < s->owner_at_ms) {
        return s->owns ? 0 : ERR(err, ERR_CANCELLED, 0, "the database is not Trawl's");
    }
    const char *database = s->cfg->mongo.database;
    bool shadow = s->shadow;
    int rc = database_is_ours(s->db, database, &shadow, &why);
    if (rc == 0 && s->cfg->compat.shadow && !shadow && !s->owns) {
        rc = database_begin_shadow(s->db, database, &why) != 0
                 ? -1
                 : database_is_ours(s->db, database, &shadow, &why);
    }
    s->shadow = shadow;
    s->owner_at_ms = mono_ms() + OWNER_MS;
    if (rc != 0 && why.kind != ERR_REFUSED && s->owns) {
        return 0; /* it does not answer: the lease decides */
    }
    s->owns = rc == 0;
    if (!s->owns) {
        s->renew_at_ms = s->owner_at_ms;
        log_err_rarely("database", &why);
        step_aside(s);
        *err = why;
    }
    return s->owns ? 0 : -1;
}

/* model: lead. Renews the lease in the middle of long passes, too; -1 as soon as another scheduler
 * leads, or this one stops and gives way. */
static int keep_lease(struct scheduler *s, struct err *err)
{
    if (wake_is_stopping(&s->wake)) {
        return ERR(err, ERR_CANCELLED, 0, "this scheduler stops");
    }
    if (need_own_database(s, err) != 0) {
        return -1;
    }
    if (mono_ms() >= s->renew_at_ms) {
        renew_lease(s);
        int64_t wait = s->cfg->scheduler.lease_ms / 4;
        bool standby = !lease_held(s->lease) && wait > STANDBY_MS;
        s->renew_at_ms = mono_ms() + (standby ? STANDBY_MS : wait);
    }
    return lease_held(s->lease) ? 0 : ERR(err, ERR_TRANSIENT, 0, "another scheduler leads");
}

static int load_all(struct scheduler *s, struct err *err)
{
    s->dispatch.cache_valid = true; /* until something in it turns out to be wrong */
    return open_tasks_load(s, NULL, err);
}

static int lead_step(struct scheduler *s, bool all, struct err *err)
{
    return keep_lease(s, err) != 0 ? -1 : dispatch_step(s, all, err);
}

int lead_serve(struct scheduler *s, const bson_t *touched, struct err *err)
{
    bool all = !s->dispatch.cache_valid;
    int rc = all ? load_all(s, err) : open_tasks_load(s, touched, err);
    return rc != 0 ? -1 : lead_step(s, all, err);
}

static int pass_touched(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return plan_pass(s, touched, lead_serve, err) != 0 || lead_serve(s, touched, err) != 0 ? -1 : 0;
}

static int pass_any_touched(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return bson_empty(touched) ? 0 : pass_touched(s, touched, err);
}

/* Between two parts of a full pass, serve the raw files touched since. */
static int pass_news(struct scheduler *s, struct err *err)
{
    struct wake_news news;
    wake_take(&s->wake, 0, &news);
    if (news.everything) {
        wake_raise(&s->wake, NULL);
    }
    int rc = pass_any_touched(s, &news.touched, err);
    bson_destroy(&news.touched);
    return rc;
}

/* Over everything, including changes that no event reported. */
static int pass_full(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return load_all(s, err) != 0 || reap_workers(s, err) != 0 ||
                   pass_any_touched(s, touched, err) != 0 || plan_retirement(s, err) != 0 ||
                   keep_lease(s, err) != 0 || pass_news(s, err) != 0 ||
                   plan_pass(s, NULL, lead_serve, err) != 0 || pass_news(s, err) != 0 ||
                   lead_step(s, true, err) != 0 || dead_letters_send(s, err) != 0 ||
                   held_alerts(s, err) != 0
               ? -1
               : 0;
}

static int make_pass(struct scheduler *s, const bson_t *touched, bool full, struct err *err)
{
    if (prepare_database(s, err) != 0 ||
        (full ? pass_full(s, touched, err) : pass_touched(s, touched, err)) != 0) {
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
 * ask the database (retry_at), until the next not_before or the next message to repeat. */
static int64_t nap_ms(const struct scheduler *s, int64_t sweep_at, int64_t retry_at)
{
    int64_t now = mono_ms();
    int64_t until = earlier(sweep_at, s->renew_at_ms);
    if (lease_held(s->lease) && retry_at <= now) {
        int64_t due = s->dispatch.next_expiry_ms == INT64_MAX
                          ? INT64_MAX
                          : now + s->dispatch.next_expiry_ms - wall_ms() + 1;
        until = earlier(until, earlier(due, publish_due_ms(s)));
    }
    return until > now ? until - now : 0;
}

static int64_t lead_once(struct scheduler *s, const bson_t *touched, bool full)
{
    struct err err = {0};
    if (make_pass(s, touched, full, &err) == 0) {
        bool quantifies = s->plan_trouble.kind == ERR_NONE;
        if (s->shadow) {
            lease_note_trouble(s->lease, "admit", "AlphaKraken does the work, this is its shadow");
        } else {
            lease_note_trouble(s->lease, "quant", quantifies ? NULL : s->plan_trouble.msg);
        }
        s->failed_passes = 0;
        return 0;
    }
    s->dispatch.cache_valid = false;
    s->prepared = false; /* the database may have been restored without our pools */
    if (err.kind != ERR_CANCELLED) {
        log_err_rarely("pass", &err);
    }
    if (err.kind != ERR_CANCELLED && lease_held(s->lease) && ++s->failed_passes > 1) {
        lease_note_trouble(s->lease, "all", err.msg);
    }
    return RETRY_MS;
}

/* With thousands of open raw files a full pass takes long; leave most of the time to events. */
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
    struct health health = {.file = s->cfg->trawl.health_file};
    s->dispatch.next_expiry_ms = INT64_MAX;
    for (bool go_on = true; go_on;) {
        health_mark(&health);
        struct wake_news news;
        go_on = wake_take(&s->wake, nap_ms(s, sweep_at, retry_at), &news);
        struct err standing_by = {0};
        bool leads = keep_lease(s, &standing_by) == 0;
        if (go_on && leads && mono_ms() >= retry_at) {
            bool full = news.everything || !s->dispatch.cache_valid || mono_ms() >= sweep_at;
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
