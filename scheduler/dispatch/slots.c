/*
 * slots.c - pools and their slots: read, remembered, given back when no task names them.
 *
 * A slot whose task named it once and has left it is free for the next task at once. If its task
 * was never seen to name it (the leader died in between, or the reply was lost), an admission may
 * still be on its way; the reaper outdates that admission before it frees the slot.
 */
#include "scheduler/dispatch/slots.h"

#include "common/db/batch.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/task/pool.h"
#include "scheduler/scheduler.h"

void slots_name(const struct pool *p, int64_t n, char out[static SLOT_NAME_MAX])
{
    snprintf(out, SLOT_NAME_MAX, "%s/%lld", p->name, (long long)n);
}

static struct pool *find_pool(const struct scheduler *s, const char *name, size_t len)
{
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        if (strncmp(s->dispatch.pools[i].name, name, len) == 0 &&
            s->dispatch.pools[i].name[len] == '\0') {
            return &s->dispatch.pools[i];
        }
    }
    return NULL;
}

struct slot *slots_find(const struct scheduler *s, const char *name)
{
    const char *slash = strrchr(name, '/');
    const struct pool *p = slash != NULL ? find_pool(s, name, (size_t)(slash - name)) : NULL;
    int64_t n = p != NULL ? strtoll(slash + 1, NULL, 10) : -1;
    return n >= 0 && n < p->n_slots && p->slots[n].there ? &p->slots[n] : NULL;
}

bool slot_is_left(const struct slot *slot)
{
    return slot->there && slot->task != NULL && slot->admission_seen && !slot->held;
}

bool slot_is_free(const struct slot *slot)
{
    return slot->there && slot->task == NULL;
}

int64_t slots_taken(const struct pool *p)
{
    int64_t taken = 0;
    for (int64_t n = 0; n < p->n_slots; n++) {
        taken += p->slots[n].there && p->slots[n].task != NULL && !slot_is_left(&p->slots[n]);
    }
    return taken;
}

/* --- reading --- */

static int pool_reach(struct pool *p, int64_t n_slots, struct err *err)
{
    if (n_slots <= p->n_slots) {
        return 0;
    }
    struct slot *more = realloc(p->slots, (size_t)n_slots * sizeof *more);
    if (more == NULL) {
        return err_no_memory(err);
    }
    memset(more + p->n_slots, 0, (size_t)(n_slots - p->n_slots) * sizeof *more);
    p->slots = more;
    p->n_slots = n_slots;
    return 0;
}

