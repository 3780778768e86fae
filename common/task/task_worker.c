/*
 * task_worker.c - the worker's side of a task: claim, settle, park.
 *
 * The guard of a worker's write is (id, kind, state running, fence, worker): if any of them has
 * changed, the write matches nothing and the attempt learns that it is fenced.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/task/task.h"

static bson_t *guard(const struct task_claim *c, enum task_state from)
{
    return BCON_NEW("_id", BCON_UTF8(c->task), "kind", BCON_UTF8(c->kind), "state",
                    BCON_UTF8(task_state_name(from)), "fence", BCON_INT64(c->fence));
}

/* model: claim */
int task_claim(struct db *db, const struct task_claim *c, bson_t **out, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = guard(c, TASK_ADMITTED);
    BCON_APPEND(filter, "cancel", "{", "$exists", BCON_BOOL(false), "}");
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8("running"), "worker",
                              BCON_UTF8(c->worker), "started_at", BCON_DATE_TIME(wall_ms()), "}");
    struct db_change claim = {.filter = filter, .update = update};
    AUTO(bson_destroy) bson_t *now = NULL;
    if (db_find_update_together(db, DB_TASKS, c->task, &claim, &now, err) != 0) {
        return -1;
    }
    /* True also when the reply to an earlier, identical claim of ours was lost. */
    bool mine = now != NULL && strcmp(doc_str(now, "state", ""), "running") == 0 &&
                doc_i64(now, "fence", -1) == c->fence &&
                strcmp(doc_str(now, "kind", ""), c->kind) == 0 &&
                strcmp(doc_str(now, "worker", ""), c->worker) == 0;
    *out = mine ? TAKE(now) : NULL;
    return 0;
}

/* model: settle, hand back. A write of the running attempt; to: the state that update sets, or
 * running. A task that leaves running gives its slot back by naming none (the scheduler frees the
 * slot's document). The fence is this attempt's alone, so a document that still has it was changed
 * by no one else. */
static int write_running(struct db *db, const struct task_claim *c, enum task_state to,
                         bson_t *update, bool *won, struct err *err)
{
    if (task_check(c->task, TASK_RUNNING, to, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *filter = guard(c, TASK_RUNNING);
    BSON_APPEND_UTF8(filter, "worker", c->worker);
    AUTO(bson_destroy)
    bson_t *proof = BCON_NEW("_id", BCON_UTF8(c->task), "fence", BCON_INT64(c->fence), "state",
                             BCON_UTF8(task_state_name(to)));
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
                 BCON_BOOL(true), "error", BCON_BOOL(true), "published", BCON_BOOL(true), "cancel",
                 BCON_BOOL(true), "held", BCON_BOOL(true), "}");
    return write_running(db, c, TASK_DONE, update, won, err);
}

int task_park(struct db *db, const struct task_claim *c, const bson_t *parked, bool *won,
              struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", BCON_UTF8("parked"), "parked",
                              BCON_DOCUMENT(parked), "parked_at", BCON_DATE_TIME(wall_ms()), "}");
    return write_running(db, c, TASK_PARKED, update, won, err);
}

#define HOLD_MAX_MS 15000
#define BUSY_MAX_MS 60000 /* another program has the file open, perhaps for hours */

