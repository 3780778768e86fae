/*
 * task.c - a task's states and their table of transitions, its id, its pointer in Kafka, and how it
 * is made.
 *
 * Every transition is one guarded update: the worker's are in task_worker.c, the operator's in
 * task_operator.c, the scheduler's (admission, wake-up, loss) in scheduler/; all use this table.
 */
#include "common/task/task.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/batch.h"
#include "common/task/kinds.h"

static const char *const state_names[] = {
    [TASK_READY] = "ready",     [TASK_ADMITTED] = "admitted",   [TASK_RUNNING] = "running",
    [TASK_PARKED] = "parked",   [TASK_DONE] = "done",           [TASK_FAILED] = "failed",
    [TASK_DEAD] = "dead",       [TASK_CANCELLED] = "cancelled", [TASK_SKIPPED] = "skipped",
    [TASK_IGNORED] = "ignored",
};
static_assert(sizeof state_names / sizeof *state_names == TASK_STATE_COUNT, "a name for each");

#define BIT(s) (1U << (s))
/* from -> the states that may follow. done -> ready: task_reopening. */
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

int task_check(const char *task, enum task_state from, enum task_state to, struct err *err)
{
    if (from == to || task_may(from, to)) {
        return 0;
    }
    return ERR(err, ERR_FATAL, 0, "a bug in Trawl: task %s cannot go from %s to %s", task,
               state_names[from], state_names[to]);
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

int64_t task_not_before_ms(const bson_t *task, int64_t now_ms)
{
    int64_t wait_ms = doc_i64(task, "wait_ms", 0);
    return doc_i64(task, "not_before", wait_ms > 0 ? now_ms + wait_ms : 0);
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
        BCON_UTF8(task_kind(t->kind)->pool), "raw_file", BCON_UTF8(t->raw_file), "settings",
        BCON_UTF8(t->settings != NULL ? t->settings : ""), "instrument_id",
        BCON_UTF8(t->instrument != NULL ? t->instrument : ""), "project_id",
        BCON_UTF8(t->project != NULL ? t->project : ""), "priority", BCON_INT64(t->priority),
        "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "fence", BCON_INT64(0), "epoch",
        BCON_INT64(0), "slot", BCON_NULL, "worker", BCON_NULL, "round", BCON_INT64(t->round),
        "created_at", BCON_DATE_TIME(wall_ms()), "ready_at", BCON_DATE_TIME(wall_ms()), "input",
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

static bson_t *ended_in(enum task_reopen from, const char *id, int64_t round)
{
    if (from == TASK_REOPEN_DONE) {
        return BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8("done"));
    }
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "state", "{", "$in", "[", BCON_UTF8("done"),
                              BCON_UTF8("failed"), BCON_UTF8("dead"), BCON_UTF8("cancelled"),
                              BCON_UTF8("skipped"), BCON_UTF8("ignored"), "]", "}");
    if (from == TASK_REOPEN_EARLIER) { /* also matches a task without a round */
        BCON_APPEND(filter, "round", "{", "$not", "{", "$gte", BCON_INT64(round), "}", "}");
    }
    return filter;
}

struct db_change task_reopening(const struct task_new *t, enum task_reopen from)
{
    AUTO(free) char *id = task_id(t->raw_file, t->kind, t->settings);
    bson_t empty = BSON_INITIALIZER, set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
    BCON_APPEND(&set, "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "setbacks",
                BCON_INT64(0), "lost", BCON_INT64(0), "slot", BCON_NULL, "worker", BCON_NULL,
                "priority", BCON_INT64(t->priority), "round", BCON_INT64(t->round), "ready_at",
                BCON_DATE_TIME(wall_ms()), "input",
                BCON_DOCUMENT(t->input != NULL ? t->input : &empty));
    BCON_APPEND(&unset, "wait_ms", BCON_BOOL(true), "kept", BCON_BOOL(true), "parked",
                BCON_BOOL(true), "cancel", BCON_BOOL(true), "result", BCON_BOOL(true), "skipped",
                BCON_BOOL(true), "ignored", BCON_BOOL(true), "untold", BCON_BOOL(true), "held",
                BCON_BOOL(true));
    if (t->not_before_ms > 0) {
        BSON_APPEND_DATE_TIME(&set, "not_before", t->not_before_ms);
    } else {
        BSON_APPEND_BOOL(&unset, "not_before", true);
    }
    struct db_change c = {
        .filter = ended_in(from, id, t->round),
        .update = BCON_NEW("$set", BCON_DOCUMENT(&set), "$unset", BCON_DOCUMENT(&unset)),
    };
    bson_destroy(&set);
    bson_destroy(&unset);
    return c;
}

int task_reopen(struct db *db, const struct task_new *t, enum task_reopen from, bool *won,
                struct err *err)
{
    return db_make(db, DB_TASKS, task_reopening(t, from), won, err);
}
