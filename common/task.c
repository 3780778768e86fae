/*
 * task.c - every transition of a task is one guarded update.
 *
 * The guard of a worker's write is (id, kind, state running, fence, worker): if any of them has
 * moved on, the write matches nothing and the attempt learns that it is fenced. The scheduler's
 * transitions (admission, wake-up, loss) are in scheduler/; they use the same table.
 */
#include "common/task.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/mono.h"

static const char *const state_names[] = {
    [TASK_READY] = "ready",     [TASK_ADMITTED] = "admitted",   [TASK_RUNNING] = "running",
    [TASK_PARKED] = "parked",   [TASK_DONE] = "done",           [TASK_FAILED] = "failed",
    [TASK_DEAD] = "dead",       [TASK_CANCELLED] = "cancelled", [TASK_SKIPPED] = "skipped",
    [TASK_IGNORED] = "ignored",
};
static_assert(sizeof state_names / sizeof *state_names == TASK_STATE_COUNT, "a name for each");

#define BIT(s) (1U << (s))
/* from -> the set of states it may become. done -> ready is a repeated index of a changed file. */
static const unsigned allowed[] = {
    [TASK_READY] = BIT(TASK_ADMITTED) | BIT(TASK_CANCELLED) | BIT(TASK_SKIPPED),
    [TASK_ADMITTED] = BIT(TASK_RUNNING) | BIT(TASK_READY) | BIT(TASK_CANCELLED),
    [TASK_RUNNING] = BIT(TASK_DONE) | BIT(TASK_PARKED) | BIT(TASK_READY) | BIT(TASK_FAILED) |
                     BIT(TASK_DEAD) | BIT(TASK_CANCELLED),
    [TASK_PARKED] = BIT(TASK_ADMITTED) | BIT(TASK_CANCELLED),
    [TASK_DONE] = BIT(TASK_READY),
    [TASK_FAILED] = BIT(TASK_READY) | BIT(TASK_SKIPPED) | BIT(TASK_IGNORED),
    [TASK_DEAD] = BIT(TASK_READY) | BIT(TASK_SKIPPED) | BIT(TASK_IGNORED),
    [TASK_CANCELLED] = BIT(TASK_READY) | BIT(TASK_SKIPPED) | BIT(TASK_IGNORED),
    [TASK_SKIPPED] = BIT(TASK_READY),
    [TASK_IGNORED] = BIT(TASK_READY),
};
static_assert(sizeof allowed / sizeof *allowed == TASK_STATE_COUNT, "a row for each");

const char *task_state_name(enum task_state s)
{
    return state_names[s];
}

int task_state_parse(const char *name, enum task_state *out)
{
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *out = (enum task_state)i;
            return 0;
        }
    }
    return -1;
}

bool task_may(enum task_state from, enum task_state to)
{
    return (allowed[from] & BIT(to)) != 0;
}

bool task_is_terminal(enum task_state s)
{
    return s >= TASK_DONE;
}

bool task_holds_slot(enum task_state s)
{
    return s == TASK_ADMITTED || s == TASK_RUNNING || s == TASK_PARKED;
}

char *task_id(const char *raw_file, const char *kind, const char *settings)
{
    char *id = NULL;
    int n = settings != NULL ? asprintf(&id, "%s/%s/%s", raw_file, kind, settings)
                             : asprintf(&id, "%s/%s", raw_file, kind);
    return n < 0 ? NULL : id;
}

const char *task_pool(const char *kind)
{
    static const struct {
        const char *kind, *pool;
    } pools[] = {
        {"copy", "file_copy"}, {"quant", "cluster_slots"}, {"index", "index"},
        {"move", "file_move"}, {"remove", "file_remove"},  {"upload", "s3_upload"},
    };
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        if (strcmp(kind, pools[i].kind) == 0) {
            return pools[i].pool;
        }
    }
    return "index";
}

/* --- the pointer in Kafka --- */

#define POINTER_MAX 4096 /* our own messages are below 1 KiB */

static int copy_field(const bson_t *doc, const char *key, char *dst, size_t room)
{
    const char *s = doc_str(doc, key, "");
    size_t len = strlen(s);
    if (len == 0 || len >= room) {
        return -1;
    }
    memcpy(dst, s, len + 1);
    return 0;
}