static struct pool *add_pool(struct scheduler *s, const char *name, struct err *err)
{
    struct pool *more = realloc(s->dispatch.pools, (s->dispatch.n_pools + 1) * sizeof *more);
    if (more == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->dispatch.pools = more;
    struct pool *p = &s->dispatch.pools[s->dispatch.n_pools++];
    *p = (struct pool){0};
    snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

static int read_pool(void *ctx, const bson_t *doc, struct err *err)
{
    struct scheduler *s = ctx;
    const char *name = doc_str(doc, "_id", "");
    struct pool *p = find_pool(s, name, strlen(name));
    if (strlen(name) >= sizeof p->name) {
        return 0; /* no task can ask for it */
    }
    if (p == NULL && (p = add_pool(s, name, err)) == NULL) {
        return -1;
    }
    int64_t size = doc_i64(doc, "slots", 0);
    p->size = size < 0 ? 0 : size > POOL_MAX_SLOTS ? POOL_MAX_SLOTS : size;
    return pool_reach(p, p->size, err);
}

static int read_slot(void *ctx, const bson_t *doc, struct err *err)
{
    struct scheduler *s = ctx;
    const char *name = doc_str(doc, "pool", "");
    struct pool *p = find_pool(s, name, strlen(name));
    int64_t n = doc_i64(doc, "n", -1);
    if (p == NULL || n < 0 || n >= POOL_MAX_SLOTS) {
        return 0;
    }
    if (pool_reach(p, n + 1, err) != 0) {
        return -1;
    }
    struct slot *slot = &p->slots[n];
    int64_t fence = doc_i64(doc, "fence", 0);
    const char *task = doc_str(doc, "task", "");
    slot->there = true;
    slot->admission_seen &=
        slot->task != NULL && strcmp(slot->task, task) == 0 && slot->fence == fence;
    slot->fence = fence;
    free(slot->task);
    slot->task = task[0] != '\0' ? strdup(task) : NULL;
    return task[0] == '\0' || slot->task != NULL ? 0 : err_no_memory(err);
}

static bson_t *new_slot(const struct pool *p, int64_t n, int64_t epoch)
{
    char id[SLOT_NAME_MAX];
    slots_name(p, n, id);
    return BCON_NEW("_id", BCON_UTF8(id), "pool", BCON_UTF8(p->name), "n", BCON_INT64(n), "task",
                    BCON_NULL, "fence", BCON_INT64(0), "since", BCON_NULL, "epoch",
                    BCON_INT64(epoch));
}

static int make_missing(struct scheduler *s, struct pool *p, struct err *err)
{
    AUTO(free) bson_t **docs = calloc((size_t)p->size + 1, sizeof *docs);
    AUTO(free) bool *made = calloc((size_t)p->size + 1, sizeof *made);
    if (docs == NULL || made == NULL) {
        return err_no_memory(err);
    }
    size_t n = 0;
    for (int64_t i = 0; i < p->size; i++) {
        if (!p->slots[i].there) {
            docs[n++] = new_slot(p, i, lease_epoch(s->lease));
        }
    }
    int rc = db_insert_all(s->db, DB_SLOTS, docs, n, made, err);
    for (size_t i = 0; i < n; i++) {
        int64_t at = doc_i64(docs[i], "n", 0);
        p->slots[at].there = rc == 0 && made[i]; /* another's is read in the next full pass */
        bson_destroy(docs[i]);
    }
    return rc;
}

int slots_load(struct scheduler *s, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        s->dispatch.pools[i].size = 0;
        for (int64_t n = 0; n < s->dispatch.pools[i].n_slots; n++) {
            s->dispatch.pools[i].slots[n].there = false;
        }
    }
    if (db_each(s->db, DB_POOLS, &all, NULL, read_pool, s, err) != 0 ||
        db_each(s->db, DB_SLOTS, &all, NULL, read_slot, s, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        if (make_missing(s, &s->dispatch.pools[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

void slots_clear(struct dispatch *d)
{
    for (size_t i = 0; i < d->n_pools; i++) {
        for (int64_t n = 0; n < d->pools[i].n_slots; n++) {
            free(d->pools[i].slots[n].task);
        }
        free(d->pools[i].slots);
    }
    free(d->pools);
    d->pools = NULL;
    d->n_pools = 0;
}

static void mark_held(struct scheduler *s)
{
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        for (int64_t n = 0; n < s->dispatch.pools[i].n_slots; n++) {
            s->dispatch.pools[i].slots[n].held = false;
        }
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        const struct open_task *t = &s->dispatch.open[i];
        struct slot *slot = task_holds_slot(t->state) ? slots_find(s, t->slot) : NULL;
        if (slot != NULL && slot->task != NULL && strcmp(slot->task, t->id) == 0) {
            slot->held = true;
            slot->admission_seen |= t->fence >= slot->fence;
        }
    }
}

static void append_unheld(const struct scheduler *s, bson_t *ids)
{
    uint32_t found = 0;
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        for (int64_t n = 0; n < s->dispatch.pools[i].n_slots; n++) {
            const struct slot *slot = &s->dispatch.pools[i].slots[n];
            if (slot->there && slot->task != NULL && !slot->held) {
                char key[16];
                const char *k;
                size_t len = bson_uint32_to_string(found++, &k, key, sizeof key);
                bson_append_utf8(ids, k, (int)len, slot->task, -1);
            }
        }
    }
}

int slots_mark(struct scheduler *s, struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    int rc = 0;
    mark_held(s);
    if (!s->dispatch.open_complete) {
        append_unheld(s, &ids);
    }
    if (!bson_empty(&ids)) {
        rc = open_tasks_add_holders(s, &ids, err);
        mark_held(s);
    }
    s->dispatch.open_complete = rc == 0;
    bson_destroy(&ids);
    return rc;
}

/* --- writing --- */

struct db_change slot_change(const struct slot *slot, const char *name, struct slot_to to)
{
    struct db_change c = {
        .filter = BCON_NEW("_id", BCON_UTF8(name), "epoch", "{", "$lte", BCON_INT64(to.epoch), "}"),
        .update = bson_new(),
        .proof = BCON_NEW("_id", BCON_UTF8(name), "fence", BCON_INT64(to.fence), "epoch",
                          BCON_INT64(to.epoch))};
    if (slot->task == NULL) {
        BSON_APPEND_NULL(c.filter, "task");
    } else {
        BCON_APPEND(c.filter, "task", BCON_UTF8(slot->task), "fence", BCON_INT64(slot->fence));
    }
    if (to.task == NULL) {
        BCON_APPEND(c.update, "$set", "{", "task", BCON_NULL, "since", BCON_NULL, "epoch",
                    BCON_INT64(to.epoch), "}");
        BSON_APPEND_NULL(c.proof, "task");
    } else {
        BCON_APPEND(c.update, "$set", "{", "task", BCON_UTF8(to.task), "fence",
                    BCON_INT64(to.fence), "since", BCON_DATE_TIME(wall_ms()), "epoch",
                    BCON_INT64(to.epoch), "}");
        BSON_APPEND_UTF8(c.proof, "task", to.task);
    }
    return c;
}

int slots_stamp(struct scheduler *s, struct err *err)
{
    int64_t epoch = lease_epoch(s->lease);
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        for (int64_t k = 0; k < s->dispatch.pools[i].n_slots; k++) {
            char name[SLOT_NAME_MAX];
            slots_name(&s->dispatch.pools[i], k, name);
            const struct db_change stamp = {
                .filter = BCON_NEW("_id", BCON_UTF8(name)),
                .update = BCON_NEW("$max", "{", "epoch", BCON_INT64(epoch), "}")};
            if (db_batch_add(&changes, stamp, err) != 0) {
                return -1;
            }
        }
    }
    int rc = db_batch_write(&changes, s->db, DB_SLOTS, err);
    s->dispatch.stamped_epoch = rc == 0 ? epoch : s->dispatch.stamped_epoch;
    return rc;
}

int slot_changed(struct scheduler *s, struct slot *slot, const char *task, int64_t fence, bool won,
                 struct err *err)
{
    if (!won) {
        s->dispatch.cache_valid = false;
        return 0;
    }
    free(slot->task);
    slot->task = task != NULL ? strdup(task) : NULL;
    slot->fence = fence;
    slot->admission_seen = false;
    slot->held = task != NULL;
    return task == NULL || slot->task != NULL ? 0 : err_no_memory(err);
}

/* --- slots that no task names back --- */

struct doubtful {
    const struct scheduler *s;
    struct slot *slot;
    char name[SLOT_NAME_MAX];
    bool held;
};
struct doubts {
    struct doubtful *at;
    size_t n;
};

static int collect_doubts(const struct scheduler *s, struct doubts *d, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        const struct pool *p = &s->dispatch.pools[i];
        for (int64_t n = 0; n < p->n_slots; n++) {
            struct slot *slot = &p->slots[n];
            if (!slot->there || slot->task == NULL || slot->held || slot->admission_seen) {
                continue;
            }
            struct doubtful *more = realloc(d->at, (d->n + 1) * sizeof *more);
            if (more == NULL) {
                return err_no_memory(err);
            }
            d->at = more;
            d->at[d->n] = (struct doubtful){.s = s, .slot = slot};
            slots_name(p, n, d->at[d->n++].name);
        }
    }
    return 0;
}

/* An admission whose task update is still on its way must not land after the slot is free. */
static struct db_change outdate_admission(const struct doubtful *d)
{
    return (struct db_change){
        .filter = BCON_NEW("_id", BCON_UTF8(d->slot->task), "state", BCON_UTF8("ready"), "fence",
                           BCON_INT64(d->slot->fence - 1)),
        .update = BCON_NEW("$inc", "{", "fence", BCON_INT64(1), "}"),
    };
}

static struct db_change free_slot(const struct doubtful *d)
{
    return slot_change(d->slot, d->name,
                       (struct slot_to){NULL, d->slot->fence, lease_epoch(d->s->lease)});
}

/* Write one change for each slot that is not held, by one command. */
static int change_doubtful(struct scheduler *s, const char *coll, const struct doubts *d,
                           struct db_change make(const struct doubtful *), struct db_batch *changes,
                           struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!d->at[i].held && db_batch_add(changes, make(&d->at[i]), err) != 0) {
            return -1;
        }
    }
    return db_batch_write(changes, s->db, coll, err);
}

static int outdate_admissions(struct scheduler *s, const struct doubts *d, struct err *err)
{
    AUTO_BATCH changes = {0};
    return change_doubtful(s, DB_TASKS, d, outdate_admission, &changes, err);
}

static int free_slots(struct scheduler *s, const struct doubts *d, struct err *err)
{
    AUTO_BATCH changes = {0};
    int rc = change_doubtful(s, DB_SLOTS, d, free_slot, &changes, err);
    for (size_t i = 0, n = 0; i < d->n && rc == 0; i++) {
        struct slot *slot = d->at[i].slot;
        if (!d->at[i].held) {
            rc = slot_changed(s, slot, NULL, slot->fence, changes.items[n++].won, err);
        }
    }
    return rc;
}

static int mark_holder(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    struct doubts *d = ctx;
    for (size_t i = 0; i < d->n; i++) {
        d->at[i].held |= strcmp(d->at[i].slot->task, doc_str(doc, "_id", "")) == 0 &&
                         strcmp(d->at[i].name, doc_str(doc, "slot", "")) == 0;
    }
    return 0;
}

/* Ask the database now: an admission may have landed since this pass read the tasks. */
static int find_holders(struct scheduler *s, struct doubts *d, struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    for (size_t i = 0; i < d->n; i++) {
        char key[16];
        const char *k;
        size_t len = bson_uint32_to_string((uint32_t)i, &k, key, sizeof key);
        bson_append_utf8(&ids, k, (int)len, d->at[i].slot->task, -1);
    }
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}", "state", "{", "$in", "[",
                 BCON_UTF8("admitted"), BCON_UTF8("running"), BCON_UTF8("parked"), "]", "}");
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "slot", BCON_INT32(1), "}");
    bson_destroy(&ids);
    return db_each(s->db, DB_TASKS, filter, opts, mark_holder, d, err);
}

/* A ready task whose admission was outdated has changed since it was read: its turn comes in the
 * next pass. */
static void pass_over_outdated(struct scheduler *s, const struct doubts *d)
{
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        for (size_t k = 0; k < d->n && t->state == TASK_READY; k++) {
            const struct slot *slot = d->at[k].slot;
            bool outdated = slot->fence - 1 == t->fence && strcmp(slot->task, t->id) == 0;
            t->not_before_ms = outdated ? INT64_MAX : t->not_before_ms;
        }
    }
}

/* model: reap slot */
int slots_reap(struct scheduler *s, struct err *err)
{
    struct doubts d = {0};
    int rc = collect_doubts(s, &d, err);
    if (rc == 0 && d.n > 0) {
        pass_over_outdated(s, &d);
        rc = outdate_admissions(s, &d, err) != 0 || find_holders(s, &d, err) != 0 ||
                     free_slots(s, &d, err) != 0
                 ? -1
                 : 0;
    }
    free(d.at);
    return rc;
}
