/* cmd_why.c - trawl why: reads the documents, lets why.c explain, prints. */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/facts.h"
#include "cli/find.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/mono.h"
#include "common/task.h"

struct answer {
    struct facts facts;
    struct why_facts view; /* of facts and instrument */
    bson_t *raw;           /* NULL when a task was asked for whose raw file is gone */
    struct docs *tasks;
    struct instrument *instrument;
};

static void answer_clear(struct answer *x)
{
    facts_free(&x->facts);
    docs_free(x->tasks);
    instrument_free(x->instrument);
    if (x->raw != NULL) {
        bson_destroy(x->raw);
    }
}

/* A task's id has the raw file's before its first slash, and a raw file's id has no slash. */
static enum cli_exit find_target(struct cli *c, const char *name, struct answer *x, struct err *err)
{
    if (strchr(name, '/') == NULL) {
        return find_raw_file(c, name, &x->raw, err);
    }
    AUTO(bson_destroy) bson_t *task = NULL;
    enum cli_exit e = find_task(c, name, &task, err);
    if (e != CLI_OK) {
        return e;
    }
    if (db_find_id(c->db, DB_RAW_FILES, doc_str(task, "raw_file", ""), &x->raw, err) != 0) {
        return cli_exit_of(err);
    }
    x->tasks = docs_new(err);
    return x->tasks == NULL || docs_add(x->tasks, task, err) != 0 ? cli_exit_of(err) : CLI_OK;
}

static int gather(struct cli *c, struct answer *x, struct err *err)
{
    struct err no_instrument = {0};
    if (x->tasks == NULL) {
        x->tasks = facts_tasks_of(c, doc_str(x->raw, "_id", ""), err);
    }
    if (x->tasks == NULL || facts_read(c, &x->facts, err) != 0) {
        return -1;
    }
    if (x->raw != NULL) {
        x->instrument = facts_instrument(c, doc_str(x->raw, "instrument_id", ""), &no_instrument);
    }
    x->view = (struct why_facts){
        .workers = x->facts.alive.workers,
        .pools = x->facts.pools,
        .slots = x->facts.slots,
        .instrument = x->instrument,
        .led = alive_leader(&x->facts.alive) != NULL,
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

static json_t *json_of_why(const char *id, const struct why *w)
{
    return json_pack("{s:o, s:s, s:o, s:o}", "id", json_text(id), "reason",
                     why_reason_name(w->reason), "what", json_text(w->what), "next",
                     json_text(w->next));
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

enum cli_exit cmd_why(struct cli *c, const struct args *a, struct err *err)
{
    struct answer x = {0};
    bool whole = strchr(a->words[0], '/') == NULL;
    enum cli_exit e = find_target(c, a->words[0], &x, err);
    if (e == CLI_OK && gather(c, &x, err) != 0) {
        e = cli_exit_of(err);
    }
    if (e == CLI_OK && c->json) {
        e = json_print(to_json(&x, whole), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
    } else if (e == CLI_OK) {
        print_text(c, &x, whole);
    }
    answer_clear(&x);
    return e;
}
