/*
 * watcher.c - what parked tasks wait for is looked at by one worker at a time: the holder of the
 * lease "watch/<kind>". A thousand waiting jobs cost one look, not a thousand threads.
 */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/lease.h"
#include "workers/runner.h"

#define LEASE_TTL_MS 10000
#define TICK_MS      1000

struct watching {
    struct kind_threads *k;
    const char *id; /* of the lease */
    void *keep;     /* the kind's, between two looks */
    bool silent;    /* the lease's document says since when, and why, nothing can be seen */
};

/* Record why the cluster cannot be read, so that trawl why can show it. */
static void note_silence(struct watching *w, const struct err *why)
{
    bool silent = why->kind == ERR_HOLD, won;
    if (silent == w->silent) {
        return;
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(w->id), "holder", BCON_UTF8(w->k->runner->id));
    AUTO(bson_destroy)
    bson_t *update = silent
                         ? BCON_NEW("$set", "{", "silent", "{", "since", BCON_DATE_TIME(wall_ms()),
                                    "msg", BCON_UTF8(why->msg), "}", "}")
                         : BCON_NEW("$unset", "{", "silent", BCON_BOOL(true), "}");
    struct err err = {0};
    if (db_update(w->k->runner->db, DB_LEASES, filter, update, &won, &err) == 0 && won) {
        w->silent = silent;
    }
}

/* model: watch */
static void look_at_waits(struct watching *w)
{
    struct runner *r = w->k->runner;
    struct job_base base = {.cfg = r->cfg, .db = r->db, .worker = r->id};
    struct err err = {0};
    if (w->k->kind->watch(&w->keep, &base, &err) != 0) {
        err_context(&err, "watching %s", w->k->kind->name);
        log_err_rarely("watch", &err);
    }
    note_silence(w, &err);
}

/* From beginning to beginning; a slow look is followed by a rest of its own length. */
static int64_t next_look_ms(int64_t began, int64_t every_ms)
{
    int64_t now = mono_ms();
    return began + every_ms > 2 * now - began ? began + every_ms : 2 * now - began;
}

static void tick(struct lease *lease)
{
    struct err err = {0};
    if (lease_tick(lease, &err) != 0) {
        log_err_rarely("watch_lease", &err);
    }
}

void *watcher_main(void *arg)
{
    struct kind_threads *k = arg;
    struct runner *r = k->runner;
    char id[64];
    snprintf(id, sizeof id, "watch/%s", k->kind->name);
    struct err err = {0};
    AUTO(lease_free) struct lease *lease = lease_new(r->db, id, r->id, LEASE_TTL_MS, &err);
    /* An earlier holder may have left its word. */
    struct watching w = {.k = k, .id = id, .silent = true};
    int64_t next_ms = 0;
    runner_await_database(r);
    while (lease != NULL && !runner_stopping(r)) {
        tick(lease);
        if (lease_held(lease) && mono_ms() >= next_ms) {
            int64_t began = mono_ms();
            look_at_waits(&w);
            next_ms = next_look_ms(began, k->kind->watch_ms(r->cfg));
        }
        runner_pause(r, next_ms - mono_ms() > 0 && next_ms - mono_ms() < TICK_MS
                            ? next_ms - mono_ms()
                            : TICK_MS);
    }
    if (w.keep != NULL) {
        k->kind->watch_free(w.keep);
    }
    if (lease != NULL) {
        lease_release(lease);
    }
    return NULL;
}
