/*
 * cmd_task.c - trawl task ls|show.
 *
 * ls builds one query from the options and prints the newest tasks as a table; show prints one
 * task's document, field by field. cmd_task_act.c has the commands that change tasks.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/suggest.h"
#include "common/db/doc_json.h"
#include "common/task/task.h"
#include "ops/facts.h"
#include "ops/find.h"

#define DEFAULT_LIMIT 100

static int check_state(const char *state, struct err *err)
{
    const char *names[TASK_STATE_COUNT + 1] = {0};
    enum task_state s;
    if (state == NULL || task_state_parse(state, &s) == 0) {
        return 0;
    }
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        names[i] = task_state_name((enum task_state)i);
    }
    char meant[SUGGEST_MAX];
    return ERR(err, ERR_INVALID, 0, "there is no state '%s'%s see trawl task ls --help", state,
               suggest_text(state, names, "", meant));
}

static struct docs *read_tasks(struct cli *c, const struct args *a, struct err *err)
{
    static const struct {
        const char *option, *field;
    } equal[] = {{"kind", "kind"}, {"state", "state"}, {"raw-file", "raw_file"}};
    AUTO(bson_destroy) bson_t *filter = bson_new();
    static const struct args_number limits = {"limit", 0, INT_MAX, DEFAULT_LIMIT};
    int64_t limit;
    if (check_state(args_get(a, "state"), err) != 0 || args_i64(a, &limits, &limit, err) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
        const char *value = args_get(a, equal[i].option);
        if (value != NULL) {
            BSON_APPEND_UTF8(filter, equal[i].field, value);
        }
    }
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("limit", BCON_INT64(limit), "sort", "{", "created_at", BCON_INT32(-1), "_id",
                 BCON_INT32(-1), "}", "projection", "{", "input.supersedes", BCON_INT32(0),
                 "published", BCON_INT32(0), "result.files", BCON_INT32(0), "}");
    if (limit == 0) { /* all */
        BSON_APPEND_INT64(opts, "maxTimeMS", DB_LISTING_MS);
    }
    return docs_read(c->ops.db, &(struct docs_query){DB_TASKS, filter, opts}, err);
}

static int print_table(struct cli *c, const struct docs *tasks, struct err *err)
{
    static const struct column columns[] = {
        {.title = "TASK", .min = 34},
        {.title = "STATE"},
        {.title = "TRY", .right = true},
        {.title = "SLOT", .min = 12, .rank = 3},
        {.title = "WORKER", .min = 12, .rank = 4},
        {.title = "AGE", .right = true, .rank = 2},
        {.title = "ERROR", .min = 20, .rank = 1},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < tasks->n; i++) {
        const bson_t *d = tasks->items[i];
        char buf[TEXT_SHORT];
        const char *state = doc_str(d, "state", "?");
        table_cell(t, STYLE_PLAIN, doc_str(d, "_id", "?"));
        table_cell(t, style_of_state(state), state);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(d, "attempt", 0));
        table_cell(t, STYLE_PLAIN, doc_str(d, "slot", ""));
        table_cell(t, STYLE_DIM, doc_str(d, "worker", ""));
        table_cell(t, STYLE_DIM, text_age(doc_i64(d, "created_at", 0), wall_ms(), buf));
        table_cell(t, STYLE_BAD, doc_str(d, "error.msg", ""));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_task_ls(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(docs_free) struct docs *tasks = read_tasks(c, a, err);
    if (tasks == NULL) {
        return cli_exit_of(err);
    }
    int rc = c->json ? json_print(json_of_docs(tasks), c->out, err) : print_table(c, tasks, err);
    if (rc == 0 && tasks->n == 0 && !c->json && !c->quiet) {
        fputs("no tasks\n", stderr);
    }
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

static const struct cli_option task_ls_options[] = {
    {"kind", "KIND", "only copy, quant, index, …"},
    {"state", "STATE", "only ready, admitted, running, parked, done, failed, …"},
    {"raw-file", "ID", "only of this raw file"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {0},
};

const struct command command_task_ls = {.name = "task ls",
                                        .args = "",
                                        .brief = "tasks, newest first",
                                        .options = task_ls_options,
                                        .need = NEED_DB,
                                        .run = cmd_task_ls};

/* For people: one "key: value" a line, nested documents as JSON. */
static int print_fields(struct cli *c, const bson_t *task, struct err *err)
{
    AUTO(json_decref) json_t *doc = json_of_doc(task);
    const char *key;
    json_t *value;
    if (doc == NULL) {
        return err_no_memory(err);
    }
    json_object_foreach(doc, key, value)
    {
        AUTO(free)
        char *text = json_is_string(value) ? strdup(json_string_value(value))
                                           : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!json_is_null(value)) {
            fprintf(c->out, "%-14s ", key);
            text_put(c->out, text != NULL ? text : "?");
            fputc('\n', c->out);
        }
    }
    return 0;
}

static enum cli_exit cmd_task_show(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(bson_destroy) bson_t *task = NULL;
    if (find_task(&c->ops, a->words[0], &task, err) != 0) {
        return cli_exit_of(err);
    }
    int rc = c->json ? json_print(json_of_doc(task), c->out, err) : print_fields(c, task, err);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_task_show = {.name = "task show",
                                          .args = "<task>",
                                          .brief = "one task's document",
                                          .min_words = 1,
                                          .max_words = 1,
                                          .need = NEED_DB,
                                          .run = cmd_task_show};
