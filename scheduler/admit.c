/*
 * admit.c - who gets a free slot: higher priority first, then max-min fair share over instruments
 * (copies) or projects (cluster), then the oldest.
 *
 * A slot is a document. Admission takes it by one guarded update, then names it in the task by
 * another; whoever dies in between leaves a slot that no task names back, and the reaper frees it.
 * So two schedulers that both think they lead still cannot pass a pool's size.
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
    return strcmp(t->kind, "copy") == 0 || retire_is_kind(t->kind) ? t->instrument : t->project;
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
        (struct task_group){.pool = t->pool, .share = share_of(t), .cap = cap_of(s, t)};
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
        s->groups[t->group].held += task_holds_slot(t->state);
    }
    return 0;
}

/* Giving one slot at a time to the group that holds least is max-min fair. */
static struct open_task *next_in_turn(struct scheduler *s, const char *pool)
{
    struct open_task *best = NULL;
    int64_t now = wall_ms();
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_task *t = &s->open[i];
        if (t->state != TASK_READY || t->not_before_ms > now || strcmp(t->pool, pool) != 0) {
            continue;
        }
        if (best != NULL && t->priority < best->priority) {
            continue;
        }
        const struct task_group *g = &s->groups[t->group];
        if (g->held >= g->cap) {
            continue;
        }
        int64_t least = best != NULL ? s->groups[best->group].held : INT64_MAX;
        if (best == NULL || t->priority > best->priority || g->held < least ||
            (g->held == least && t->ready_ms < best->ready_ms)) {
            best = t;
        }
    }
    return best;
}

/* --- taking a slot --- */

static int take_slot(struct scheduler *s, const char *slot, const struct open_task *t, bool *won,
                     struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(slot), "task", BCON_NULL);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "task", BCON_UTF8(t->id), "fence",
                              BCON_INT64(t->fence + 1), "since", BCON_DATE_TIME(wall_ms()), "}");
    return db_update(s->db, DB_SLOTS, filter, update, won, err);
}

/* model: admit */
static int admit(struct scheduler *s, struct open_task *t, const char *slot, struct err *err)
{
    bool won;
    if (take_slot(s, slot, t, &won, err) != 0 || !won) {
        return won ? 0 : err->kind != ERR_NONE ? -1 : 0;
    }
    AUTO(bson_destroy)
    bson_t *set = BCON_NEW("fence", BCON_INT64(t->fence + 1), "attempt", BCON_INT64(t->attempt + 1),
                           "slot", BCON_UTF8(slot), "admitted_at", BCON_DATE_TIME(wall_ms()));
    AUTO(bson_destroy) bson_t *unset = BCON_NEW("not_before", BCON_BOOL(true));
    if (task_transition(s, t, TASK_ADMITTED, set, unset, &won, err) != 0) {
        return -1;
    }
    if (!won) { /* it moved on meanwhile: not in this pass; the reaper frees the slot */
        t->not_before_ms = INT64_MAX;
        return 0;
    }
    t->state = TASK_ADMITTED;
    s->groups[t->group].held++;
    t->fence++;
    t->attempt++;
    free(t->slot);
    t->slot = strdup(slot);
    return 0;
}

static int fill_pool(struct scheduler *s, struct pool_view *v, struct err *err)
{
    int64_t taken = 0; /* also above the size, after the pool was made smaller */
    for (int64_t n = 0; n < MAX_SLOTS; n++) {
        taken += v->there[n] && !v->free[n];
    }
    for (int64_t n = 0; n < v->size && taken < v->size; n++) {
        if (!v->free[n]) {
            continue;
        }
        struct open_task *t = next_in_turn(s, v->name);
        if (t == NULL) {
            return 0;
        }
        char slot[96];
        snprintf(slot, sizeof slot, "%s/%lld", v->name, (long long)n);
        if (admit(s, t, slot, err) != 0) {
            return -1;
        }
        taken++;
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
        if (t->state == TASK_READY && t->not_before_ms > wall_ms() &&
            t->not_before_ms < s->next_expiry_ms) {
            s->next_expiry_ms = t->not_before_ms;
        }
    }
    bson_t all = BSON_INITIALIZER;
    return db_each(s->db, DB_POOLS, &all, NULL, see_pool, s, err);
}