int task_pointer_decode(const void *data, size_t len, struct task_pointer *out, struct err *err)
{
    if (len == 0 || len > POINTER_MAX) {
        return ERR(err, ERR_INVALID, 0, "a task message of %zu bytes", len);
    }
    bson_error_t e;
    AUTO(bson_destroy) bson_t *doc = bson_new_from_json(data, (ssize_t)len, &e);
    if (doc == NULL) {
        return ERR(err, ERR_INVALID, 0, "a task message that is no JSON object");
    }
    int64_t version = doc_i64(doc, "v", -1);
    if (version != 1) {
        return ERR(err, ERR_INVALID, 0, "a task message of version %lld, not 1",
                   (long long)version);
    }
    out->attempt = doc_i64(doc, "attempt", -1);
    out->fence = doc_i64(doc, "fence", -1);
    if (copy_field(doc, "task", out->task, sizeof out->task) != 0 ||
        copy_field(doc, "kind", out->kind, sizeof out->kind) != 0 || out->attempt < 0 ||
        out->fence < 0) {
        return ERR(err, ERR_INVALID, 0, "a task message without task, kind, attempt or fence");
    }
    return 0;
}

char *task_pointer_encode(const struct task_pointer *p)
{
    bson_t doc = BSON_INITIALIZER;
    BCON_APPEND(&doc, "v", BCON_INT32(1), "task", BCON_UTF8(p->task), "attempt",
                BCON_INT64(p->attempt), "fence", BCON_INT64(p->fence), "kind", BCON_UTF8(p->kind));
    char *json = bson_as_relaxed_extended_json(&doc, NULL);
    bson_destroy(&doc);
    return json;
}

/* --- planning --- */

bson_t *task_new_document(const struct task_new *t)
{
    AUTO(free) char *id = task_id(t->raw_file, t->kind, t->settings);
    bson_t empty = BSON_INITIALIZER;
    bson_t *doc = BCON_NEW(
        "_id", BCON_UTF8(id), "v", BCON_INT32(1), "kind", BCON_UTF8(t->kind), "pool",
        BCON_UTF8(task_pool(t->kind)), "raw_file", BCON_UTF8(t->raw_file), "settings",
        BCON_UTF8(t->settings != NULL ? t->settings : ""), "instrument_id",
        BCON_UTF8(t->instrument != NULL ? t->instrument : ""), "project_id",
        BCON_UTF8(t->project != NULL ? t->project : ""), "priority", BCON_INT64(t->priority),
        "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "fence", BCON_INT64(0), "epoch",
        BCON_INT64(0), "slot", BCON_NULL, "worker", BCON_NULL, "created_at",
        BCON_DATE_TIME(wall_ms()), "ready_at", BCON_DATE_TIME(wall_ms()), "input",
        BCON_DOCUMENT(t->input != NULL ? t->input : &empty));
    if (t->not_before_ms > 0) {
        BSON_APPEND_DATE_TIME(doc, "not_before", t->not_before_ms);
    }
    return doc;
}

int task_create(struct db *db, const struct task_new *t, bool *made, struct err *err)
{
    AUTO(bson_destroy) bson_t *doc = task_new_document(t);
    return db_insert(db, DB_TASKS, doc, made, err);
}

struct db_change task_reopening(const struct task_new *t, bool only_done)
{
    AUTO(free) char *id = task_id(t->raw_file, t->kind, t->settings);
    bson_t empty = BSON_INITIALIZER;
    return (struct db_change){
        .filter = only_done
                      ? BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8("done"))
                      : BCON_NEW("_id", BCON_UTF8(id), "state", "{", "$in", "[", BCON_UTF8("done"),
                                 BCON_UTF8("failed"), BCON_UTF8("dead"), BCON_UTF8("cancelled"),
                                 BCON_UTF8("skipped"), BCON_UTF8("ignored"), "]", "}"),
        .update =
            BCON_NEW("$set", "{", "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "setbacks",
                     BCON_INT64(0), "slot", BCON_NULL, "worker", BCON_NULL, "priority",
                     BCON_INT64(t->priority), "ready_at", BCON_DATE_TIME(wall_ms()), "input",
                     BCON_DOCUMENT(t->input != NULL ? t->input : &empty), "}", "$unset", "{",
                     "not_before", BCON_BOOL(true), "wait_ms", BCON_BOOL(true), "kept",
                     BCON_BOOL(true), "parked", BCON_BOOL(true), "cancel", BCON_BOOL(true),
                     "skipped", BCON_BOOL(true), "ignored", BCON_BOOL(true), "}"),
    };
}

