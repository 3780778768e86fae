/* steer.c - retry, cancel, skip, ignore: one guarded update and one audit entry for each task. */
#include "ops/steer.h"

#include <string.h>

#include "common/db/doc_json.h"
#include "common/task/audit.h"

const struct steer steer_cancel = {"cancelled", "ready, admitted, running or parked", task_cancel};
const struct steer steer_retry = {"retried", "failed, dead, cancelled, skipped or ignored",
                                  task_retry};
const struct steer steer_skip = {"skipped", "ready, failed, dead or cancelled", task_skip};
const struct steer steer_ignore = {"ignored", "failed, dead or cancelled", task_ignore};

struct steering_one {
    const struct ops *ops;
    const struct steer *steer;
    struct task_order order;
    char state[32]; /* afterwards */
};

/* Append the fields that the audit keeps of a task: those that an operator's action changes. */
static void append_state(bson_t *out, const bson_t *task)
{
    bson_t cancel;
    BCON_APPEND(out, "state", BCON_UTF8(doc_str(task, "state", "?")), "attempt",
                BCON_INT64(doc_i64(task, "attempt", 0)));
    if (doc_sub(task, "cancel", &cancel)) {
        BSON_APPEND_DOCUMENT(out, "cancel", &cancel);
    }
}

static int run_order(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct steering_one *o = ctx;
    AUTO(bson_destroy) bson_t *now = NULL;
    if (o->steer->run(o->ops->db, &o->order, won, err) != 0 ||
        db_find_id(o->ops->db, DB_TASKS, o->order.task, &now, err) != 0) {
        return -1;
    }
    snprintf(o->state, sizeof o->state, "%s", now != NULL ? doc_str(now, "state", "?") : "gone");
    if (now != NULL && *won) {
        append_state(after, now);
    }
    return 0;
}

static int steer_one(struct steering_one *o, const struct steering *s, const bson_t *task,
                     bool *won, struct err *err)
{
    const char *id = doc_str(task, "_id", "");
    AUTO(bson_destroy) bson_t *before = bson_new();
    append_state(before, task);
    o->order = (struct task_order){.task = id, .by = o->ops->by, .why = s->why};
    if (s->root != NULL && strcmp(s->root, id) != 0) {
        o->order.because = s->root;
    }
    const struct audit_act entry = {.verb = s->verb,
                                    .target = id,
                                    .by = o->ops->by,
                                    .why = s->why,
                                    .before = before,
                                    .run = run_order,
                                    .ctx = o};
    return audit_make(o->ops->db, &entry, won, err);
}

int steer_tasks(const struct ops *o, const struct steering *s, const struct docs *tasks,
                steered_fn *report, void *ctx, size_t *done, struct err *err)
{
    *done = 0;
    for (size_t i = 0; i < tasks->n; i++) {
        struct steering_one one = {.ops = o, .steer = s->steer};
        struct steered now = {.task = doc_str(tasks->items[i], "_id", "?")};
        if (steer_one(&one, s, tasks->items[i], &now.done, err) != 0) {
            return -1;
        }
        memcpy(now.state, one.state, sizeof now.state);
        bool is_root = s->root != NULL && strcmp(s->root, now.task) == 0;
        /* When the root refuses, the tasks below it stay as they are, too. */
        if (!now.done && (!s->list || is_root)) {
            return ERR(err, ERR_REFUSED, 0, "%s is %s: only tasks that are %s can be %s", now.task,
                       now.state, s->steer->can, s->steer->past);
        }
        *done += now.done;
        report(ctx, &now);
    }
    return 0;
}

/* One event is enough: for the raw file if there is only one, else for everything. */
void steer_wake(const struct ops *o, const struct docs *tasks)
{
    const char *raw = doc_str(tasks->items[0], "raw_file", NULL);
    for (size_t i = 1; i < tasks->n && raw != NULL; i++) {
        raw = strcmp(raw, doc_str(tasks->items[i], "raw_file", "")) == 0 ? raw : NULL;
    }
    ops_event(o, "task", doc_str(tasks->items[0], "_id", ""), raw);
}
