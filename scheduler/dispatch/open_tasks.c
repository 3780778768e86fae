/*
 * open_tasks.c - the open tasks of a pass, and the scheduler's own transitions.
 *
 * A full pass reads all open tasks; a pass for touched raw files reads only theirs and keeps the
 * others as they were. MongoDB's cursors are no snapshot: a task may come twice (the latest reading
 * stays) or be missed (slots_mark asks for it by id).
 *
 * A transition is guarded by the state, fence and epoch that were read, so acting on an old reading
 * changes nothing. open_task_moved applies a written one to the list.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/strset.h"
#include "scheduler/scheduler.h"

static char *dup_field(const bson_t *doc, const char *field)
{
    return strdup(doc_str(doc, field, ""));
}

static int64_t busy_since(const bson_t *task)
{
    bool busy = strcmp(doc_str(task, "held.code", ""), err_code_name(ERR_CODE_SOURCE_BUSY)) == 0;
    return busy ? doc_i64(task, "held.since", 0) : 0;
}

static int add_open(void *ctx, const bson_t *doc, struct err *err)
{
    struct scheduler *s = ctx;
    struct open_task t = {
        .fence = doc_i64(doc, "fence", 0),
        .attempt = doc_i64(doc, "attempt", 0),
        .priority = doc_i64(doc, "priority", 0),
        .ready_ms = doc_i64(doc, "ready_at", 0),
        .not_before_ms = doc_i64(doc, "not_before", 0),
        .wait_ms = doc_i64(doc, "wait_ms", -1),
        .undated = doc_i64(doc, "wait_ms", 0) > 0 && !doc_has(doc, "not_before"),
        .lost = doc_i64(doc, "lost", 0),
        .busy_ms = busy_since(doc),
        .cancel = doc_has(doc, "cancel"),
        .ended = doc_has(doc, "parked.ended"),
        .fresh = true,
    };
    if (task_state_parse(doc_str(doc, "state", ""), &t.state) != 0) {
        return 0;
    }
    if (s->dispatch.n_open == s->dispatch.open_room) {
        size_t room = s->dispatch.open_room + 256;
        struct open_task *more = realloc(s->dispatch.open, room * sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        s->dispatch.open = more;
        s->dispatch.open_room = room;
    }
    t.id = dup_field(doc, "_id");
    t.kind = dup_field(doc, "kind");
    t.pool = dup_field(doc, "pool");
    t.raw_file = dup_field(doc, "raw_file");
    t.instrument = dup_field(doc, "instrument_id");
    t.project = dup_field(doc, "project_id");
    t.slot = dup_field(doc, "slot");
    t.worker = dup_field(doc, "worker");
    s->dispatch.open[s->dispatch.n_open++] = t;
    return 0;
}

static void free_open(struct open_task *t)
{
    char *const owned[] = {t->id,         t->kind,    t->pool, t->raw_file,
                           t->instrument, t->project, t->slot, t->worker};
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) {
        free(owned[k]);
    }
}

void open_tasks_clear(struct dispatch *d)
{
    for (size_t i = 0; i < d->n_open; i++) {
        free_open(&d->open[i]);
    }
    free(d->open);
    d->open = NULL;
    d->n_open = d->open_room = 0;
}

/* index: the field whose index is used, or NULL. */
static int add_matching(struct scheduler *s, const bson_t *filter, const char *index,
                        struct err *err)
{
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "projection", "{", "input",
                            BCON_INT32(0), "result", BCON_INT32(0), "kept", BCON_INT32(0),
                            "published", BCON_INT32(0), "error", BCON_INT32(0), "}");
    if (index == NULL) {
        return db_each(s->db, DB_TASKS, filter, opts, add_open, s, err);
    }
    struct err why = {0};
    AUTO(bson_destroy) bson_t *hinted = bson_copy(opts);
    BCON_APPEND(hinted, "hint", "{", index, BCON_INT32(1), "}");
    if (db_each(s->db, DB_TASKS, filter, hinted, add_open, s, &why) == 0) {
        return 0;
    }
    if (why.code == ERR_CODE_DATABASE_REFUSED) { /* the index is not built yet */
        s->dispatch.open_complete = false; /* read by state, one that moves may slip through */
        return db_each(s->db, DB_TASKS, filter, opts, add_open, s, err);
    }
    *err = why;
    return -1;
}

static int by_id_latest_first(const void *a, const void *b)
{
    const struct open_task *x = *(struct open_task *const *)a, *y = *(struct open_task *const *)b;
    int order = strcmp(x->id, y->id);
    if (order != 0) {
        return order;
    }
    return x->fence != y->fence ? (x->fence < y->fence) - (x->fence > y->fence)
                                : (x->state < y->state) - (x->state > y->state);
}

