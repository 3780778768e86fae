/*
 * admit.c - who gets a free slot (common/turn.h): higher priority first, then max-min fair share
 * over instruments (copies) or projects (cluster), then the oldest.
 *
 * A slot is a document. Admission takes slots by one command of guarded updates, then names them in
 * the tasks by another; whoever dies in between leaves a slot that no task names back, and the
 * reaper frees it. So two schedulers that both think they lead still cannot pass a pool's size.
 */
#include <stdio.h>
#include <string.h>

#include "common/mono.h"
#include "scheduler/scheduler.h"

#define MAX_SLOTS 4096

struct pool_view {
    char name[64];
    int64_t size;
    bool there[MAX_SLOTS]; /* the slot's document exists */
    bool free[MAX_SLOTS];
};

static int see_slot(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    struct pool_view *v = ctx;
    int64_t n = doc_i64(doc, "n", -1);
    if (n >= 0 && n < MAX_SLOTS) {
        v->there[n] = true;
        v->free[n] = !doc_has(doc, "task");
    }
    return 0;
}

static int make_slot(struct scheduler *s, struct pool_view *v, int64_t n, struct err *err)
{
    char id[96];
    snprintf(id, sizeof id, "%s/%lld", v->name, (long long)n);
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "pool", BCON_UTF8(v->name), "n", BCON_INT64(n),
                           "task", BCON_NULL, "fence", BCON_INT64(0), "since", BCON_NULL);
    bool made;
    if (db_insert(s->db, DB_SLOTS, doc, &made, err) != 0) {
        return -1;
    }
    v->there[n] = true;
    v->free[n] = made;
    return 0;
}