int64_t task_back_off_ms(const struct config *cfg, int64_t attempt)
{
    int64_t ceiling = cfg->retry.base_ms;
    for (int64_t i = 1; i < attempt && ceiling < cfg->retry.max_ms; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < cfg->retry.max_ms ? ceiling : cfg->retry.max_ms;
    return mono_random(ceiling > 0 ? ceiling : 1);
}

/* error.code. A document without one is from a version that began the text with what is a code now.
 */
static const char *code_of(const bson_t *task)
{
    bool changed = strstr(doc_str(task, "error.msg", ""), "source changed:") != NULL;
    return doc_str(task, "error.code", changed ? err_code_name(ERR_CODE_SOURCE_CHANGED) : "");
}

bool task_failed_with(const bson_t *task, int code)
{
    return strcmp(code_of(task), err_code_name(code)) == 0;
}

/* The state that follows an error of this kind, and whether the attempt counts. */
static enum task_state next_state(const struct err *why, int64_t attempt, const struct config *cfg,
                                  bool *counts)
{
    *counts = true;
    switch (why->kind) {
    case ERR_INVALID:
    case ERR_MISSING:
    case ERR_REFUSED:
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

/* How long a task that goes back to ready waits. A held task tries again within HOLD_MAX_MS, so
 * that work resumes soon after the location or the cluster is back; with a busy source, within a
 * minute. */
static int64_t back_off_of(const struct config *cfg, const bson_t *task, const struct err *why,
                           bool counts)
{
    if (why->kind == ERR_YIELD) {
        return 0;
    }
    int64_t tries = counts ? doc_i64(task, "attempt", 1) : doc_i64(task, "setbacks", 0) + 1;
    int64_t ms = task_back_off_ms(cfg, tries);
    int64_t most = why->code == ERR_CODE_SOURCE_BUSY ? BUSY_MAX_MS : HOLD_MAX_MS;
    return why->kind == ERR_HOLD && ms > most ? most : ms;
}

/* Record what holds it, and since when without a break. A yield or a lost job changes nothing. */
static void append_held(const bson_t *task, const struct err *why, int64_t now, bson_t *set,
                        bson_t *unset)
{
    if (why->kind == ERR_HOLD) {
        BCON_APPEND(set, "held", "{", "since", BCON_DATE_TIME(doc_i64(task, "held.since", now)),
                    "step", BCON_UTF8(why->where != NULL ? why->where : ""), "code",
                    BCON_UTF8(err_code_name(why->code)), "}");
    } else if (why->kind != ERR_YIELD && why->kind != ERR_LOST) {
        BSON_APPEND_BOOL(unset, "held", true);
    }
}

/* A database that does not answer in the middle of a step is no fault of the task. */
static struct err as_hold(const struct err *why)
{
    struct err held = *why;
    held.kind = why->code == ERR_CODE_DATABASE ? ERR_HOLD : why->kind;
    return held;
}

int task_fail(struct db *db, const struct task_claim *c, const bson_t *task,
              const struct err *reason, const struct config *cfg, enum task_state *to, bool *won,
              struct err *err)
{
    const struct err held = as_hold(reason), *why = &held;
    int64_t attempt = doc_i64(task, "attempt", 1);
    bool counts;
    *to = next_state(why, attempt, cfg, &counts);
    int64_t now = wall_ms();
    bson_t update = BSON_INITIALIZER, unset = BSON_INITIALIZER, set, error, inc;
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    BSON_APPEND_UTF8(&set, "state", task_state_name(*to));
    BSON_APPEND_NULL(&set, "slot");
    if (*to == TASK_READY) {
        BSON_APPEND_INT64(&set, "wait_ms", back_off_of(cfg, task, why, counts));
        BSON_APPEND_NULL(&set, "worker");
        if (counts) { /* else it keeps its turn */
            BSON_APPEND_DATE_TIME(&set, "ready_at", now);
        }
    } else {
        BSON_APPEND_DATE_TIME(&set, "ended_at", now);
    }
    if (*to == TASK_DEAD || (*to == TASK_FAILED && why->code != ERR_CODE_SOURCE_CHANGED)) {
        BSON_APPEND_BOOL(&set, "untold", true);
    }
    append_held(task, why, now, &set, &unset);
    BSON_APPEND_DOCUMENT_BEGIN(&set, "error", &error);
    BCON_APPEND(&error, "kind", BCON_UTF8(err_kind_name(why->kind)), "step",
                BCON_UTF8(why->where != NULL ? why->where : ""), "msg", BCON_UTF8(why->msg), "at",
                BCON_DATE_TIME(now), "attempt", BCON_INT64(attempt), "code",
                BCON_UTF8(err_code_name(why->code)));
    bson_append_document_end(&set, &error);
    bson_append_document_end(&update, &set);
    if (!counts) {
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$inc", &inc);
        BSON_APPEND_INT64(&inc, "attempt", -1);
        BSON_APPEND_INT64(&inc, "setbacks", 1);
        bson_append_document_end(&update, &inc);
    }
    if (*to == TASK_READY) {
        BSON_APPEND_BOOL(&unset, "parked", true);
        BSON_APPEND_BOOL(&unset, "not_before", true); /* the leader sets when the wait ends */
        if (why->kind == ERR_LOST) { /* the job outside is gone: the next try starts a new one */
            BSON_APPEND_BOOL(&unset, "kept", true);
        }
    }
    if (!bson_empty(&unset)) {
        BSON_APPEND_DOCUMENT(&update, "$unset", &unset);
    }
    int rc = write_running(db, c, *to, &update, won, err);
    bson_destroy(&unset);
    bson_destroy(&update);
    return rc;
}

int task_goes_on(struct db *db, const struct task_claim *c, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$unset", "{", "held", BCON_BOOL(true), "}");
    return write_running(db, c, TASK_RUNNING, update, won, err);
}

int task_keep(struct db *db, const struct task_claim *c, const bson_t *fields, bool *won,
              struct err *err)
{
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(fields));
    return write_running(db, c, TASK_RUNNING, update, won, err);
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
