/*
 * cmd_project.c - trawl project ls|new|set: projects, whose ids are tokens in raw files' names.
 *
 * ls joins the projects with their assignments of settings. new and set check every text first,
 * then insert or update one document with its entry in the audit.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "ops/act.h"
#include "ops/settings.h"

#define NAME_MAX_BYTES        64
#define DESCRIPTION_MAX_BYTES 512

static struct docs *read_projects(struct cli *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return docs_read(c->ops.db, &(struct docs_query){.coll = DB_PROJECTS, .opts = opts}, err);
}

/* The settings that are assigned to a project, "human-v2, msqc-v1". */
static void list_settings(const struct settings_book *b, const char *project, char *out,
                          size_t room)
{
    char id[SETTINGS_ID_MAX];
    out[0] = '\0';
    for (size_t i = 0, used = 0; i < b->assignments.n && used < room; i++) {
        const bson_t *a = b->assignments.items[i];
        if (doc_says(a, "project", project)) {
            int n = snprintf(out + used, room - used, "%s%s", used > 0 ? ", " : "",
                             settings_of_name(b, a, id));
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static bool is_active(const bson_t *p)
{
    return strcmp(doc_str(p, "status", "active"), "active") == 0;
}

static int print_projects(struct cli *c, const struct docs *d, bool all, struct err *err)
{
    static const struct column columns[] = {
        {.title = "PROJECT"},
        {.title = "NAME", .min = 10},
        {.title = "SETTINGS", .min = 10},
        {.title = "STATUS"},
        {.title = "DESCRIPTION", .min = 10, .rank = 1},
        {0},
    };
    AUTO(settings_book_clear) struct settings_book b = {0};
    AUTO(table_free)
    struct table *t = settings_book_load(&b, c->ops.db, err) == 0 ? table_new(columns, err) : NULL;
    for (size_t i = 0; t != NULL && i < d->n; i++) {
        const bson_t *p = d->items[i];
        char list[300];
        list_settings(&b, doc_str(p, "_id", ""), list, sizeof list);
        if (!is_active(p) && !all) {
            continue;
        }
        table_cell(t, STYLE_PLAIN, doc_str(p, "_id", "?"));
        table_cell(t, STYLE_PLAIN, doc_str(p, "name", ""));
        table_cell(t, STYLE_PLAIN, list);
        table_cell(t, is_active(p) ? STYLE_PLAIN : STYLE_DIM, doc_str(p, "status", "active"));
        table_cell(t, STYLE_PLAIN, doc_str(p, "description", ""));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_project_ls(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(docs_free) struct docs *d = read_projects(c, err);
    if (d == NULL) {
        return cli_exit_of(err);
    }
    int rc = c->json ? json_print(json_of_docs(d), c->out, err)
                     : print_projects(c, d, args_get(a, "all") != NULL, err);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

static const struct cli_option project_ls_options[] = {
    {"all", NULL, "also inactive ones"},
    {0},
};

const struct command command_project_ls = {.name = "project ls",
                                           .args = "",
                                           .brief = "projects and their settings",
                                           .options = project_ls_options,
                                           .need = NEED_DB,
                                           .run = cmd_project_ls};

/* 4 to 16 of A-Z 0-9, not only digits, because it is a token in raw files' names. */
static enum cli_exit check_id(const char *id, struct err *err)
{
    size_t len = strlen(id);
    bool plain = id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
    bool digits = id[strspn(id, "0123456789")] == '\0';
    return len >= 4 && len <= 16 && plain && !digits
               ? CLI_OK
               : cli_fail(err, CLI_USAGE,
                          "a project's id is 4 to 16 characters of A-Z and 0-9, not only digits: "
                          "'%s' is not",
                          id);
}

static enum cli_exit append_text(const struct args *a, const char *option, size_t max, bson_t *out,
                                 struct err *err)
{
    const char *text = args_get(a, option);
    if (text == NULL) {
        return CLI_OK;
    }
    if (strlen(text) > max || !bson_utf8_validate(text, strlen(text), false)) {
        return cli_fail(err, CLI_USAGE, "--%s is at most %zu bytes of UTF-8", option, max);
    }
    BSON_APPEND_UTF8(out, option, text);
    return CLI_OK;
}

static enum cli_exit cmd_project_new(struct cli *c, const struct args *a, struct err *err)
{
    const char *id = a->words[0];
    char said[64];
    bool won = false;
    enum cli_exit e = check_id(id, err);
    if (e != CLI_OK) {
        return e;
    }
    const char *name = args_get(a, "name");
    AUTO(bson_destroy) bson_t *doc = BCON_NEW("_id", BCON_UTF8(id));
    e = append_text(a, "name", NAME_MAX_BYTES, doc, err);
    e = e == CLI_OK ? append_text(a, "description", DESCRIPTION_MAX_BYTES, doc, err) : e;
    if (e != CLI_OK) {
        return e;
    }
    if (name == NULL) {
        BSON_APPEND_UTF8(doc, "name", id);
    }
    BSON_APPEND_UTF8(doc, "status", "active");
    BSON_APPEND_DATE_TIME(doc, "created_at_", wall_ms());
    const struct act act = {&c->ops, "project new", id, NULL};
    if (act_insert(&act, DB_PROJECTS, doc, &won, err) != 0) {
        return cli_exit_of(err);
    }
    if (!won) {
        return cli_fail(err, CLI_REFUSED,
                        "the project %s exists already; to change it: trawl project set %s", id,
                        id);
    }
    snprintf(said, sizeof said, "made project %s", id);
    return cli_done(c, said, doc, err);
}

static const struct cli_option project_new_options[] = {
    {"name", "TEXT", "for people"},
    {"description", "TEXT", "for people"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_project_new = {
    .name = "project new",
    .args = "<id>",
    .brief = "make a project, for files with its id as a token of their name",
    .options = project_new_options,
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_project_new};

static enum cli_exit cmd_project_set(struct cli *c, const struct args *a, struct err *err)
{
    char said[64];
    bool won = false;
    const char *status = args_get(a, "status");
    AUTO(bson_destroy) bson_t *project = NULL;
    AUTO(bson_destroy) bson_t *set = bson_new();
    if (project_find(&c->ops, a->words[0], &project, err) != 0) {
        return cli_exit_of(err);
    }
    enum cli_exit e = append_text(a, "name", NAME_MAX_BYTES, set, err);
    e = e == CLI_OK ? append_text(a, "description", DESCRIPTION_MAX_BYTES, set, err) : e;
    if (e != CLI_OK) {
        return e;
    }
    if (status != NULL && strcmp(status, "active") != 0 && strcmp(status, "inactive") != 0) {
        return cli_fail(err, CLI_USAGE, "--status is active or inactive, not '%s'", status);
    }
    if (status != NULL) {
        BSON_APPEND_UTF8(set, "status", status);
    }
    if (bson_empty(set)) {
        return cli_fail(err, CLI_USAGE,
                        "nothing to change: give --name, --description or --status");
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(a->words[0]));
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(set));
    const struct act act = {&c->ops, "project set", doc_str(project, "_id", ""), project};
    if (act_update(&act, DB_PROJECTS, filter, update, &won, err) != 0) {
        return cli_exit_of(err);
    }
    snprintf(said, sizeof said, "changed project %s", doc_str(project, "_id", ""));
    return cli_done(c, said, NULL, err);
}

static const struct cli_option project_set_options[] = {
    {"name", "TEXT", "for people"},
    {"description", "TEXT", "for people"},
    {"status", "STATUS", "active, or inactive: hidden from trawl project ls"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_project_set = {.name = "project set",
                                            .args = "<id>",
                                            .brief =
                                                "change a project's name, description or status",
                                            .options = project_set_options,
                                            .min_words = 1,
                                            .max_words = 1,
                                            .need = NEED_DB,
                                            .run = cmd_project_set};
