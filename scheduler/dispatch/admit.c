/*
 * admit.c - who gets a free slot (common/task/turn.h): higher priority first, then max-min fair
 * share over instruments (copies) or projects (cluster), then the oldest.
 *
 * Admission takes slots by one command of guarded updates, then names them in the tasks by another;
 * a scheduler that dies in between leaves a slot that no task names back, and the reaper frees it.
 * So two schedulers that both think they lead still cannot pass a pool's size.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/batch.h"
#include "common/task/kinds.h"
#include "scheduler/scheduler.h"

/* --- whose turn --- */

static int64_t cap_of(struct scheduler *s, const struct open_task *t)
{
    struct instrument_facts f = {.known = false};
    if (task_kind(t->kind)->cap == KIND_CAP_COPIES) {
        f = instruments_facts(s->instruments, t->instrument);
    }
    return turn_cap(t->kind, f.known ? f.max_copies : INT64_MAX);
}

static int find_group(struct scheduler *s, const struct open_task *t, size_t *out, struct err *err)
{
    const char *key = turn_group_key(t->kind, t->instrument, t->project);
    for (*out = 0; *out < s->dispatch.n_groups; (*out)++) {
        const struct task_group *g = &s->dispatch.groups[*out];
        if (strcmp(g->pool, t->pool) == 0 && strcmp(g->key, key) == 0) {
            return 0;
        }
    }
    struct task_group *more =
        realloc(s->dispatch.groups, (s->dispatch.n_groups + 1) * sizeof *more);
    if (more == NULL) {
        return err_no_memory(err);
    }
    s->dispatch.groups = more;
    s->dispatch.groups[s->dispatch.n_groups++] =
        (struct task_group){.pool = t->pool, .key = key, .turn = {.cap = cap_of(s, t)}};
    return 0;
}

/* Those that wait for a slot, each group's in a row, in the order of their turns. */
struct queue {
    struct open_task **at;
    size_t n;
};

static int by_group_and_turn(const void *a, const void *b)
{
    const struct open_task *x = *(struct open_task *const *)a, *y = *(struct open_task *const *)b;
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    if (x->priority != y->priority) {
        return x->priority > y->priority ? -1 : 1;
    }
    return x->ready_ms < y->ready_ms ? -1 : x->ready_ms > y->ready_ms;
}

static int group_tasks(struct scheduler *s, struct queue *q, struct err *err)
{
    int64_t now = wall_ms();
    s->dispatch.n_groups = 0;
    q->at = calloc(s->dispatch.n_open + 1, sizeof *q->at);
    if (q->at == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        if (find_group(s, t, &t->group, err) != 0) {
            return -1;
        }
        s->dispatch.groups[t->group].turn.held += task_holds_slot(t->state);
        if (t->state == TASK_READY && t->not_before_ms <= now) {
            q->at[q->n++] = t;
        }
    }
    qsort(q->at, q->n, sizeof *q->at, by_group_and_turn);
    for (size_t i = q->n; i-- > 0;) {
        s->dispatch.groups[q->at[i]->group].next = i;
        s->dispatch.groups[q->at[i]->group].waiting++;
    }
    return 0;
}

/* Giving one slot at a time to the group that holds least is max-min fair. The chosen task leaves
 * the queue, so each gets one turn a pass. */
