/*
 * task_operator.c - the operator's side of a task: cancel, retry, skip, ignore.
 *
 * Each is a guarded update by state: from any state that the table of task.c allows, except those
 * that hold a slot (only a worker or the scheduler may move such a task; a cancellation is left in
 * "cancel" for them) and done (trawl rerun opens those).
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/task/kinds.h"
#include "common/task/task.h"

#define BIT(s) (1u << (s))

bool task_is_below(const char *kind, const char *above)
{
    for (const char *const *one = task_kind(kind)->above; *one != NULL; one++) {
        if (strcmp(above, *one) == 0) {
            return true;
        }
    }
    return false;
}

/* Matches the task in one of these states. */
static bson_t *in_states(const char *task, unsigned states)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(task));
    bson_t names = BSON_INITIALIZER, any = BSON_INITIALIZER;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        if ((states & BIT(i)) != 0) {
            BSON_APPEND_BOOL(&names, task_state_name((enum task_state)i), true);
        }
    }
    db_append_keys(&any, &names);
    BCON_APPEND(filter, "state", "{", "$in", BCON_ARRAY(&any), "}");
    bson_destroy(&names);
    bson_destroy(&any);
    return filter;
}

/* Matches the task in any state from which an operator may bring it to this one. */
static bson_t *in_states_before(const char *task, enum task_state to)
{
    unsigned states = 0;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        enum task_state from = (enum task_state)i;
        bool starts = task_may(from, to) && !task_holds_slot(from) && from != TASK_DONE;
        states |= starts ? BIT(i) : 0;
    }
    return in_states(task, states);
}

/* {by, at, why, because}: who did it, when and why. */
static bson_t *order_document(const struct task_order *o)
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
    AUTO(bson_destroy) bson_t *who = order_document(o);
    AUTO(bson_destroy) bson_t *waiting = in_states_before(o->task, TASK_CANCELLED);
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

/* Ready, as if nothing had been tried. A task whose job may still exist resumes with that job
 * (kept.given_up: or with a new one, if the job was stopped meanwhile). */
static bson_t *reset_to_ready(const bson_t *who, bool with_job)
{
    bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
    BCON_APPEND(&set, "state", BCON_UTF8("ready"), "attempt", BCON_INT64(0), "setbacks",
                BCON_INT64(0), "lost", BCON_INT64(0), "slot", BCON_NULL, "worker", BCON_NULL,
                "ready_at", BCON_DATE_TIME(wall_ms()), "retried", BCON_DOCUMENT(who));
    BCON_APPEND(&unset, "not_before", BCON_BOOL(true), "wait_ms", BCON_BOOL(true), "cancel",
                BCON_BOOL(true), "parked", BCON_BOOL(true), "skipped", BCON_BOOL(true), "ignored",
                BCON_BOOL(true), "untold", BCON_BOOL(true), "held", BCON_BOOL(true));
    if (with_job) {
        BSON_APPEND_BOOL(&set, "kept.given_up", true);
    } else {
        BSON_APPEND_BOOL(&unset, "kept", true);
    }
    bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(&set), "$unset", BCON_DOCUMENT(&unset));
    bson_destroy(&set);
    bson_destroy(&unset);
    return update;
}

int task_retry(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *who = order_document(o);
    AUTO(bson_destroy)
    bson_t *at_job = in_states(o->task, BIT(TASK_CANCELLED) | BIT(TASK_SKIPPED) | BIT(TASK_DEAD));
    AUTO(bson_destroy) bson_t *resume = reset_to_ready(who, true);
    BCON_APPEND(at_job, "kept.job_name", "{", "$gt", BCON_UTF8(""), "}", "parked.ended", "{",
                "$exists", BCON_BOOL(false), "}");
    if (db_update(db, DB_TASKS, at_job, resume, won, err) != 0 || *won) {
        return *won ? 0 : -1;
    }
    AUTO(bson_destroy)
    bson_t *ended = in_states_before(o->task, TASK_READY);
    AUTO(bson_destroy) bson_t *begin = reset_to_ready(who, false);
    return db_update(db, DB_TASKS, ended, begin, won, err);
}

/* Sets "unplanned": without an open task, only that leads the planner to the raw file. */
static int set_aside(struct db *db, const struct task_order *o, const bson_t *filter,
                     enum task_state to, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *who = order_document(o);
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "state", BCON_UTF8(task_state_name(to)), task_state_name(to),
                 BCON_DOCUMENT(who), "ended_at", BCON_DATE_TIME(wall_ms()), "unplanned",
                 BCON_BOOL(true), "}", "$unset", "{", "untold", BCON_BOOL(true), "}");
    return db_update(db, DB_TASKS, filter, update, won, err);
}

int task_skip(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = in_states_before(o->task, TASK_SKIPPED);
    return set_aside(db, o, filter, TASK_SKIPPED, won, err);
}

int task_ignore(struct db *db, const struct task_order *o, bool *won, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = in_states_before(o->task, TASK_IGNORED);
    return set_aside(db, o, filter, TASK_IGNORED, won, err);
}