int task_reopen(struct db *db, const struct task_new *t, bool only_done, bool *won, struct err *err)
{
    struct db_change c = task_reopening(t, only_done);
    int rc = db_update(db, DB_TASKS, c.filter, c.update, won, err);
    db_change_fini(&c);
    return rc;
}

/* --- the worker's side --- */

static bson_t *guard(const struct task_claim *c, const char *state)
{
    return BCON_NEW("_id", BCON_UTF8(c->task), "kind", BCON_UTF8(c->kind), "state",
                    BCON_UTF8(state), "fence", BCON_INT64(c->fence), "worker",
                    BCON_UTF8(c->worker));
}

/* model: claim */
int task_claim(struct db *db, const struct task_claim *c, bson_t **out, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(c->task), "kind", BCON_UTF8(c->kind), "state",
                              BCON_UTF8("admitted"), "fence", BCON_INT64(c->fence), "cancel", "{",
                              "$exists", BCON_BOOL(false), "}");
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8("running"), "worker",
                              BCON_UTF8(c->worker), "started_at", BCON_DATE_TIME(wall_ms()), "}");
    struct db_change claim = {.filter = filter, .update = update};
    AUTO(bson_destroy) bson_t *now = NULL;
    if (db_find_update_together(db, DB_TASKS, c->task, &claim, &now, err) != 0) {
        return -1;
    }
    /* Also when the reply to an earlier, identical claim of ours was lost on the way. */
    bool mine = now != NULL && strcmp(doc_str(now, "state", ""), "running") == 0 &&
                doc_i64(now, "fence", -1) == c->fence &&
                strcmp(doc_str(now, "worker", ""), c->worker) == 0 &&
                strcmp(doc_str(now, "kind", ""), c->kind) == 0;
    *out = mine ? TAKE(now) : NULL;
    return 0;
}

/* The fence is this attempt's alone: the document that still has it was changed by nobody else. */
static bson_t *left_by(const struct task_claim *c, const bson_t *update)
{
    return BCON_NEW("_id", BCON_UTF8(c->task), "fence", BCON_INT64(c->fence), "state",
                    BCON_UTF8(doc_str(update, "$set.state", "running")));
}

/* model: settle, hand back. running -> to: gives the slot back by naming none (the scheduler frees
 * the slot's document). */
static int leave_running(struct db *db, const struct task_claim *c, bson_t *update, bool *won,
                         struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = guard(c, "running");
    AUTO(bson_destroy) bson_t *proof = left_by(c, update);
    struct db_change change = {.filter = filter, .update = update, .proof = proof};
    int rc = db_update_together(db, DB_TASKS, &change, err);
    *won = change.won;
    return rc;
}

int task_done(struct db *db, const struct task_claim *c, const bson_t *result, bool *won,
              struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "state", BCON_UTF8("done"), "result", BCON_DOCUMENT(result), "slot",
                 BCON_NULL, "ended_at", BCON_DATE_TIME(wall_ms()), "}", "$unset", "{", "parked",
                 BCON_BOOL(true), "error", BCON_BOOL(true), "}");
    return leave_running(db, c, update, won, err);
}

int task_park(struct db *db, const struct task_claim *c, const bson_t *parked, bool *won,
              struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8("parked"), "parked",
                              BCON_DOCUMENT(parked), "parked_at", BCON_DATE_TIME(wall_ms()), "}");
    return leave_running(db, c, update, won, err);
}

#define HOLD_MAX_MS 15000

