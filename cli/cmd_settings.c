/*
 * cmd_settings.c - trawl settings ls|show|archive: versions of settings, and what each is assigned
 * to.
 *
 * ls and show join the versions with their assignments. archive changes only the status: a version
 * hides from ls, and its assignments stay in force, which the answer says.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/settings_json.h"
#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/named.h"
#include "ops/act.h"
#include "ops/settings.h"

static bool is_archived(const bson_t *doc)
{
    return strcmp(doc_str(doc, "status", "active"), "active") != 0;
}

static int64_t count_assigned(const struct settings_book *b, const bson_t *settings)
{
    int64_t n = 0;
    for (size_t i = 0; i < b->assignments.n; i++) {
        n += named_is_meant(settings, b->assignments.items[i], "settings");
    }
    return n;
}

static void report_missing(const struct cli *c, const struct settings_book *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->assignments.n; i++) {
        n += settings_of(b, b->assignments.items[i]) == NULL;
    }
    if (n > 0 && !c->quiet) {
        fprintf(stderr,
                "assignments of settings that are not there: %zu; trawl project ls names them\n",
                n);
    }
}

static int print_versions(struct cli *c, const struct docs *d, bool all, struct err *err)
{
    static const struct column columns[] = {
        {.title = "SETTINGS"},
        {.title = "TYPE"},
        {.title = "SOFTWARE", .min = 10, .rank = 2},
        {.title = "ENGINE", .rank = 4},
        {.title = "CPUS", .right = true, .rank = 3},
        {.title = "MEMORY", .right = true, .rank = 3},
        {.title = "TIME", .right = true, .rank = 3},
        {.title = "ASSIGNED", .right = true},
        {.title = "STATUS"},
        {.title = "MADE", .rank = 5},
        {.title = "DESCRIPTION", .min = 12, .rank = 1},
        {0},
    };
    AUTO(settings_book_clear) struct settings_book b = {0};
    AUTO(table_free)
    struct table *t = settings_book_load(&b, c->ops.db, err) == 0 ? table_new(columns, err) : NULL;
    for (size_t i = 0; t != NULL && i < d->n; i++) {
        const bson_t *s = d->items[i];
        char id[SETTINGS_ID_MAX], buf[TEXT_SHORT];
        enum style style = is_archived(s) ? STYLE_DIM : STYLE_PLAIN;
        if (is_archived(s) && !all) {
            continue;
        }
        table_cell(t, style, settings_id(s, id));
        table_cell(t, style, settings_type(s));
        table_cell(t, style, doc_str(s, "software", ""));
        table_cell(t, style, doc_str(s, "job_engine", ""));
        table_cellf(t, style, "%" PRId64, doc_i64(s, "slurm_cpus_per_task", 1));
        table_cell(t, style, doc_str(s, "slurm_mem", ""));
        table_cell(t, style, doc_str(s, "slurm_time", ""));
        table_cellf(t, style, "%" PRId64, count_assigned(&b, s));
        table_cell(t, style, is_archived(s) ? "archived" : "active");
        table_cell(t, style, text_time(doc_i64(s, "created_at_", 0), buf));
        table_cell(t, style, doc_str(s, "description", ""));
    }
    report_missing(c, &b);
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_settings_ls(struct cli *c, const struct args *a, struct err *err)
{
    bool all = args_get(a, "all") != NULL;
    AUTO(docs_free) struct docs *d = settings_versions(&c->ops, "", err);
    if (d == NULL) {
        return cli_exit_of(err);
    }
    if (!c->json) {
        return print_versions(c, d, all, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < d->n; i++) {
        if ((all || !is_archived(d->items[i])) &&
            json_array_append_new(list, settings_json(d->items[i])) != 0) {
            return cli_fail(err, CLI_AWAY, "out of memory");
        }
    }
    return json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static const struct cli_option settings_ls_options[] = {
    {"all", NULL, "also archived ones"},
    {0},
};

const struct command command_settings_ls = {
    .name = "settings ls",
    .args = "",
    .brief = "how files are quantified: every version of all settings",
    .options = settings_ls_options,
    .need = NEED_DB,
    .run = cmd_settings_ls};

/* --- show --- */

static void print_text(struct cli *c, const char *key, const char *value)
{
    if (*value != '\0') {
        fprintf(c->out, "%-12s ", key);
        text_put(c->out, value);
        fputc('\n', c->out);
    }
}

static void print_number(struct cli *c, const char *key, int64_t n)
{
    fprintf(c->out, "%-12s %" PRId64 "\n", key, n);
}

static void print_files(struct cli *c, const bson_t *doc)
{
    bson_t list, one;
    bson_iter_t at;
    char buf[TEXT_SHORT];
    for (bool more =
             doc_sub(doc, "files", &list) && bson_iter_init(&at, &list) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        if (doc_sub(&list, bson_iter_key(&at), &one)) {
            fprintf(c->out, "%-12s %s  ", "file", doc_str(&one, "xxh3", "?"));
            text_put(c->out, doc_str(&one, "name", "?"));
            fprintf(c->out, "  %s\n", text_size(doc_i64(&one, "size", -1), buf));
        }
    }
    for (bool more =
             doc_sub(doc, "columns", &list) && bson_iter_init(&at, &list) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        if (doc_sub(&list, bson_iter_key(&at), &one)) {
            fprintf(c->out, "%-12s ", "metric");
            text_put(c->out, doc_str(&one, "metric", "?"));
            fprintf(c->out, " = %s of ", doc_str(&one, "how", "mean"));
            text_put(c->out, doc_str(&one, "column", "?"));
            fputs(" in ", c->out);
            text_put(c->out, doc_str(&one, "file", "?"));
            fputc('\n', c->out);
        }
    }
}

