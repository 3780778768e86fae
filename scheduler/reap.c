/*
 * reap.c - what nobody looks after any more: tasks of lost workers, cancelled tasks that nobody
 * runs, and slots that no task holds.
 *
 * A worker is lost when its beat has stood still for [worker] lease_ms on our own monotonic clock.
 * Time in which the database did not answer us does not count: nobody could beat then.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "scheduler/scheduler.h"

#define BLIND_MS 5000 /* a longer gap between passes and all silences start anew */
#define GHOST_MS 5000 /* a worker that is named by a task and has no document */

static struct worker_seen *find_worker(struct scheduler *s, const char *id)
{
    for (size_t i = 0; i < s->n_workers; i++) {
        if (strcmp(s->workers[i].id, id) == 0) {
            return &s->workers[i];
        }
    }
    return NULL;
}

static struct worker_seen *add_worker(struct scheduler *s, const char *id, struct err *err)
{
    struct worker_seen *more = realloc(s->workers, (s->n_workers + 1) * sizeof *more);
    if (more == NULL) {
        ERR(err, ERR_TRANSIENT, 0, "out of memory");
        return NULL;
    }
    s->workers = more;
    struct worker_seen *w = &s->workers[s->n_workers++];
    *w = (struct worker_seen){.beat = -1, .seen_ms = mono_ms()};
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
        w->kinds[k].threads = doc_i64(&sub, "threads", 0);
        w->kinds[k].free = doc_i64(&sub, "free", 0);
        read_partitions(&sub, w, k);
    }
}

static int see_worker(void *ctx, const bson_t *doc, struct err *err)
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
        w->seen_ms = mono_ms();
        read_kinds(doc, w);
        dispatch_note_beat(s, w);
    }
    return 0;
}

static int add_ghosts(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->n_open; i++) {
        const struct open_task *t = &s->open[i];
        if (t->state == TASK_RUNNING && find_worker(s, t->worker) == NULL &&
            add_worker(s, t->worker, err) == NULL) {
            return -1;
        }
    }
    return 0;
}

/* model: reap worker */
static int return_task(struct scheduler *s, struct open_task *t, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *set =
        BCON_NEW("fence", BCON_INT64(t->fence + 1), "attempt", BCON_INT64(t->attempt - 1), "slot",
                 BCON_NULL, "worker", BCON_NULL, "ready_at", BCON_DATE_TIME(wall_ms()), "error",
                 "{", "kind", BCON_UTF8("lost"), "msg", BCON_UTF8("its worker died or was cut off"),
                 "at", BCON_DATE_TIME(wall_ms()), "attempt", BCON_INT64(t->attempt), "}");
    bool won;
    if (task_transition(s, t, TASK_READY, set, NULL, &won, err) != 0) {
        return -1;
    }
    if (won) {
        log_warn("task_lost", KV("task_id", t->id), KV("worker", t->worker));
        t->state = TASK_READY;
        t->fence++;
        t->attempt--;
    }
    return 0;
}

static int bury(struct scheduler *s, struct worker_seen *w, struct err *err)
{
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
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
    for (size_t i = 0; i < s->n_open; i++) {
        if (s->open[i].state == TASK_RUNNING && strcmp(s->open[i].worker, w->id) == 0) {
            return true;
        }
    }
    return false;
}

int reap_workers(struct scheduler *s, struct err *err)
{
    int64_t now = mono_ms();
    bool blind = now - s->last_pass_ms > BLIND_MS;
    for (size_t i = 0; i < s->n_workers; i++) {
        s->workers[i].present = false;
        s->workers[i].seen_ms = blind ? now : s->workers[i].seen_ms;
    }
    bson_t all = BSON_INITIALIZER;
    if (db_each(s->db, DB_WORKERS, &all, NULL, see_worker, s, err) != 0 ||
        add_ghosts(s, err) != 0) {
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->n_workers; i++) {
        struct worker_seen *w = &s->workers[i];
        int64_t patience = w->present ? s->cfg->worker.lease_ms : GHOST_MS;
        bool lost = mono_ms() - w->seen_ms >= patience;
        if (lost && bury(s, w, err) != 0) {
            return -1;
        }
        if (!lost && (w->present || has_task(s, w))) {
            s->workers[kept++] = *w;
        }
    }
    s->n_workers = kept;
    return 0;
}

/* --- cancelled tasks that no worker holds --- */

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

/* --- slots that no task names back --- */

static const struct open_task *holder_of(const struct scheduler *s, const char *task)
{
    for (size_t i = 0; i < s->n_open; i++) {
        if (strcmp(s->open[i].id, task) == 0) {
            return &s->open[i];
        }
    }
    return NULL;
}

