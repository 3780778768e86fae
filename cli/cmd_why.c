/*
 * cmd_why.c - trawl why: reads the documents, lets why.c explain them, prints the answer.
 *
 * The name decides what is explained: a pool by its exact name, a task by an id with a slash, else
 * a raw file with all its tasks. Other open tasks of the pools are read only when something waits
 * for a slot.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/task/kinds.h"
#include "common/task/task.h"
#include "ops/facts.h"
#include "ops/find.h"
#include "ops/instruments.h"
#include "ops/pools.h"

#define CAPS_MAX 256

struct answer {
    struct facts facts;
    struct why_facts view; /* made of all that follows */
    bson_t *pool;          /* a pool was asked for, or NULL */
    bson_t *raw;           /* NULL when a task was asked for whose raw file is gone */
    struct docs *tasks;
    struct docs *open; /* of the pools in question */
    bson_t *watch;
    struct instrument *instrument;
    struct queue_cap caps[CAPS_MAX];
    size_t n_caps;
};

static void answer_clear(struct answer *x)
{
    facts_free(&x->facts);
    docs_free(x->tasks);
    docs_free(x->open);
    instrument_free(x->instrument);
    bson_t *const owned[] = {x->pool, x->raw, x->watch};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        if (owned[i] != NULL) {
            bson_destroy(owned[i]);
        }
    }
}

static bool is_pool_name(const char *name)
{
    size_t i = 0;
    while (pool_names[i] != NULL && strcmp(pool_names[i], name) != 0) {
        i++;
    }
    return pool_names[i] != NULL;
}

/* A pool is found by its exact name only. A task's id has the raw file's before its first slash,
 * and a raw file's id has no slash. */