static void print_use(struct cli *c, const bson_t *assignment)
{
    const char *filter = doc_str(assignment, "raw_file_id_filter", "");
    fprintf(c->out, "%-12s ", "project");
    text_put(c->out, doc_str(assignment, "project", "?"));
    fputs(", scope ", c->out);
    text_put(c->out, doc_str(assignment, "scope", "*"));
    fputs(*filter != '\0' ? ", names with " : "", c->out);
    text_put(c->out, filter);
    fputc('\n', c->out);
}

static void print_settings(struct cli *c, const bson_t *s, const struct settings_book *b)
{
    static const struct {
        const char *key, *field;
    } texts[] = {{"type", "software_type"},
                 {"software", "software"},
                 {"parameters", "config_params"},
                 {"engine", "job_engine"},
                 {"metrics", "metrics_type"},
                 {"memory", "slurm_mem"},
                 {"time", "slurm_time"},
                 {"fasta", "fasta_file_name"},
                 {"speclib", "speclib_file_name"},
                 {"config", "config_file_name"},
                 {"folder", "set"},
                 {"description", "description"},
                 {"made by", "created_by"}};
    char id[SETTINGS_ID_MAX], buf[TEXT_SHORT];
    print_text(c, "settings", settings_id(s, id));
    print_text(c, "status", is_archived(s) ? "archived" : "active");
    print_text(c, "made", text_time(doc_i64(s, "created_at_", 0), buf));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        print_text(c, texts[i].key, doc_str(s, texts[i].field, ""));
    }
    print_number(c, "cpus", doc_i64(s, "slurm_cpus_per_task", 1));
    print_number(c, "threads", doc_i64(s, "num_threads", 1));
    print_files(c, s);
    for (size_t i = 0; i < b->assignments.n; i++) {
        if (named_is_meant(s, b->assignments.items[i], "settings")) {
            print_use(c, b->assignments.items[i]);
        }
    }
}

static json_t *uses_json(const bson_t *s, const struct settings_book *b)
{
    json_t *uses = json_array();
    for (size_t i = 0; i < b->assignments.n; i++) {
        if (named_is_meant(s, b->assignments.items[i], "settings")) {
            json_array_append_new(uses, assignment_json(b, b->assignments.items[i]));
        }
    }
    return uses;
}

static enum cli_exit cmd_settings_show(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(bson_destroy) bson_t *doc = NULL;
    if (settings_find(&c->ops, a->words[0], &doc, err) != 0) {
        return cli_exit_of(err);
    }
    AUTO(settings_book_clear) struct settings_book b = {0};
    if (settings_book_load(&b, c->ops.db, err) != 0) {
        return cli_exit_of(err);
    }
    if (!c->json) {
        print_settings(c, doc, &b);
        return CLI_OK;
    }
    json_t *answer =
        json_pack("{s:o, s:o}", "settings", settings_json(doc), "assignments", uses_json(doc, &b));
    return json_print(answer, c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_settings_show = {
    .name = "settings show",
    .args = "<settings>",
    .brief = "one version with its files and what it is assigned to",
    .help = "<settings> is a name, which means its newest version, or <name>-v<number>.",
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_settings_show};

/* --- archive --- */

static enum cli_exit set_status(struct cli *c, const bson_t *doc, const char *status,
                                struct err *err)
{
    char id[SETTINGS_ID_MAX];
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = named_filter(doc);
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "status", BCON_UTF8(status), "}");
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("status", BCON_UTF8(doc_str(doc, "status", "active")));
    const struct act act = {&c->ops, "settings archive", settings_id(doc, id), before};
    if (act_update(&act, DB_SETTINGS, filter, update, &won, err) != 0) {
        return cli_exit_of(err);
    }
    return won ? CLI_OK
               : cli_fail(err, CLI_MISSING,
                          "they were deleted meanwhile, or a migration holds them (trawl "
                          "status): check with trawl settings ls, then try again");
}

static enum cli_exit cmd_settings_archive(struct cli *c, const struct args *a, struct err *err)
{
    char id[SETTINGS_ID_MAX], said[400];
    AUTO(bson_destroy) bson_t *doc = NULL;
    bool undo = args_get(a, "undo") != NULL;
    if (settings_find(&c->ops, a->words[0], &doc, err) != 0) {
        return cli_exit_of(err);
    }
    enum cli_exit e = set_status(c, doc, undo ? "active" : "inactive", err);
    if (e != CLI_OK) {
        return e;
    }
    AUTO(settings_book_clear) struct settings_book b = {0};
    if (settings_book_load(&b, c->ops.db, err) != 0) {
        return cli_exit_of(err);
    }
    int64_t uses = count_assigned(&b, doc);
    int n = snprintf(said, sizeof said, "%s is %s", settings_id(doc, id),
                     undo ? "active again" : "archived");
    if (!undo && uses > 0) {
        snprintf(said + n, sizeof said - (size_t)n,
                 "; it still quantifies what it is assigned to (%" PRId64
                 "): trawl settings unassign "
                 "%s <project>",
                 uses, id);
    }
    return cli_done(c, said, NULL, err);
}

static const struct cli_option settings_archive_options[] = {
    {"undo", NULL, "make it active again"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_settings_archive = {
    .name = "settings archive",
    .args = "<settings>",
    .brief = "hide a version; its assignments stay in force",
    .options = settings_archive_options,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_settings_archive};