static int load_slots(struct scheduler *s, struct pool_view *v, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("pool", BCON_UTF8(v->name));
    if (db_each(s->db, DB_SLOTS, filter, NULL, see_slot, v, err) != 0) {
        return -1;
    }
    for (int64_t n = 0; n < v->size; n++) {
        if (!v->there[n] && make_slot(s, v, n, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- whose turn --- */

static const char *share_of(const struct open_task *t)
{
    return turn_by_instrument(t->kind) ? t->instrument : t->project;
}

/* How many slots the group may hold at the same time: an instrument's copies, and one move and one
 * removal. */
static int64_t cap_of(struct scheduler *s, const struct open_task *t)
{
    if (retire_is_kind(t->kind)) {
        return 1;
    }
    struct instrument_facts f = {.known = false};
    if (strcmp(t->kind, "copy") == 0) {
        f = instruments_facts(s->instruments, t->instrument);
    }
    return f.known ? f.max_copies : INT64_MAX;
}

static int find_group(struct scheduler *s, const struct open_task *t, size_t *out, struct err *err)
{
    for (*out = 0; *out < s->n_groups; (*out)++) {
        const struct task_group *g = &s->groups[*out];
        if (strcmp(g->pool, t->pool) == 0 && strcmp(g->share, share_of(t)) == 0) {
            return 0;
        }
    }
    struct task_group *more = realloc(s->groups, (s->n_groups + 1) * sizeof *more);
    if (more == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    s->groups = more;
    s->groups[s->n_groups++] =
        (struct task_group){.pool = t->pool, .share = share_of(t), .turn = {.cap = cap_of(s, t)}};
    return 0;
}

static int group_tasks(struct scheduler *s, struct err *err)
{
    s->n_groups = 0;
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
        if (find_group(s, t, &t->group, err) != 0) {
            return -1;
        }
        s->groups[t->group].turn.held += task_holds_slot(t->state);
    }
    return 0;
}

static struct turn turn_of(const struct scheduler *s, const struct open_task *t)
{
    return (struct turn){t->priority, t->ready_ms, s->groups[t->group].turn};
}

/* Giving one slot at a time to the group that holds least is max-min fair. */
static struct open_task *next_in_turn(struct scheduler *s, const char *pool)
{
    struct open_task *best = NULL;
    struct turn first = {0};
    int64_t now = wall_ms();
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
        if (t->state != TASK_READY || t->not_before_ms > now || strcmp(t->pool, pool) != 0) {
            continue;
        }
        const struct turn turn = turn_of(s, t);
        if (turn.group.held < turn.group.cap && (best == NULL || turn_is_before(&turn, &first))) {
            best = t;
            first = turn;
        }
    }
    return best;
}

/* --- taking slots --- */

struct pick {
    struct open_task *t;
    char slot[96];
};

/* Whose turn it is, for as many slots as are free; the picked count as holders at once. */
static size_t pick_all(struct scheduler *s, const struct pool_view *v, struct pick *picks)
{
    int64_t taken = 0; /* also above the size, after the pool was made smaller */
    for (int64_t n = 0; n < MAX_SLOTS; n++) {
        taken += v->there[n] && !v->free[n];
    }
    size_t picked = 0;
    for (int64_t n = 0; n < v->size && taken < v->size; n++) {
        struct open_task *t = v->free[n] ? next_in_turn(s, v->name) : NULL;
        if (t == NULL && v->free[n]) {
            break;
        }
        if (t != NULL) {
            picks[picked].t = t;
            snprintf(picks[picked++].slot, sizeof picks->slot, "%s/%lld", v->name, (long long)n);
            s->groups[t->group].turn.held++;
            t->not_before_ms = INT64_MAX; /* its turn comes once in a pass */
            taken++;
        }
    }
    return picked;
}

static void drop_losers(struct scheduler *s, struct pick *picks, struct db_change *changes,
                        size_t *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (changes[i].won) {
            picks[kept++] = picks[i];
        } else {
            s->groups[picks[i].t->group].turn.held--;
        }
        db_change_fini(&changes[i]);
    }
    *n = kept;
}

/* model: admit, the first step */
static int take_slots(struct scheduler *s, struct pick *picks, struct db_change *changes, size_t *n,
                      struct err *err)
{
    for (size_t i = 0; i < *n; i++) {
        const struct open_task *t = picks[i].t;
        changes[i] = (struct db_change){
            .filter = BCON_NEW("_id", BCON_UTF8(picks[i].slot), "task", BCON_NULL),
            .update = BCON_NEW("$set", "{", "task", BCON_UTF8(t->id), "fence",
                               BCON_INT64(t->fence + 1), "since", BCON_DATE_TIME(wall_ms()), "}"),
            .proof = BCON_NEW("_id", BCON_UTF8(picks[i].slot), "task", BCON_UTF8(t->id), "fence",
                              BCON_INT64(t->fence + 1)),
        };
    }
    int rc = db_update_all(s->db, DB_SLOTS, changes, *n, err);
    drop_losers(s, picks, changes, n);
    return rc;
}

/* model: admit, the second step. A task that moved on meanwhile leaves a slot that the reaper
 * frees. */
static int name_slots(struct scheduler *s, struct pick *picks, struct db_change *changes, size_t *n,
                      struct err *err)
{
    AUTO(bson_destroy)
    bson_t *unset = BCON_NEW("not_before", BCON_BOOL(true), "wait_ms", BCON_BOOL(true));
    int rc = 0;
    for (size_t i = 0; i < *n && rc == 0; i++) {
        const struct open_task *t = picks[i].t;
        AUTO(bson_destroy)
        bson_t *set =
            BCON_NEW("fence", BCON_INT64(t->fence + 1), "attempt", BCON_INT64(t->attempt + 1),
                     "slot", BCON_UTF8(picks[i].slot), "admitted_at", BCON_DATE_TIME(wall_ms()));
        rc = task_change(s, t, TASK_ADMITTED, set, unset, &changes[i], err);
    }
    rc = rc == 0 ? db_update_all(s->db, DB_TASKS, changes, *n, err) : rc;
    drop_losers(s, picks, changes, n);
    return rc;
}

static int note_admitted(const struct pick *p, struct err *err)
{
    struct open_task *t = p->t;
    free(t->slot);
    t->slot = strdup(p->slot);
    t->state = TASK_ADMITTED;
    t->fence++;
    t->attempt++;
    return t->slot != NULL ? 0 : ERR(err, ERR_TRANSIENT, 0, "out of memory");
}

/* model: admit */
static int fill_pool(struct scheduler *s, const struct pool_view *v, struct err *err)
{
    size_t room = (size_t)v->size + 1;
    AUTO(free) struct pick *picks = calloc(room, sizeof *picks);
    AUTO(free) struct db_change *changes = calloc(room, sizeof *changes);
    if (picks == NULL || changes == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    size_t n = pick_all(s, v, picks);
    if (take_slots(s, picks, changes, &n, err) != 0 ||
        name_slots(s, picks, changes, &n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (note_admitted(&picks[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int see_pool(void *ctx, const bson_t *doc, struct err *err)
{
    struct scheduler *s = ctx;
    const char *name = doc_str(doc, "_id", "");
    if (next_in_turn(s, name) == NULL) {
        return 0; /* nobody waits: its slots need not be read */
    }
    AUTO(free) struct pool_view *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    snprintf(v->name, sizeof v->name, "%s", name);
    v->size = doc_i64(doc, "slots", 0);
    v->size = v->size > MAX_SLOTS ? MAX_SLOTS : v->size;
    return load_slots(s, v, err) != 0 ? -1 : fill_pool(s, v, err);
}

/* --- parked tasks whose wait is over --- */

/* model: wake. The slot's fence goes first: seen from any moment in between, the slot still belongs
 * to it. It only grows: what a deposed leader has read may be old. */
static int wake_parked(struct scheduler *s, struct open_task *t, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(t->slot), "task", BCON_UTF8(t->id), "fence", "{",
                              "$lte", BCON_INT64(t->fence + 1), "}");
    AUTO(bson_destroy)
    bson_t *raise = BCON_NEW("$set", "{", "fence", BCON_INT64(t->fence + 1), "}");
    bool won;
    if (db_update(s->db, DB_SLOTS, filter, raise, &won, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *set =
        BCON_NEW("fence", BCON_INT64(t->fence + 1), "admitted_at", BCON_DATE_TIME(wall_ms()));
    if (task_transition(s, t, TASK_ADMITTED, set, NULL, &won, err) != 0) {
        return -1;
    }
    if (won) {
        t->state = TASK_ADMITTED;
        t->fence++;
    }
    return 0;
}

/* --- tasks that are not due yet --- */

#define SKEW_MS 1000 /* between clocks of hosts that are well */

/* A back-off that would end later than it is long was dated by another clock than ours, or ours has
 * jumped: it begins anew on our clock. */
static int date_anew(struct scheduler *s, struct open_task *t, struct err *err)
{
    int64_t due = wall_ms() + t->wait_ms;
    if (t->wait_ms < 0 || t->not_before_ms <= due + SKEW_MS) {
        return 0;
    }
    AUTO(bson_destroy) bson_t *set = BCON_NEW("not_before", BCON_DATE_TIME(due));
    bool won;
    if (task_transition(s, t, TASK_READY, set, NULL, &won, err) != 0) {
        return -1;
    }
    t->not_before_ms = won ? due : t->not_before_ms;
    return 0;
}

static int look_at_ready(struct scheduler *s, struct open_task *t, struct err *err)
{
    if (t->not_before_ms <= wall_ms()) {
        return 0;
    }
    if (date_anew(s, t, err) != 0) {
        return -1;
    }
    if (t->not_before_ms < s->next_expiry_ms) {
        s->next_expiry_ms = t->not_before_ms;
    }
    return 0;
}

int admit_pass(struct scheduler *s, struct err *err)
{
    s->next_expiry_ms = INT64_MAX;
    if (group_tasks(s, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
        if (t->state == TASK_PARKED && t->ended && wake_parked(s, t, err) != 0) {
            return -1;
        }
        if (t->state == TASK_READY && look_at_ready(s, t, err) != 0) {
            return -1;
        }
    }
    bson_t all = BSON_INITIALIZER;
    return db_each(s->db, DB_POOLS, &all, NULL, see_pool, s, err);
}