/* A taken slot whose task, as this pass read it, does not name it back. */
struct doubtful {
    char slot[96];
    char *task;
    int64_t fence;
    bool held;
};
struct doubts {
    const struct scheduler *s;
    struct doubtful *at;
    size_t n;
};

static void doubts_fini(struct doubts *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->at[i].task);
    }
    free(d->at);
}

/* model: reap slot */
static int look_at_slot(void *ctx, const bson_t *doc, struct err *err)
{
    struct doubts *d = ctx;
    const char *id = doc_str(doc, "_id", ""), *task = doc_str(doc, "task", "");
    const struct open_task *t = holder_of(d->s, task);
    if (t != NULL && task_holds_slot(t->state) && strcmp(t->slot, id) == 0) {
        return 0;
    }
    struct doubtful *more = realloc(d->at, (d->n + 1) * sizeof *more);
    if (more == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    d->at = more;
    struct doubtful *slot = &d->at[d->n++];
    *slot = (struct doubtful){.task = strdup(task), .fence = doc_i64(doc, "fence", 0)};
    snprintf(slot->slot, sizeof slot->slot, "%s", id);
    return slot->task != NULL ? 0 : ERR(err, ERR_TRANSIENT, 0, "out of memory");
}

/* An admission whose task update is still on its way must not land after the slot is free. */
static struct db_change outdate_admission(const struct doubtful *d)
{
    return (struct db_change){
        .filter = BCON_NEW("_id", BCON_UTF8(d->task), "state", BCON_UTF8("ready"), "fence",
                           BCON_INT64(d->fence - 1)),
        .update = BCON_NEW("$inc", "{", "fence", BCON_INT64(1), "}"),
    };
}

static struct db_change free_slot(const struct doubtful *d)
{
    return (struct db_change){
        .filter = BCON_NEW("_id", BCON_UTF8(d->slot), "task", BCON_UTF8(d->task), "fence",
                           BCON_INT64(d->fence)),
        .update = BCON_NEW("$set", "{", "task", BCON_NULL, "since", BCON_NULL, "}"),
    };
}

/* One command; which of them took effect need not be known. */
static int change_doubtful(struct scheduler *s, const char *coll, const struct doubts *d,
                           struct db_change make(const struct doubtful *), struct err *err)
{
    AUTO(free) struct db_change *changes = calloc(d->n, sizeof *changes);
    if (changes == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (!d->at[i].held) {
            changes[n++] = make(&d->at[i]);
        }
    }
    int rc = db_update_all(s->db, coll, changes, n, err);
    for (size_t i = 0; i < n; i++) {
        db_change_fini(&changes[i]);
    }
    return rc;
}

static int see_holder(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    struct doubts *d = ctx;
    for (size_t i = 0; i < d->n; i++) {
        d->at[i].held |= strcmp(d->at[i].task, doc_str(doc, "_id", "")) == 0 &&
                         strcmp(d->at[i].slot, doc_str(doc, "slot", "")) == 0;
    }
    return 0;
}

/* Asked of the database now: an admission may have landed since the tasks of this pass were read.
 */
static int find_holders(struct scheduler *s, struct doubts *d, struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    for (size_t i = 0; i < d->n; i++) {
        char key[16];
        const char *k;
        size_t len = bson_uint32_to_string((uint32_t)i, &k, key, sizeof key);
        bson_append_utf8(&ids, k, (int)len, d->at[i].task, -1);
    }
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}", "state", "{", "$in", "[",
                 BCON_UTF8("admitted"), BCON_UTF8("running"), BCON_UTF8("parked"), "]", "}");
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "slot", BCON_INT32(1), "}");
    bson_destroy(&ids);
    return db_each(s->db, DB_TASKS, filter, opts, see_holder, d, err);
}

static int free_unheld(struct scheduler *s, struct err *err)
{
    struct doubts d = {.s = s};
    AUTO(bson_destroy) bson_t *taken = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    int rc = db_each(s->db, DB_SLOTS, taken, NULL, look_at_slot, &d, err);
    if (rc == 0 && d.n > 0) {
        rc = change_doubtful(s, DB_TASKS, &d, outdate_admission, err) != 0 ||
                     find_holders(s, &d, err) != 0 ||
                     change_doubtful(s, DB_SLOTS, &d, free_slot, err) != 0
                 ? -1
                 : 0;
    }
    doubts_fini(&d);
    return rc;
}

int reap_tasks(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
        bool unheld = t->state == TASK_ADMITTED || (t->state == TASK_PARKED && t->ended);
        if (t->cancel && unheld && end_cancelled(s, t, err) != 0) {
            return -1;
        }
    }
    return free_unheld(s, err);
}