static enum cli_exit find_target(struct cli *c, const char *name, struct answer *x, struct err *err)
{
    if (is_pool_name(name)) {
        x->tasks = docs_new(err);
        if (x->tasks == NULL || db_find_id(c->ops.db, DB_POOLS, name, &x->pool, err) != 0) {
            return cli_exit_of(err);
        }
        return x->pool != NULL ? CLI_OK
                               : cli_fail(err, CLI_MISSING,
                                          "the pool %s has no document yet: start "
                                          "trawl-scheduler, which makes it",
                                          name);
    }
    if (strchr(name, '/') == NULL) {
        return find_raw_file(&c->ops, name, &x->raw, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    AUTO(bson_destroy) bson_t *task = NULL;
    if (find_task(&c->ops, name, &task, err) != 0) {
        return cli_exit_of(err);
    }
    if (db_find_id(c->ops.db, DB_RAW_FILES, doc_str(task, "raw_file", ""), &x->raw, err) != 0) {
        return cli_exit_of(err);
    }
    x->tasks = docs_new(err);
    return x->tasks == NULL || docs_add(x->tasks, task, err) != 0 ? cli_exit_of(err) : CLI_OK;
}

static int keep_cap(void *ctx, const char *id, const struct instrument *i, const struct err *why)
{
    struct answer *x = ctx;
    (void)why;
    if (i != NULL && x->n_caps < CAPS_MAX) {
        struct queue_cap *cap = &x->caps[x->n_caps++];
        snprintf(cap->instrument, sizeof cap->instrument, "%s", id);
        cap->max_copies = i->max_copies;
    }
    return 0;
}

/* Read what else waits for the same pools, if the answer needs it. */
static int read_queue(struct cli *c, struct answer *x, struct err *err)
{
    bson_t pools = BSON_INITIALIZER;
    struct err ignored = {0};
    for (size_t i = 0; i < x->tasks->n; i++) {
        const bson_t *t = x->tasks->items[i];
        if (strcmp(doc_str(t, "state", ""), "ready") == 0) {
            BSON_APPEND_BOOL(&pools, doc_str(t, "pool", ""), true);
        }
    }
    if (x->pool != NULL) {
        BSON_APPEND_BOOL(&pools, doc_str(x->pool, "_id", ""), true);
    }
    int rc = 0;
    if (!bson_empty(&pools)) {
        x->open = facts_open_tasks(&c->ops, &pools, err);
        rc = x->open != NULL ? 0 : -1;
        (void)!instruments_each(c->ops.cfg, keep_cap, x,
                                &ignored); /* their caps are then unknown */
    }
    bson_destroy(&pools);
    return rc;
}

static int read_instrument(struct cli *c, struct answer *x, struct err *err)
{
    struct err no_instrument = {0};
    const char *id = x->raw != NULL ? doc_str(x->raw, "instrument_id", "") : "";
    if (id[0] == '\0') {
        return 0;
    }
    x->instrument = facts_instrument(&c->ops, id, &no_instrument);
    return db_find_id(c->ops.db, DB_WATCHES, id, &x->watch, err);
}

static int read_facts(struct cli *c, struct answer *x, struct err *err)
{
    if (x->tasks == NULL) {
        x->tasks = facts_tasks_of(&c->ops, doc_str(x->raw, "_id", ""), err);
    }
    if (x->tasks == NULL || facts_read(&c->ops, &x->facts, err) != 0 ||
        read_queue(c, x, err) != 0 || read_instrument(c, x, err) != 0) {
        return -1;
    }
    x->view = (struct why_facts){
        .workers = x->facts.alive.workers,
        .pools = x->facts.pools,
        .slots = x->facts.slots,
        .instrument = x->instrument,
        .watch = x->watch,
        .queue = {.open = x->open, .caps = x->caps, .n_caps = x->n_caps, .now_ms = wall_ms()},
        .watcher = docs_by_id(x->facts.alive.leases, "watch/quant"),
        .led = alive_leader(&x->facts.alive) != NULL,
        .leader = alive_leader(&x->facts.alive),
        .now_ms = wall_ms(),
    };
    return 0;
}

static void print_why(struct cli *c, const char *label, const struct why *w)
{
    const char *name = why_reason_name(w->reason);
    enum style s = style_of_state(name); /* "done" and "failed" stand out, the rest waits */
    style_put(c->out, s, c->color, label);
    fputs(": ", c->out);
    text_put(c->out, w->what);
    if (w->next[0] != '\0' && !c->quiet) {
        fputs("\n    -> ", c->out);
        text_put(c->out, w->next);
    }
    fputc('\n', c->out);
}

/* "copy", "quant/msqc-v1": the task without its raw file. */
static const char *label_of(const bson_t *task)
{
    const char *id = doc_str(task, "_id", "?");
    const char *raw = doc_str(task, "raw_file", "");
    size_t len = strlen(raw);
    return len > 0 && strncmp(id, raw, len) == 0 && id[len] == '/' ? id + len + 1 : id;
}

static void print_text(struct cli *c, const struct answer *x, bool whole)
{
    struct why w;
    if (whole) {
        why_raw_file(&x->view, x->raw, x->tasks, &w);
        print_why(c, doc_str(x->raw, "_id", "?"), &w);
    }
    for (size_t i = 0; i < x->tasks->n; i++) {
        why_task(&x->view, x->tasks->items[i], &w);
        if (whole) {
            fputs("  ", c->out);
        }
        print_why(c, label_of(x->tasks->items[i]), &w);
    }
}

/* A line for each taken slot: its task, since when, on which worker. */
static int print_holders(struct cli *c, const struct answer *x, struct err *err)
{
    static const struct column columns[] = {{.title = "TASK", .min = 30},
                                            {.title = "STATE"},
                                            {.title = "SINCE", .right = true},
                                            {.title = "WORKER", .min = 12, .rank = 1},
                                            {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    size_t n = 0;
    for (size_t i = 0; t != NULL && i < x->facts.slots->n; i++) {
        char age[TEXT_SHORT];
        const char *worker = "";
        bson_t run;
        const bson_t *slot = x->facts.slots->items[i];
        const char *id = doc_str(slot, "task", "?");
        const bson_t *task = docs_by_id(x->open, id);
        if (strcmp(doc_str(slot, "pool", ""), doc_str(x->pool, "_id", "")) != 0) {
            continue;
        }
        (void)why_run_of(x->facts.alive.workers, id, &worker, &run);
        const char *state = task != NULL ? doc_str(task, "state", "?") : "ended";
        table_cell(t, STYLE_PLAIN, id);
        table_cell(t, style_of_state(state), state);
        table_cell(t, STYLE_DIM, text_age(doc_i64(slot, "since", 0), x->view.now_ms, age));
        table_cell(t, STYLE_DIM, worker);
        n++;
    }
    if (t == NULL || n == 0 || c->quiet) {
        return t == NULL ? -1 : 0;
    }
    return table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit show_pool(struct cli *c, const struct answer *x, struct err *err)
{
    struct why w;
    why_pool(&x->view, x->pool, &w);
    print_why(c, doc_str(x->pool, "_id", "?"), &w);
    return print_holders(c, x, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static json_t *json_of_why(const char *id, const struct why *w)
{
    return json_pack("{s:o, s:s, s:o, s:o}", "id", json_text(id), "reason",
                     why_reason_name(w->reason), "what", json_text(w->what), "next",
                     json_text(w->next));
}

static json_t *holders_json(const struct answer *x)
{
    json_t *list = json_array();
    for (size_t i = 0; i < x->facts.slots->n; i++) {
        const bson_t *slot = x->facts.slots->items[i];
        if (strcmp(doc_str(slot, "pool", ""), doc_str(x->pool, "_id", "")) == 0) {
            json_array_append_new(list, json_pack("{s:o, s:o}", "task",
                                                  json_text(doc_str(slot, "task", "")), "since",
                                                  json_date(doc_i64(slot, "since", 0))));
        }
    }
    return list;
}

static json_t *pool_to_json(const struct answer *x)
{
    struct why w;
    why_pool(&x->view, x->pool, &w);
    return json_pack("{s:o, s:o}", "pool", json_of_why(doc_str(x->pool, "_id", ""), &w), "holders",
                     holders_json(x));
}

static json_t *to_json(const struct answer *x, bool whole)
{
    struct why w;
    AUTO(json_decref) json_t *tasks = json_array();
    for (size_t i = 0; tasks != NULL && i < x->tasks->n; i++) {
        why_task(&x->view, x->tasks->items[i], &w);
        json_t *one = json_of_why(doc_str(x->tasks->items[i], "_id", ""), &w);
        if (json_array_append_new(tasks, one) != 0) {
            return NULL;
        }
    }
    json_t *raw = json_null();
    if (whole) {
        why_raw_file(&x->view, x->raw, x->tasks, &w);
        raw = json_of_why(doc_str(x->raw, "_id", ""), &w);
    }
    return json_pack("{s:o, s:o}", "raw_file", raw, "tasks", TAKE(tasks));
}

static enum cli_exit cmd_why(struct cli *c, const struct args *a, struct err *err)
{
    struct answer x = {0};
    bool whole = strchr(a->words[0], '/') == NULL;
    enum cli_exit e = find_target(c, a->words[0], &x, err);
    if (e == CLI_OK && read_facts(c, &x, err) != 0) {
        e = cli_exit_of(err);
    }
    if (e == CLI_OK && c->json) {
        json_t *answer = x.pool != NULL ? pool_to_json(&x) : to_json(&x, whole);
        e = json_print(answer, c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
    } else if (e == CLI_OK && x.pool != NULL) {
        e = show_pool(c, &x, err);
    } else if (e == CLI_OK) {
        print_text(c, &x, whole);
    }
    answer_clear(&x);
    return e;
}

const struct command command_why = {
    .name = "why",
    .args = "<file>|<task>|<pool>",
    .brief = "what a raw file, task or pool waits for, and what would help",
    .help =
        "For a raw file: the state of its acquisition, and each task that is not done. For a pool: "
        "the\n"
        "tasks in its slots. The JSON form has a stable word for each reason: acquiring, "
        "planning,\n"
        "no_leader, stopped, pool_closed, pool_full, capped (its instrument is at its limit of "
        "copies),\n"
        "not_before, held (a share is away or not proven, another program has its original open, "
        "or the\n"
        "cluster does not answer), no_worker, workers_busy, queued, unclaimed, running, "
        "cancelling,\n"
        "parked (a SLURM job), tasks_open, original_differs, failed, cancelled, skipped, ignored, "
        "done.\n\n"
        "  trawl why file_copy\n"
        "  trawl why run7.d/quant/msqc-v1",
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_why};