/* Random in [0, min(max, base * 2^(attempt-1))): full jitter keeps a herd apart. */
static int64_t back_off_ms(const struct config *cfg, int64_t attempt)
{
    int64_t ceiling = cfg->retry.base_ms;
    for (int64_t i = 1; i < attempt && ceiling < cfg->retry.max_ms; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < cfg->retry.max_ms ? ceiling : cfg->retry.max_ms;
    return mono_random(ceiling > 0 ? ceiling : 1);
}

/* What an error's kind means for the attempt: the next state, and whether the try counts. */
static enum task_state verdict(const struct err *why, int64_t attempt, const struct config *cfg,
                               bool *counts)
{
    *counts = true;
    switch (why->kind) {
    case ERR_INVALID:
        return TASK_FAILED;
    case ERR_CANCELLED:
        return TASK_CANCELLED;
    case ERR_HOLD:
    case ERR_LOST:
    case ERR_YIELD:
        *counts = false;
        return TASK_READY;
    case ERR_NONE:
    case ERR_TRANSIENT:
    case ERR_FENCED:
    case ERR_FATAL:
    case ERR_KIND_COUNT:
        break;
    }
    return attempt >= cfg->retry.max_attempts ? TASK_DEAD : TASK_READY;
}

/* How long a task that goes back to ready waits. A hold is looked at again within HOLD_MAX_MS, so
 * that work goes on soon after the location or the cluster is back. */
static int64_t wait_ms(const struct config *cfg, const bson_t *task, const struct err *why,
                       bool counts)
{
    if (why->kind == ERR_YIELD) {
        return 0;
    }
    int64_t tries = counts ? doc_i64(task, "attempt", 1) : doc_i64(task, "setbacks", 0) + 1;
    int64_t ms = back_off_ms(cfg, tries);
    return why->kind == ERR_HOLD && ms > HOLD_MAX_MS ? HOLD_MAX_MS : ms;
}

int task_fail(struct db *db, const struct task_claim *c, const bson_t *task, const struct err *why,
              const struct config *cfg, enum task_state *to, bool *won, struct err *err)
{
    int64_t attempt = doc_i64(task, "attempt", 1);
    bool counts;
    *to = verdict(why, attempt, cfg, &counts);
    int64_t now = wall_ms();
    bson_t update = BSON_INITIALIZER, set, error, inc;
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    BSON_APPEND_UTF8(&set, "state", task_state_name(*to));
    BSON_APPEND_NULL(&set, "slot");
    if (*to == TASK_READY) {
        int64_t wait = wait_ms(cfg, task, why, counts);
        BSON_APPEND_DATE_TIME(&set, "not_before", now + wait);
        BSON_APPEND_INT64(&set, "wait_ms", wait);
        BSON_APPEND_DATE_TIME(&set, "ready_at", now);
        BSON_APPEND_NULL(&set, "worker");
    } else {
        BSON_APPEND_DATE_TIME(&set, "ended_at", now);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&set, "error", &error);
    BCON_APPEND(&error, "kind", BCON_UTF8(err_kind_name(why->kind)), "step",
                BCON_UTF8(why->where != NULL ? why->where : ""), "msg", BCON_UTF8(why->msg), "at",
                BCON_DATE_TIME(now), "attempt", BCON_INT64(attempt));
    bson_append_document_end(&set, &error);
    bson_append_document_end(&update, &set);
    if (!counts) {
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$inc", &inc);
        BSON_APPEND_INT64(&inc, "attempt", -1);
        BSON_APPEND_INT64(&inc, "setbacks", 1);
        bson_append_document_end(&update, &inc);
    }
    if (*to == TASK_READY) {
        bson_t unset;
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$unset", &unset);
        BSON_APPEND_BOOL(&unset, "parked", true);
        if (why->kind == ERR_LOST) { /* the job outside is gone: the next try starts a new one */
            BSON_APPEND_BOOL(&unset, "kept", true);
        }
        bson_append_document_end(&update, &unset);
    }
    int rc = leave_running(db, c, &update, won, err);
    bson_destroy(&update);
    return rc;
}

int task_keep(struct db *db, const struct task_claim *c, const bson_t *fields, bool *won,
              struct err *err)
{
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(fields));
    return leave_running(db, c, update, won, err);
}

static bson_t *parked_guard(const char *task, int64_t fence)
{
    return BCON_NEW("_id", BCON_UTF8(task), "state", BCON_UTF8("parked"), "fence",
                    BCON_INT64(fence));
}

int task_note_wait(struct db *db, const char *task, int64_t fence, const char *state,
                   struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = parked_guard(task, fence);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "parked.state", BCON_UTF8(state), "}");
    return db_update(db, DB_TASKS, filter, update, &won, err);
}

/* model: watch */
int task_ended(struct db *db, const char *task, int64_t fence, const bson_t *ended, bool *won,
               struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = parked_guard(task, fence);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "parked.ended", BCON_DOCUMENT(ended), "}");
    return db_update(db, DB_TASKS, filter, update, won, err);
}

