/* steer.c - retry, cancel, skip, ignore: one guarded update and one audit entry for each task. */
#include "ops/steer.h"

#include <string.h>

#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/task/audit.h"

const struct steer steer_cancel = {"cancelled", "ready, admitted, running or parked", task_cancel};
const struct steer steer_retry = {"retried", "failed, dead, cancelled, skipped or ignored",
                                  task_retry};
const struct steer steer_skip = {"skipped", "ready, failed, dead or cancelled", task_skip};
const struct steer steer_ignore = {"ignored", "failed, dead or cancelled", task_ignore};

struct one {
    struct cli *c;
    const struct steer *steer;
    struct task_order order;
    char state[32]; /* afterwards */
};

/* What the audit keeps of a task: only what an operator's action changes. */
static void append_state(bson_t *out, const bson_t *task)
{
    bson_t cancel;
    BCON_APPEND(out, "state", BCON_UTF8(doc_str(task, "state", "?")), "attempt",
                BCON_INT64(doc_i64(task, "attempt", 0)));
    if (doc_sub(task, "cancel", &cancel)) {
        BSON_APPEND_DOCUMENT(out, "cancel", &cancel);
    }
}

static int act(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct one *o = ctx;
    AUTO(bson_destroy) bson_t *now = NULL;
    if (o->steer->run(o->c->db, &o->order, won, err) != 0 ||
        db_find_id(o->c->db, DB_TASKS, o->order.task, &now, err) != 0) {
        return -1;
    }
    snprintf(o->state, sizeof o->state, "%s", now != NULL ? doc_str(now, "state", "?") : "gone");
    if (now != NULL && *won) {
        append_state(after, now);
    }
    return 0;
}

static int steer_one(struct one *o, const struct steering *s, const bson_t *task, bool *won,
                     struct err *err)
{
    char who[200];
    const char *id = doc_str(task, "_id", "");
    AUTO(bson_destroy) bson_t *before = bson_new();
    append_state(before, task);
    cli_who(who, sizeof who);
    o->order = (struct task_order){.task = id, .by = who, .why = s->why};
    if (s->root != NULL && strcmp(s->root, id) != 0) {
        o->order.because = s->root;
    }
    const struct audit_act entry = {.verb = s->verb,
                                    .target = id,
                                    .by = who,
                                    .why = s->why,
                                    .before = before,
                                    .run = act,
                                    .ctx = o};
    return audit_make(o->c->db, &entry, won, err);
}

static void say(struct cli *c, const struct steering *s, const char *id, const char *state,
                bool won)
{
    if (c->json || c->quiet) {
        return;
    }
    text_put(c->out, id);
    if (won && strcmp(state, s->steer->past) == 0) {
        fprintf(c->out, ": %s\n", state);
    } else if (won && s->steer == &steer_cancel) {
        fprintf(c->out, ": stops at its next safe point, still %s\n", state);
    } else if (won) {
        fprintf(c->out, ": %s, now %s\n", s->steer->past, state);
    } else {
        fprintf(c->out, ": %snot %s%s, it is %s\n", style_on(STYLE_BAD, c->color), s->steer->past,
                style_off(STYLE_BAD, c->color), state);
    }
}

/* One event is enough: of the raw file if it is one, else for all that there is. */
static void tell(struct cli *c, const struct docs *tasks)
{
    const char *raw = doc_str(tasks->items[0], "raw_file", NULL);
    for (size_t i = 1; i < tasks->n && raw != NULL; i++) {
        raw = strcmp(raw, doc_str(tasks->items[i], "raw_file", "")) == 0 ? raw : NULL;
    }
    cli_event(c, "task", doc_str(tasks->items[0], "_id", ""), raw);
}

static enum cli_exit answer(struct cli *c, const struct steering *s, json_t *list, struct err *err)
{
    AUTO(json_decref) json_t *own = list;
    json_t *shown = s->list ? json_incref(own) : json_incref(json_array_get(own, 0));
    return json_print(shown, c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit refuse(const struct steering *s, const char *id, const char *state,
                            struct err *err)
{
    return cli_fail(err, CLI_REFUSED, "%s is %s: only tasks that are %s can be %s", id, state,
                    s->steer->can, s->steer->past);
}

enum cli_exit steer_tasks(struct cli *c, const struct steering *s, const struct docs *tasks,
                          struct err *err)
{
    size_t done = 0;
    struct one o = {.c = c, .steer = s->steer};
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < tasks->n; i++) {
        bool won = false;
        const char *id = doc_str(tasks->items[i], "_id", "?");
        if (steer_one(&o, s, tasks->items[i], &won, err) != 0) {
            return cli_exit_of(err);
        }
        bool is_root = s->root != NULL && strcmp(s->root, id) == 0;
        if (!won && (!s->list || is_root)) { /* what comes after the root stays with it */
            return refuse(s, id, o.state, err);
        }
        done += won;
        say(c, s, id, o.state, won);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:b}", "task", id, "state", o.state, "done", (int)won));
    }
    if (c->json && answer(c, s, TAKE(list), err) != CLI_OK) {
        return cli_exit_of(err);
    }
    if (done > 0) {
        tell(c, tasks);
    }
    return done == tasks->n ? CLI_OK
                            : cli_fail(err, CLI_REFUSED, "%zu of %zu could not be %s",
                                       tasks->n - done, tasks->n, s->steer->past);
}
