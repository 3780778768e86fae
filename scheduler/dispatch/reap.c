/*
 * reap.c - returns the tasks of lost workers, and ends cancelled tasks that no worker runs.
 *
 * A worker is lost when its beat has not changed for [worker] lease_ms. The time is measured on a
 * clock of our own that stops while the database does not answer, because no worker can beat then.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "scheduler/scheduler.h"

#define GHOST_MS     5000  /* a worker that is named by a task and has no document */
#define LOST_WAIT_MS 15000 /* at most: perhaps something else killed its workers */

static struct worker_seen *find_worker(struct scheduler *s, const char *id)
{
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        if (strcmp(s->dispatch.workers[i].id, id) == 0) {
            return &s->dispatch.workers[i];
        }
    }
    return NULL;
}

static struct worker_seen *add_worker(struct scheduler *s, const char *id, struct err *err)
{
    struct worker_seen *more =
        realloc(s->dispatch.workers, (s->dispatch.n_workers + 1) * sizeof *more);
    if (more == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->dispatch.workers = more;
    struct worker_seen *w = &s->dispatch.workers[s->dispatch.n_workers++];
    *w = (struct worker_seen){.beat = -1, .beat_changed_ms = s->dispatch.answered_ms};
    snprintf(w->id, sizeof w->id, "%s", id);
    return w;
}

static void read_partitions(const bson_t *kind, struct worker_seen *w, size_t k)
{
    bson_t list;
    bson_iter_t at;
    w->kinds[k].n_partitions = 0;
    if (!doc_sub(kind, "partitions", &list) || !bson_iter_init(&at, &list)) {
        return;
    }
    size_t max = sizeof w->kinds[k].partitions / sizeof *w->kinds[k].partitions;
    while (bson_iter_next(&at) && w->kinds[k].n_partitions < max) {
        w->kinds[k].partitions[w->kinds[k].n_partitions++] = (int32_t)bson_iter_as_int64(&at);
    }
}

static void read_kinds(const bson_t *doc, struct worker_seen *w)
{
    bson_t kinds;
    bson_iter_t at;
    w->n_kinds = 0;
    if (!doc_sub(doc, "kinds", &kinds) || !bson_iter_init(&at, &kinds)) {
        return;
    }
    while (bson_iter_next(&at) && w->n_kinds < sizeof w->kinds / sizeof *w->kinds) {
        bson_t sub;
        if (!doc_sub(&kinds, bson_iter_key(&at), &sub)) {
            continue;
        }
        size_t k = w->n_kinds++;
        snprintf(w->kinds[k].kind, sizeof w->kinds[k].kind, "%s", bson_iter_key(&at));
        w->kinds[k].threads = doc_bool(doc, "stopping", false) ? 0 : doc_i64(&sub, "threads", 0);
        read_partitions(&sub, w, k);
    }
}

static int read_worker(void *ctx, const bson_t *doc, struct err *err)
{
    struct scheduler *s = ctx;
    struct worker_seen *w = find_worker(s, doc_str(doc, "_id", ""));
    if (w == NULL && (w = add_worker(s, doc_str(doc, "_id", ""), err)) == NULL) {
        return -1;
    }
    w->present = true;
    int64_t beat = doc_i64(doc, "beat", 0);
    if (beat != w->beat) {
        w->beat = beat;
        w->beat_changed_ms = s->dispatch.answered_ms;
        read_kinds(doc, w);
    }
    return 0;
}

static int add_ghosts(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        const struct open_task *t = &s->dispatch.open[i];
        if (t->state == TASK_RUNNING && find_worker(s, t->worker) == NULL &&
            add_worker(s, t->worker, err) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* model: reap worker. The first loss costs a task nothing; if its workers die again and again, it
 * waits longer each time, and in the end it is dead. */
static int return_task(struct scheduler *s, struct open_task *t, struct err *err)
{
    int64_t lost = t->lost + 1, now = wall_ms();
    enum task_state to = lost >= s->cfg->retry.max_lost ? TASK_DEAD : TASK_READY;
    int64_t wait = lost > 1 ? task_back_off_ms(s->cfg, lost) : 0;
    wait = wait < LOST_WAIT_MS ? wait : LOST_WAIT_MS;
    char msg[96] = "its worker died or was cut off";
    if (to == TASK_DEAD) {
        snprintf(msg, sizeof msg, "%lld workers died or were cut off while they ran it",
                 (long long)lost);
    }
    AUTO(bson_destroy)
    bson_t *set = BCON_NEW("fence", BCON_INT64(t->fence + 1), "attempt", BCON_INT64(t->attempt - 1),
                           "lost", BCON_INT64(lost), "slot", BCON_NULL, "worker", BCON_NULL,
                           "error", "{", "kind", BCON_UTF8("lost"), "msg", BCON_UTF8(msg), "at",
                           BCON_DATE_TIME(now), "attempt", BCON_INT64(t->attempt), "}");
    if (to == TASK_DEAD) {
        BCON_APPEND(set, "ended_at", BCON_DATE_TIME(now), "untold", BCON_BOOL(true));
    } else {
        BCON_APPEND(set, "wait_ms", BCON_INT64(wait), "not_before", BCON_DATE_TIME(now + wait));
    }
    bool won;
    if (task_transition(s, t, to, set, NULL, &won, err) != 0) {
        return -1;
    }
    if (won) {
        log_warn("task_lost", KV("task_id", t->id), KV("worker", t->worker), KV("times", lost),
                 KV("state", task_state_name(to)));
        open_task_moved(t, to, -1);
        t->lost = lost;
        t->wait_ms = wait;
        t->not_before_ms = now + wait;
    }
    return 0;
}

static int bury_worker(struct scheduler *s, struct worker_seen *w, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        if (t->state == TASK_RUNNING && strcmp(t->worker, w->id) == 0 &&
            return_task(s, t, err) != 0) {
            return -1;
        }
    }
    if (w->present) {
        log_warn("worker_lost", KV("worker", w->id));
        AUTO(bson_destroy)
        bson_t *filter = BCON_NEW("_id", BCON_UTF8(w->id), "beat", BCON_INT64(w->beat));
        return db_delete(s->db, DB_WORKERS, filter, NULL, err);
    }
    return 0;
}

static bool has_task(const struct scheduler *s, const struct worker_seen *w)
{
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        if (s->dispatch.open[i].state == TASK_RUNNING &&
            strcmp(s->dispatch.open[i].worker, w->id) == 0) {
            return true;
        }
    }
    return false;
}

void reap_tick(struct scheduler *s)
{
    int64_t now = mono_ms(), most = s->cfg->worker.lease_ms / 6;
    int64_t passed = now - s->dispatch.last_pass_ms;
    s->dispatch.answered_ms += passed < most ? passed : most;
    s->dispatch.last_pass_ms = now;
}

int reap_workers(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        s->dispatch.workers[i].present = false;
    }
    bson_t all = BSON_INITIALIZER;
    if (db_each(s->db, DB_WORKERS, &all, NULL, read_worker, s, err) != 0 ||
        add_ghosts(s, err) != 0) {
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        struct worker_seen *w = &s->dispatch.workers[i];
        int64_t patience = w->present ? s->cfg->worker.lease_ms : GHOST_MS;
        bool lost = s->dispatch.answered_ms - w->beat_changed_ms >= patience;
        if (lost && bury_worker(s, w, err) != 0) {
            return -1;
        }
        if (!lost && (w->present || has_task(s, w))) {
            s->dispatch.workers[kept++] = *w;
        }
    }
    s->dispatch.n_workers = kept;
    return 0;
}

/* --- cancelled tasks that no worker holds --- */

/* Includes a task that went back to ready with its cancellation: ending it needs no slot. */
static bool is_unheld(const struct open_task *t)
{
    return t->state == TASK_READY || t->state == TASK_ADMITTED ||
           (t->state == TASK_PARKED && t->ended);
}

static int end_cancelled(struct scheduler *s, struct open_task *t, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *set = BCON_NEW("fence", BCON_INT64(t->fence + 1), "slot", BCON_NULL, "ended_at",
                           BCON_DATE_TIME(wall_ms()));
    bool won;
    if (task_transition(s, t, TASK_CANCELLED, set, NULL, &won, err) != 0) {
        return -1;
    }
    t->state = won ? TASK_CANCELLED : t->state;
    return 0;
}

int reap_tasks(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        if (t->cancel && is_unheld(t) && end_cancelled(s, t, err) != 0) {
            return -1;
        }
    }
    return 0;
}