/* --- the operator's side --- */

bool task_is_below(const char *kind, const char *above)
{
    static const struct {
        const char *above, *kind;
    } pairs[] = {{"copy", "quant"},  {"copy", "index"},  {"copy", "move"},
                 {"copy", "remove"}, {"quant", "index"}, {"move", "remove"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (strcmp(above, pairs[i].above) == 0 && strcmp(kind, pairs[i].kind) == 0) {
            return true;
        }
    }
    return false;
}

/* The task in one of these states. */
static bson_t *in_states(const char *task, unsigned states)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(task));
    bson_t names = BSON_INITIALIZER, any = BSON_INITIALIZER;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        if ((states & BIT(i)) != 0) {
            BSON_APPEND_BOOL(&names, state_names[i], true);
        }
    }
    db_append_keys(&any, &names);
    BCON_APPEND(filter, "state", "{", "$in", BCON_ARRAY(&any), "}");
    bson_destroy(&names);
    bson_destroy(&any);
    return filter;
}

/* {by, at, why, because}: who did it. */
static bson_t *deed(const struct task_order *o)
{
    bson_t *doc = BCON_NEW("by", BCON_UTF8(o->by), "at", BCON_DATE_TIME(wall_ms()));
    if (o->why[0] != '\0') {
        BSON_APPEND_UTF8(doc, "why", o->why);
    }
    if (o->because != NULL) {
        BSON_APPEND_UTF8(doc, "because", o->because);
    }
    return doc;
}

int task_cancel(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *who = deed(o);
    AUTO(bson_destroy) bson_t *waiting = in_states(o->task, BIT(TASK_READY));
    AUTO(bson_destroy)
    bson_t *end = BCON_NEW("$set", "{", "state", BCON_UTF8("cancelled"), "ended_at",
                           BCON_DATE_TIME(wall_ms()), "cancel", BCON_DOCUMENT(who), "}");
    if (db_update(db, DB_TASKS, waiting, end, won, err) != 0 || *won) {
        return *won ? 0 : -1;
    }
    AUTO(bson_destroy)
    bson_t *busy = in_states(o->task, BIT(TASK_ADMITTED) | BIT(TASK_RUNNING) | BIT(TASK_PARKED));
    AUTO(bson_destroy)
    bson_t *ask = BCON_NEW("$set", "{", "cancel", BCON_DOCUMENT(who), "}");
    return db_update(db, DB_TASKS, busy, ask, won, err);
}

int task_retry(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *who = deed(o);
    AUTO(bson_destroy)
    bson_t *filter = in_states(o->task, BIT(TASK_FAILED) | BIT(TASK_DEAD) | BIT(TASK_CANCELLED) |
                                            BIT(TASK_SKIPPED) | BIT(TASK_IGNORED));
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "slot",
                 BCON_NULL, "worker", BCON_NULL, "ready_at", BCON_DATE_TIME(wall_ms()), "retried",
                 BCON_DOCUMENT(who), "}", "$unset", "{", "not_before", BCON_BOOL(true), "wait_ms",
                 BCON_BOOL(true), "cancel", BCON_BOOL(true), "parked", BCON_BOOL(true), "kept",
                 BCON_BOOL(true), "skipped", BCON_BOOL(true), "ignored", BCON_BOOL(true), "}");
    return db_update(db, DB_TASKS, filter, update, won, err);
}

/* The planner has not heard of it: no open task leads it to the raw file. */
static int set_aside(struct db *db, const struct task_order *o, const bson_t *filter,
                     enum task_state to, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *who = deed(o);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8(state_names[to]), state_names[to],
                              BCON_DOCUMENT(who), "ended_at", BCON_DATE_TIME(wall_ms()),
                              "unplanned", BCON_BOOL(true), "}");
    return db_update(db, DB_TASKS, filter, update, won, err);
}

int task_skip(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = in_states(o->task, BIT(TASK_READY) | BIT(TASK_FAILED) | BIT(TASK_DEAD) |
                                            BIT(TASK_CANCELLED));
    return set_aside(db, o, filter, TASK_SKIPPED, won, err);
}

int task_ignore(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = in_states(o->task, BIT(TASK_FAILED) | BIT(TASK_DEAD) | BIT(TASK_CANCELLED));
    return set_aside(db, o, filter, TASK_IGNORED, won, err);
}
