/*
 * cmd_dead.c - trawl dead ls|show|retry|drop: tasks that failed for good. They are read from
 * MongoDB; <env>.dead in Kafka only announces them.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_steer.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "ops/dead_groups.h"
#include "ops/find.h"

static bool is_dead(const bson_t *task)
{
    const char *state = doc_str(task, "state", "");
    return strcmp(state, "failed") == 0 || strcmp(state, "dead") == 0;
}

/* Newest first, without those whose source changed, because Trawl copies these again. */
static struct docs *read_dead(struct cli *c, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("state", "{", "$in", "[", BCON_UTF8("dead"), BCON_UTF8("failed"), "]", "}",
                 "error.code", "{", "$ne", BCON_UTF8(err_code_name(ERR_CODE_SOURCE_CHANGED)), "}");
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "sort", "{", "ended_at", BCON_INT32(-1),
                 "}", "projection", "{", "input", BCON_INT32(0), "result", BCON_INT32(0), "}");
    return docs_read(c->ops.db, &(struct docs_query){DB_TASKS, filter, opts}, err);
}

/* The tasks of one group, out of all. */
static struct docs *tasks_of_group(const struct docs *all, const char *group, struct err *err)
{
    AUTO(docs_free) struct docs *out = docs_new(err);
    for (size_t i = 0; out != NULL && i < all->n; i++) {
        char id[DEAD_ID_MAX];
        if (dead_group_id(all->items[i], id, err) != 0 ||
            (strcmp(id, group) == 0 && docs_add(out, all->items[i], err) != 0)) {
            return NULL;
        }
    }
    return TAKE(out);
}

static enum cli_exit find_group(struct cli *c, const char *group, struct docs **out,
                                struct err *err)
{
    AUTO(docs_free) struct docs *all = read_dead(c, err);
    *out = all != NULL ? tasks_of_group(all, group, err) : NULL;
    if (*out == NULL) {
        return cli_exit_of(err);
    }
    return (*out)->n > 0 ? CLI_OK
                         : cli_fail(err, CLI_MISSING,
                                    "there is no group '%s' of dead letters; trawl dead ls lists "
                                    "them",
                                    group);
}

/* --- ls --- */

static json_t *group_json(const struct dead_group *g)
{
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "group", g->id, "n",
                     (json_int_t)g->n, "kind", json_text(doc_str(g->first, "kind", "")), "class",
                     json_text(doc_str(g->first, "error.kind", "")), "step",
                     json_text(doc_str(g->first, "error.step", "")), "first",
                     json_date(g->first_ms), "last", json_date(g->last_ms), "pattern",
                     json_text(g->pattern), "example", json_text(doc_str(g->first, "_id", "")));
}