/* MongoDB's cursors are no snapshot: a task that moves on while the list is read may come twice. */
static int drop_repeated(struct scheduler *s, struct err *err)
{
    AUTO(free) struct open_task **by_id = calloc(s->dispatch.n_open + 1, sizeof *by_id);
    size_t kept = 0;
    if (by_id == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        by_id[i] = &s->dispatch.open[i];
    }
    qsort(by_id, s->dispatch.n_open, sizeof *by_id, by_id_latest_first);
    for (size_t i = 1; i < s->dispatch.n_open; i++) {
        by_id[i]->repeated = strcmp(by_id[i]->id, by_id[i - 1]->id) == 0;
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        if (s->dispatch.open[i].repeated) {
            free_open(&s->dispatch.open[i]);
        } else {
            s->dispatch.open[kept++] = s->dispatch.open[i];
        }
    }
    s->dispatch.n_open = kept;
    return 0;
}

static int load_all(struct scheduler *s, struct err *err)
{
    s->dispatch.open_complete = false;
    open_tasks_clear(&s->dispatch);
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("state", "{", "$in", "[", BCON_UTF8("ready"), BCON_UTF8("admitted"),
                              BCON_UTF8("running"), BCON_UTF8("parked"), "]", "}");
    return add_matching(s, filter, NULL, err) == 0 ? drop_repeated(s, err) : -1;
}

int open_tasks_add_holders(struct scheduler *s, const bson_t *ids, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}", "state", "{", "$in", "[",
                 BCON_UTF8("admitted"), BCON_UTF8("running"), BCON_UTF8("parked"), "]", "}");
    return add_matching(s, filter, NULL, err) == 0 ? drop_repeated(s, err) : -1;
}

static int keys_of(const bson_t *doc, struct strset *out, struct err *err)
{
    bson_iter_t i;
    if (strset_begin(out, bson_count_keys(doc), err) != 0) {
        return -1;
    }
    for (bool more = bson_iter_init(&i, doc) && bson_iter_next(&i); more;
         more = bson_iter_next(&i)) {
        strset_add(out, bson_iter_key(&i));
    }
    strset_sort(out);
    return 0;
}

/* Tasks of untouched raw files stay as they were read: if one has moved on, its guard fails, and
 * the next full pass reads it again. */
static int keep_untouched(struct scheduler *s, const bson_t *touched, struct err *err)
{
    struct strset keys = {0};
    size_t kept = 0;
    if (keys_of(touched, &keys, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        struct open_task *t = &s->dispatch.open[i];
        if (strset_has(&keys, t->raw_file)) {
            free_open(t);
        } else {
            t->fresh = false;
            s->dispatch.open[kept++] = *t;
        }
    }
    s->dispatch.n_open = kept;
    strset_clear(&keys);
    return 0;
}

static int load_touched(struct scheduler *s, const bson_t *touched, struct err *err)
{
    if (bson_empty(touched)) {
        return 0;
    }
    if (keep_untouched(s, touched, err) != 0) {
        return -1;
    }
    bson_t ids = BSON_INITIALIZER;
    db_append_keys(&ids, touched);
    AUTO(bson_destroy)
    bson_t *open = BCON_NEW("raw_file", "{", "$in", BCON_ARRAY(&ids), "}", "state", "{", "$in", "[",
                            BCON_UTF8("ready"), BCON_UTF8("admitted"), BCON_UTF8("running"),
                            BCON_UTF8("parked"), "]", "}");
    bson_destroy(&ids);
    return add_matching(s, open, "raw_file", err); /* not by state: none can slip through */
}

int open_tasks_load(struct scheduler *s, const bson_t *touched, struct err *err)
{
    return touched == NULL ? load_all(s, err) : load_touched(s, touched, err);
}

int task_change(struct scheduler *s, const struct open_task *t, enum task_state to,
                const bson_t *set, const bson_t *unset, struct db_change *out, struct err *err)
{
    int64_t epoch = lease_epoch(s->lease);
    bson_t all;
    if (task_check(t->id, t->state, to, err) != 0) {
        return -1;
    }
    out->filter =
        BCON_NEW("_id", BCON_UTF8(t->id), "state", BCON_UTF8(task_state_name(t->state)), "fence",
                 BCON_INT64(t->fence), "epoch", "{", "$lte", BCON_INT64(epoch), "}");
    out->update = bson_new();
    BSON_APPEND_DOCUMENT_BEGIN(out->update, "$set", &all);
    BSON_APPEND_UTF8(&all, "state", task_state_name(to));
    BSON_APPEND_INT64(&all, "epoch", epoch);
    bson_concat(&all, set);
    bson_append_document_end(out->update, &all);
    if (unset != NULL) {
        BSON_APPEND_DOCUMENT(out->update, "$unset", unset);
    }
    out->proof = BCON_NEW("_id", BCON_UTF8(t->id), "state", BCON_UTF8(task_state_name(to)), "epoch",
                          BCON_INT64(epoch));
    bson_concat(out->proof, set);
    return 0;
}

int task_transition(struct scheduler *s, const struct open_task *t, enum task_state to,
                    const bson_t *set, const bson_t *unset, bool *won, struct err *err)
{
    struct db_change c = {0};
    int rc = task_change(s, t, to, set, unset, &c, err) != 0
                 ? -1
                 : db_update(s->db, DB_TASKS, c.filter, c.update, won, err);
    db_change_fini(&c);
    return rc;
}

void open_task_moved(struct open_task *t, enum task_state to, int attempts)
{
    t->state = to;
    t->fence++;
    t->attempt += attempts;
}