static struct open_task *next_in_turn(struct scheduler *s, const struct queue *q, const char *pool)
{
    struct task_group *best = NULL;
    struct turn first = {0};
    for (size_t i = 0; i < s->dispatch.n_groups; i++) {
        struct task_group *g = &s->dispatch.groups[i];
        if (g->waiting == 0 || g->turn.held >= g->turn.cap || strcmp(g->pool, pool) != 0) {
            continue;
        }
        const struct open_task *t = q->at[g->next];
        const struct turn turn = {t->priority, t->ready_ms, g->turn};
        if (best == NULL || turn_is_before(&turn, &first)) {
            best = g;
            first = turn;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    best->waiting--;
    best->turn.held++;
    return q->at[best->next++];
}

/* --- taking slots --- */

/* A slot that changes hands: to t, or back to the pool. */
struct pick {
    struct open_task *t;
    struct slot *slot;
    char name[SLOT_NAME_MAX];
    bool left; /* its last task has left it; else it is free */
    bool won;
};

struct picks {
    struct pick *at;
    size_t n;
};

struct picking {
    struct scheduler *s;
    const struct queue *q;
    const struct pool *p;
    struct picks *picks;
    int64_t taken;
};

static void pick_slot(struct picking *g, int64_t n)
{
    struct slot *slot = &g->p->slots[n];
    bool room = n < g->p->size && g->taken < g->p->size;
    struct open_task *t = room ? next_in_turn(g->s, g->q, g->p->name) : NULL;
    if (t == NULL && !slot_is_left(slot)) {
        return;
    }
    struct pick *pick = &g->picks->at[g->picks->n++];
    *pick = (struct pick){.t = t, .slot = slot, .left = slot_is_left(slot)};
    slots_name(g->p, n, pick->name);
    g->taken += t != NULL;
}

/* model: give back. Whose turn it is, for as many slots as there is room for. Slots that their
 * tasks have left come first, to the next task or back to the pool: at no moment are more slots
 * taken than before, or than the size. */
static void pick_in_pool(struct scheduler *s, const struct queue *q, const struct pool *p,
                         struct picks *picks)
{
    struct picking g = {.s = s, .q = q, .p = p, .picks = picks, .taken = slots_taken(p)};
    for (int64_t n = 0; n < p->n_slots; n++) {
        if (slot_is_left(&p->slots[n])) {
            pick_slot(&g, n);
        }
    }
    for (int64_t n = 0; n < p->n_slots; n++) {
        if (slot_is_free(&p->slots[n])) {
            pick_slot(&g, n);
        }
    }
}

/* Keep the picks that gave a slot to a task. */
static void drop_losers(struct scheduler *s, struct picks *picks)
{
    size_t kept = 0;
    for (size_t i = 0; i < picks->n; i++) {
        struct pick *pick = &picks->at[i];
        if (pick->t != NULL && pick->won) {
            picks->at[kept++] = *pick;
        } else if (pick->t != NULL) {
            s->dispatch.groups[pick->t->group].turn.held--;
            s->dispatch.cache_valid = false;
        }
    }
    picks->n = kept;
}

static int take_some(struct scheduler *s, struct picks *picks, bool left, struct err *err)
{
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < picks->n; i++) {
        struct pick *p = &picks->at[i];
        struct slot_to to = {.fence = p->slot->fence, .epoch = lease_epoch(s->lease)};
        if (p->t != NULL) {
            to.task = p->t->id;
            to.fence = p->t->fence + 1;
        }
        if (p->left == left &&
            db_batch_add(&changes, slot_change(p->slot, p->name, to), err) != 0) {
            return -1;
        }
    }
    int rc = db_batch_write(&changes, s->db, DB_SLOTS, err);
    for (size_t i = 0, n = 0; i < picks->n && rc == 0; i++) {
        struct pick *p = &picks->at[i];
        int64_t fence = p->t != NULL ? p->t->fence + 1 : p->slot->fence;
        if (p->left == left) {
            p->won = changes.items[n++].won;
            rc = slot_changed(s, p->slot, p->t != NULL ? p->t->id : NULL, fence, p->won, err);
        }
    }
    return rc;
}

/* model: admit, the first step. Slots that were left in a command of their own before the free
 * ones: MongoDB promises no order within one. */
static int take_slots(struct scheduler *s, struct picks *picks, struct err *err)
{
    int rc = take_some(s, picks, true, err) != 0 ? -1 : take_some(s, picks, false, err);
    drop_losers(s, picks);
    return rc;
}

/* model: admit, the second step. A task that moved on meanwhile leaves a slot that the reaper
 * frees. */
static int name_slots(struct scheduler *s, struct picks *picks, struct err *err)
{
    AUTO_BATCH changes = {0};
    AUTO(bson_destroy)
    bson_t *unset = BCON_NEW("not_before", BCON_BOOL(true), "wait_ms", BCON_BOOL(true));
    for (size_t i = 0; i < picks->n; i++) {
        struct pick *p = &picks->at[i];
        struct db_change change = {0};
        AUTO(bson_destroy)
        bson_t *set =
            BCON_NEW("fence", BCON_INT64(p->t->fence + 1), "attempt", BCON_INT64(p->t->attempt + 1),
                     "slot", BCON_UTF8(p->name), "admitted_at", BCON_DATE_TIME(wall_ms()));
        if (task_change(s, p->t, TASK_ADMITTED, set, unset, &change, err) != 0 ||
            db_batch_add(&changes, change, err) != 0) {
            return -1;
        }
    }
    int rc = db_batch_write(&changes, s->db, DB_TASKS, err);
    for (size_t i = 0; i < picks->n; i++) {
        picks->at[i].won = rc == 0 && changes.items[i].won;
    }
    drop_losers(s, picks);
    return rc;
}

static int note_admitted(const struct pick *p, struct err *err)
{
    struct open_task *t = p->t;
    free(t->slot);
    t->slot = strdup(p->name);
    open_task_moved(t, TASK_ADMITTED, 1);
    p->slot->admission_seen = true;
    return t->slot != NULL ? 0 : err_no_memory(err);
}

/* model: admit */
static int fill_pools(struct scheduler *s, const struct queue *q, struct err *err)
{
    size_t room = 1;
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        room += (size_t)s->dispatch.pools[i].n_slots;
    }
    AUTO(free) struct pick *at = calloc(room, sizeof *at);
    if (at == NULL) {
        return err_no_memory(err);
    }
    struct picks picks = {.at = at};
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        pick_in_pool(s, q, &s->dispatch.pools[i], &picks);
    }
    if (take_slots(s, &picks, err) != 0 || name_slots(s, &picks, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < picks.n; i++) {
        if (note_admitted(&picks.at[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- parked tasks whose wait is over --- */

/* model: wake. The slot's fence is raised first, so that the slot belongs to the task at any moment
 * in between. The fence only grows, because what a deposed leader has read may be old. */
static int wake_parked(struct scheduler *s, struct open_task *t, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(t->slot), "task", BCON_UTF8(t->id), "fence", "{",
                              "$lte", BCON_INT64(t->fence + 1), "}", "epoch", "{", "$lte",
                              BCON_INT64(lease_epoch(s->lease)), "}");
    AUTO(bson_destroy)
    bson_t *raise = BCON_NEW("$set", "{", "fence", BCON_INT64(t->fence + 1), "}");
    bool won;
    if (db_update(s->db, DB_SLOTS, filter, raise, &won, err) != 0) {
        return -1;
    }
    struct slot *slot = won ? slots_find(s, t->slot) : NULL;
    if (slot != NULL) {
        slot->fence = t->fence + 1;
    }
    AUTO(bson_destroy)
    bson_t *set =
        BCON_NEW("fence", BCON_INT64(t->fence + 1), "admitted_at", BCON_DATE_TIME(wall_ms()));
    if (task_transition(s, t, TASK_ADMITTED, set, NULL, &won, err) != 0) {
        return -1;
    }
    if (won) {
        open_task_moved(t, TASK_ADMITTED, 0);
    }
    return 0;
}

/* --- tasks that are not due yet --- */

#define SKEW_MS 1000 /* between clocks of hosts that are well */

/* Whatever returned a task set how long it waits; the leader sets until when, on its own clock,
 * because hosts' clocks may differ by hours. If the end is farther away than the back-off is long,
 * another leader's clock set it, or ours has jumped: the back-off starts again. */
static bool needs_date(const struct open_task *t)
{
    return t->state == TASK_READY && t->wait_ms >= 0 && t->not_before_ms != INT64_MAX &&
           (t->undated || t->not_before_ms > wall_ms() + t->wait_ms + SKEW_MS);
}

static int date_task(struct scheduler *s, struct open_task *t, struct db_change *out,
                     struct err *err)
{
    t->not_before_ms = wall_ms() + t->wait_ms;
    t->undated = false;
    AUTO(bson_destroy) bson_t *set = BCON_NEW("not_before", BCON_DATE_TIME(t->not_before_ms));
    return task_change(s, t, TASK_READY, set, NULL, out, err);
}

static int date_waits(struct scheduler *s, struct err *err)
{
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct db_change change = {0};
        if (needs_date(&s->dispatch.open[i]) &&
            (date_task(s, &s->dispatch.open[i], &change, err) != 0 ||
             db_batch_add(&changes, change, err) != 0)) {
            return -1;
        }
    }
    return db_batch_write(&changes, s->db, DB_TASKS, err);
}

static int serve_waiting(struct scheduler *s, struct err *err)
{
    int64_t now = wall_ms();
    s->dispatch.next_expiry_ms = INT64_MAX;
    if (date_waits(s, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        if (t->state == TASK_PARKED && t->ended && wake_parked(s, t, err) != 0) {
            return -1;
        }
        bool waits = t->state == TASK_READY && t->not_before_ms > now;
        if (waits && t->not_before_ms < s->dispatch.next_expiry_ms) {
            s->dispatch.next_expiry_ms = t->not_before_ms;
        }
    }
    return 0;
}

int admit_tasks(struct scheduler *s, struct err *err)
{
    struct queue q = {0};
    if (s->shadow) {
        return 0;
    }
    int rc =
        serve_waiting(s, err) != 0 || group_tasks(s, &q, err) != 0 || fill_pools(s, &q, err) != 0
            ? -1
            : 0;
    free(q.at);
    return rc;
}