static int groups_table(struct cli *c, const struct dead_groups *g, struct err *err)
{
    static const struct column columns[] = {
        {.title = "GROUP"},
        {.title = "TASKS", .right = true},
        {.title = "KIND"},
        {.title = "CLASS", .rank = 1},
        {.title = "STEP", .rank = 2},
        {.title = "FIRST", .right = true},
        {.title = "LAST", .right = true},
        {.title = "MESSAGE", .min = 20},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < g->n; i++) {
        char age[TEXT_SHORT];
        const struct dead_group *one = &g->at[i];
        table_cell(t, STYLE_BOLD, one->id);
        table_cellf(t, STYLE_BAD, "%" PRId64, one->n);
        table_cell(t, STYLE_PLAIN, doc_str(one->first, "kind", ""));
        table_cell(t, STYLE_PLAIN, doc_str(one->first, "error.kind", ""));
        table_cell(t, STYLE_PLAIN, doc_str(one->first, "error.step", ""));
        table_cell(t, STYLE_DIM, text_age(one->first_ms, wall_ms(), age));
        table_cell(t, STYLE_DIM, text_age(one->last_ms, wall_ms(), age));
        table_cell(t, STYLE_PLAIN, one->pattern);
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static int show_groups(struct cli *c, const struct dead_groups *g, struct err *err)
{
    if (!c->json) {
        return groups_table(c, g, err);
    }
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < g->n; i++) {
        json_array_append_new(list, group_json(&g->at[i]));
    }
    return json_print(TAKE(list), c->out, err);
}

static enum cli_exit cmd_dead_ls(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct dead_groups groups = {0};
    AUTO(docs_free) struct docs *all = read_dead(c, err);
    int rc = all == NULL || dead_groups_make(all, &groups, err) != 0 ? -1 : 0;
    if (rc == 0 && groups.n == 0 && !c->json) {
        fputs(c->quiet ? "" : "no dead letters\n", stderr);
    } else if (rc == 0) {
        rc = show_groups(c, &groups, err);
    }
    dead_groups_fini(&groups);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_dead_ls = {
    .name = "dead ls",
    .args = "",
    .brief = "dead letters: tasks that failed for good, grouped by cause",
    .help =
        "Tasks in the states failed (a permanent error) and dead (no try left). Those whose\n"
        "messages differ only in names, paths and numbers form one group. Next: trawl dead show\n"
        "<group>, then trawl dead retry or trawl dead drop.",
    .need = NEED_DB,
    .run = cmd_dead_ls};

/* --- show --- */

static void field(struct cli *c, const char *name, const char *text)
{
    if (text[0] != '\0') {
        fprintf(c->out, "%-10s ", name);
        text_put(c->out, text);
        fputc('\n', c->out);
    }
}

/* Print the job's own words unchanged, line by line. */
static void print_log(struct cli *c, const bson_t *task)
{
    const char *line = doc_str(task, "kept.log_tail", "");
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        AUTO(free) char *one = strndup(line, len);
        fputs("  | ", c->out);
        text_put(c->out, one != NULL ? one : "");
        fputc('\n', c->out);
        line += len + (line[len] == '\n');
    }
}

static int print_task(struct cli *c, const bson_t *task, struct err *err)
{
    char id[DEAD_ID_MAX], when[TEXT_SHORT], number[TEXT_SHORT];
    if (dead_group_id(task, id, err) != 0) {
        return -1;
    }
    snprintf(number, sizeof number, "%" PRId64, doc_i64(task, "attempt", 0));
    field(c, "task", doc_str(task, "_id", "?"));
    field(c, "state", doc_str(task, "state", "?"));
    field(c, "group", id);
    field(c, "class", doc_str(task, "error.kind", ""));
    field(c, "step", doc_str(task, "error.step", ""));
    field(c, "tries", number);
    field(c, "at", text_time(doc_i64(task, "error.at", 0), when));
    field(c, "worker", doc_str(task, "worker", ""));
    field(c, "message", doc_str(task, "error.msg", ""));
    print_log(c, task);
    if (!c->quiet) {
        fprintf(c->out, "fix the cause, then: trawl dead retry %s\n", doc_str(task, "_id", "?"));
        fprintf(c->out, "or accept it:        trawl dead drop %s --why …\n",
                doc_str(task, "_id", "?"));
    }
    return 0;
}

static enum cli_exit show_task(struct cli *c, const char *name, struct err *err)
{
    AUTO(bson_destroy) bson_t *task = NULL;
    if (find_task(&c->ops, name, &task, err) != 0) {
        return cli_exit_of(err);
    }
    if (!is_dead(task)) {
        return cli_fail(err, CLI_REFUSED, "%s is %s, so it is no dead letter; see trawl why %s",
                        name, doc_str(task, "state", "?"), name);
    }
    int rc = c->json ? json_print(json_of_doc(task), c->out, err) : print_task(c, task, err);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

static int members_table(struct cli *c, const struct docs *tasks, struct err *err)
{
    static const struct column columns[] = {
        {.title = "TASK", .min = 30},    {.title = "STATE"},
        {.title = "TRY", .right = true}, {.title = "AGE", .right = true},
        {.title = "ERROR", .min = 20},   {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < tasks->n; i++) {
        char age[TEXT_SHORT];
        const bson_t *d = tasks->items[i];
        table_cell(t, STYLE_PLAIN, doc_str(d, "_id", "?"));
        table_cell(t, STYLE_BAD, doc_str(d, "state", "?"));
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(d, "attempt", 0));
        table_cell(t, STYLE_DIM, text_age(doc_i64(d, "error.at", 0), wall_ms(), age));
        table_cell(t, STYLE_PLAIN, doc_str(d, "error.msg", ""));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_dead_show(struct cli *c, const struct args *a, struct err *err)
{
    if (strchr(a->words[0], '/') != NULL) {
        return show_task(c, a->words[0], err);
    }
    AUTO(docs_free) struct docs *tasks = NULL;
    enum cli_exit e = find_group(c, a->words[0], &tasks, err);
    if (e != CLI_OK) {
        return e;
    }
    int rc = c->json ? json_print(json_of_docs(tasks), c->out, err) : members_table(c, tasks, err);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_dead_show = {
    .name = "dead show",
    .args = "<task>|<group>",
    .brief = "one dead letter with the end of its log, or all of a group",
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_dead_show};

/* --- retry and drop --- */

static enum cli_exit named_tasks(struct cli *c, const struct args *a, struct docs **out,
                                 struct err *err)
{
    AUTO(docs_free) struct docs *named = docs_new(err);
    for (size_t i = 0; named != NULL && i < a->n; i++) {
        AUTO(bson_destroy) bson_t *task = NULL;
        if (find_task(&c->ops, a->words[i], &task, err) != 0) {
            return cli_exit_of(err);
        }
        if (!is_dead(task)) {
            return cli_fail(err, CLI_REFUSED,
                            "%s is %s, so it is no dead letter; trawl dead ls lists them",
                            a->words[i], doc_str(task, "state", "?"));
        }
        if (docs_add(named, task, err) != 0) {
            return cli_exit_of(err);
        }
    }
    *out = TAKE(named);
    return *out != NULL ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit choose_tasks(struct cli *c, const struct args *a, struct docs **out,
                                  struct err *err)
{
    const char *group = args_get(a, "group");
    bool all = args_get(a, "all") != NULL;
    if ((a->n > 0) + (group != NULL) + all != 1) {
        return cli_fail(err, CLI_USAGE, "name <task>…, --group ID or --all, and only one of them");
    }
    if (a->n > 0) {
        return named_tasks(c, a, out, err);
    }
    if (group != NULL) {
        return find_group(c, group, out, err);
    }
    *out = read_dead(c, err);
    return *out != NULL ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit steer_dead(struct cli *c, const struct args *a, struct steering *s,
                                bool needs_why, struct err *err)
{
    AUTO(docs_free) struct docs *tasks = NULL;
    if (cli_why(a, needs_why, &s->why, err) != 0) {
        return CLI_USAGE;
    }
    enum cli_exit e = choose_tasks(c, a, &tasks, err);
    if (e != CLI_OK) {
        return e;
    }
    if (tasks->n == 0 && !c->json) {
        fputs(c->quiet ? "" : "no dead letters\n", stderr);
        return CLI_OK;
    }
    s->verb = a->command->name;
    s->list = true;
    return cmd_steer(c, s, tasks, err);
}

static enum cli_exit cmd_dead_retry(struct cli *c, const struct args *a, struct err *err)
{
    struct steering s = {.steer = &steer_retry};
    return steer_dead(c, a, &s, false, err);
}

static const struct cli_option dead_retry_options[] = {
    {"group", "ID", "every task of this group (trawl dead ls)"},
    {"all", NULL, "every dead letter"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_dead_retry = {
    .name = "dead retry",
    .args = "[<task>…]",
    .brief = "try dead letters again",
    .help = "Exits 5 if any of them is no longer a dead letter; the rest are still retried.\n\n"
            "  trawl dead retry --group 5f1c02aa --why \"the share is back\"",
    .options = dead_retry_options,
    .max_words = 8,
    .need = NEED_DB,
    .run = cmd_dead_retry};

static enum cli_exit cmd_dead_drop(struct cli *c, const struct args *a, struct err *err)
{
    struct steering s = {.steer = &steer_ignore};
    return steer_dead(c, a, &s, true, err);
}

static const struct cli_option dead_drop_options[] = {
    {"group", "ID", "every task of this group (trawl dead ls)"},
    {"all", NULL, "every dead letter"},
    {"why", "TEXT", "the reason, required: kept with each task and in trawl log"},
    {0},
};

const struct command command_dead_drop = {
    .name = "dead drop",
    .args = "[<task>…]",
    .brief = "accept that they failed: trawl task ignore for many",
    .help =
        "The tasks become ignored; their errors and the reason are kept. trawl task retry makes\n"
        "one ready again.\n\n"
        "  trawl dead drop --group 5f1c02aa --why \"test files of the vendor\"",
    .options = dead_drop_options,
    .max_words = 8,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_dead_drop};
