/*
 * cmd_settings_assign.c - trawl settings assign|unassign|resolve: which settings apply to which
 * files.
 *
 * An assignment's name is "<project>/<scope>/<software type>/<filter>", and its _id is made of it
 * (common/db/named.h), so that the database itself prevents two for the same place.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/db/named.h"
#include "ops/act.h"
#include "ops/find.h"
#include "ops/settings.h"

#define FILTER_MAX   128
#define EXCLUDED_MAX 64
#define ID_MAX       400

static bool is_vendor(const char *scope)
{
    for (int t = 0; t < INSTRUMENT_TYPE_COUNT; t++) {
        if (strcmp(scope, instrument_type_name((enum instrument_type)t)) == 0) {
            return true;
        }
    }
    return false;
}

static enum cli_exit check_instrument(struct cli *c, const char *id, const char *option,
                                      struct err *err)
{
    char vendor[16];
    if (!bson_utf8_validate(id, strlen(id), false) || strlen(id) > 32) {
        return cli_fail(err, CLI_USAGE, "--%s: no instrument can have that name", option);
    }
    if (instrument_vendor(&c->ops, id, vendor, err) != 0) {
        return cli_exit_of(err);
    }
    return vendor[0] != '\0'
               ? CLI_OK
               : cli_fail(err, CLI_MISSING,
                          "--%s: '%s' is no instrument (trawl status lists them)%s", option, id,
                          strcmp(option, "scope") == 0
                              ? ", no vendor (thermo, bruker, sciex, generic), nor *"
                              : "");
}

/* "a,b" -> an array of instruments. */
static enum cli_exit read_excluded(struct cli *c, const char *text, bson_t *list, struct err *err)
{
    for (const char *at = text; at != NULL && *at != '\0';) {
        char id[64], key[16];
        size_t len = strcspn(at, ",");
        snprintf(id, sizeof id, "%.*s", (int)(len < 63 ? len : 63), at);
        snprintf(key, sizeof key, "%u", bson_count_keys(list));
        if (bson_count_keys(list) >= EXCLUDED_MAX) {
            return cli_fail(err, CLI_USAGE, "--exclude names more than %d", EXCLUDED_MAX);
        }
        enum cli_exit e = check_instrument(c, id, "exclude", err);
        if (e != CLI_OK) {
            return e;
        }
        BSON_APPEND_UTF8(list, key, id);
        at += len + (at[len] == ',' ? 1 : 0);
    }
    return CLI_OK;
}

struct slot {
    const char *project, *scope, *type, *filter;
    const char *settings; /* "<name>-v<version>" */
    const bson_t *doc;    /* of the settings */
};

/* The assignment that already holds this place, whatever its _id; borrowed; NULL: none. */
static const bson_t *find_present(const struct settings_book *b, const struct slot *s)
{
    for (size_t i = 0; i < b->assignments.n; i++) {
        const bson_t *a = b->assignments.items[i], *settings = settings_of(b, a);
        if (settings != NULL && strcmp(settings_type(settings), s->type) == 0 &&
            doc_says(a, "project", s->project) && strcmp(doc_str(a, "scope", "*"), s->scope) == 0 &&
            strcmp(doc_str(a, "raw_file_id_filter", ""), s->filter) == 0) {
            return a;
        }
    }
    return NULL;
}

static enum cli_exit delete_assignment(struct cli *c, const struct settings_book *b,
                                       const bson_t *assignment, struct err *err)
{
    char id[SETTINGS_ID_MAX];
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = named_filter(assignment);
    const struct act act = {&c->ops, "settings unassign", settings_of_name(b, assignment, id),
                            assignment};
    if (act_delete(&act, DB_ASSIGNMENTS, filter, &won, err) != 0) {
        return cli_exit_of(err);
    }
    return won ? CLI_OK
               : cli_fail(err, CLI_REFUSED,
                          "it was removed meanwhile, or a migration holds it (trawl status): check "
                          "with trawl project ls, then try again");
}

static enum cli_exit replace_present(struct cli *c, const struct args *a, const struct slot *s,
                                     struct err *err)
{
    char id[SETTINGS_ID_MAX];
    AUTO(settings_book_clear) struct settings_book b = {0};
    if (settings_book_load(&b, c->ops.db, err) != 0) {
        return cli_exit_of(err);
    }
    const bson_t *taken = find_present(&b, s);
    if (taken == NULL) {
        return CLI_OK;
    }
    if (args_get(a, "replace") == NULL) {
        return cli_fail(err, CLI_REFUSED,
                        "%s quantifies this already (%s, scope %s, %s): --replace puts %s in its "
                        "place",
                        settings_of_name(&b, taken, id), s->project, s->scope, s->type,
                        s->settings);
    }
    return delete_assignment(c, &b, taken, err);
}

static enum cli_exit insert_assignment(struct cli *c, const struct slot *s, const bson_t *excluded,
                                       struct err *err)
{
    char place[ID_MAX], said[ID_MAX];
    bool won = false;
    snprintf(place, sizeof place, "%s/%s/%s/%s", s->project, s->scope, s->type, s->filter);
    AUTO(bson_destroy) bson_t *doc = named_new(place);
    BCON_APPEND(doc, "project", BCON_UTF8(s->project), "scope", BCON_UTF8(s->scope), "excluded",
                BCON_ARRAY(excluded), "raw_file_id_filter", BCON_UTF8(s->filter), "created_by",
                BCON_UTF8(c->ops.by), "created_at_", BCON_DATE_TIME(wall_ms()));
    named_append_ref(doc, "settings", s->doc);
    const struct act act = {&c->ops, "settings assign", s->settings, NULL};
    if (act_insert(&act, DB_ASSIGNMENTS, doc, &won, err) != 0) {
        return cli_exit_of(err);
    }
    if (!won) {
        return cli_fail(err, CLI_REFUSED,
                        "somebody else assigned it meanwhile: check with trawl settings ls");
    }
    snprintf(said, sizeof said, "%s now quantifies %s, scope %s", s->settings, s->project,
             s->scope);
    AUTO(bson_destroy) bson_t *shown = bson_new();
    bson_copy_to_excluding_noinit(doc, shown, "settings", NULL);
    BSON_APPEND_UTF8(shown, "settings", s->settings);
    return cli_done(c, said, shown, err);
}

static enum cli_exit assign_settings(struct cli *c, const struct args *a, const bson_t *settings,
                                     struct err *err)
{
    char id[SETTINGS_ID_MAX];
    const char *scope = args_get(a, "scope"), *filter = args_get(a, "filter");
    struct slot s = {a->words[1],
                     scope != NULL ? scope : "*",
                     settings_type(settings),
                     filter != NULL ? filter : "",
                     settings_id(settings, id),
                     settings};
    if (strlen(s.filter) > FILTER_MAX || !bson_utf8_validate(s.filter, strlen(s.filter), false)) {
        return cli_fail(err, CLI_USAGE, "--filter is at most %d bytes of UTF-8", FILTER_MAX);
    }
    if (strcmp(doc_str(settings, "status", "active"), "active") != 0) {
        return cli_fail(err, CLI_REFUSED, "%s is archived: trawl settings archive --undo %s first",
                        settings_id(settings, id), id);
    }
    enum cli_exit e = CLI_OK;
    if (strcmp(s.scope, "*") != 0 && !is_vendor(s.scope)) {
        e = check_instrument(c, s.scope, "scope", err);
    }
    bson_t excluded = BSON_INITIALIZER;
    e = e == CLI_OK ? read_excluded(c, args_get(a, "exclude"), &excluded, err) : e;
    e = e == CLI_OK ? replace_present(c, a, &s, err) : e;
    e = e == CLI_OK ? insert_assignment(c, &s, &excluded, err) : e;
    bson_destroy(&excluded);
    return e;
}

static enum cli_exit cmd_settings_assign(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(bson_destroy) bson_t *settings = NULL;
    AUTO(bson_destroy) bson_t *project = NULL;
    if (settings_find(&c->ops, a->words[0], &settings, err) != 0 ||
        project_find(&c->ops, a->words[1], &project, err) != 0) {
        return cli_exit_of(err);
    }
    return assign_settings(c, a, settings, err);
}

static const struct cli_option settings_assign_options[] = {
    {"scope", "SCOPE", "* (all), a vendor (thermo, bruker, sciex, generic) or an instrument"},
    {"exclude", "IDS", "not for these instruments, separated by commas"},
    {"filter", "TEXT", "only for raw files whose id contains TEXT"},
    {"replace", NULL, "replace what is assigned there"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_settings_assign = {
    .name = "settings assign",
    .args = "<settings> <project>",
    .brief = "quantify a project's files with this version",
    .help = "Of all assignments that apply to a file, the most specific one counts: an instrument "
            "before a\n"
            "vendor before *, then the longest --filter; one for each software type, side by side. "
            "A project\n"
            "without any is not quantified, or like _FALLBACK: [quant] without_settings. Applies "
            "to new files; for earlier ones: "
            "trawl rerun.",
    .options = settings_assign_options,
    .min_words = 2,
    .max_words = 2,
    .need = NEED_DB,
    .run = cmd_settings_assign};

/* The one assignment of these settings that the words mean; borrowed. */
static enum cli_exit find_matching(const struct settings_book *b, const bson_t *settings,
                                   const struct args *a, const bson_t **out, struct err *err)
{
    char id[SETTINGS_ID_MAX];
    const char *scope = args_get(a, "scope"), *filter = args_get(a, "filter");
    size_t n = 0;
    for (size_t i = 0; i < b->assignments.n; i++) {
        const bson_t *one = b->assignments.items[i];
        if (named_is_meant(settings, one, "settings") && doc_says(one, "project", a->words[1]) &&
            (scope == NULL || strcmp(doc_str(one, "scope", "*"), scope) == 0) &&
            (filter == NULL || strcmp(doc_str(one, "raw_file_id_filter", ""), filter) == 0)) {
            *out = one;
            n++;
        }
    }
    if (n == 0) {
        return cli_fail(err, CLI_MISSING, "%s is not assigned to %s with this scope and filter",
                        settings_id(settings, id), a->words[1]);
    }
    return n == 1 ? CLI_OK
                  : cli_fail(err, CLI_REFUSED,
                             "%s is assigned to %s in %zu ways: name one with --scope and --filter",
                             settings_id(settings, id), a->words[1], n);
}

static enum cli_exit cmd_settings_unassign(struct cli *c, const struct args *a, struct err *err)
{
    char said[ID_MAX], id[SETTINGS_ID_MAX];
    const bson_t *found = NULL;
    AUTO(bson_destroy) bson_t *settings = NULL;
    AUTO(bson_destroy) bson_t *project = NULL;
    AUTO(settings_book_clear) struct settings_book b = {0};
    if (settings_find(&c->ops, a->words[0], &settings, err) != 0 ||
        project_find(&c->ops, a->words[1], &project, err) != 0 ||
        settings_book_load(&b, c->ops.db, err) != 0) {
        return cli_exit_of(err);
    }
    enum cli_exit e = find_matching(&b, settings, a, &found, err);
    e = e == CLI_OK ? delete_assignment(c, &b, found, err) : e;
    if (e != CLI_OK) {
        return e;
    }
    snprintf(said, sizeof said, "%s no longer quantifies %s, scope %s", settings_id(settings, id),
             a->words[1], doc_str(found, "scope", "*"));
    return cli_done(c, said, NULL, err);
}

static const struct cli_option settings_unassign_options[] = {
    {"scope", "SCOPE", "the one with this scope"},
    {"filter", "TEXT", "the one with this filter"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_settings_unassign = {
    .name = "settings unassign",
    .args = "<settings> <project>",
    .brief = "stop quantifying a project's files with this version",
    .options = settings_unassign_options,
    .min_words = 2,
    .max_words = 2,
    .need = NEED_DB,
    .run = cmd_settings_unassign};

/* --- resolve --- */

static const char *fit_name(enum resolve_fit fit)
{
    static const char *const names[] = {
        [RESOLVE_FITS] = "fits",
        [RESOLVE_OTHER_PROJECT] = "other project",
        [RESOLVE_OTHER_SCOPE] = "other scope",
        [RESOLVE_EXCLUDED] = "excluded",
        [RESOLVE_OTHER_NAME] = "other name",
    };
    _Static_assert(sizeof names / sizeof *names == RESOLVE_FIT_COUNT, "a name for each");
    return names[fit];
}

struct resolved {
    const struct settings_book *b;
    const bson_t *out[RESOLVE_MAX];
    size_t n;
    struct resolve_for f;
};

static const char *verdict_name(const struct resolved *r, const bson_t *a, int64_t *score)
{
    *score = -1;
    enum resolve_fit fit = resolve_fit(a, &r->f, score);
    const bson_t *settings = settings_of(r->b, a);
    for (size_t i = 0; fit == RESOLVE_FITS && i < r->n; i++) {
        if (r->out[i] == settings) {
            return "runs";
        }
    }
    if (fit == RESOLVE_FITS && settings == NULL) {
        return "missing";
    }
    return fit == RESOLVE_FITS ? "less specific" : fit_name(fit);
}

static json_t *verdict_json(const struct resolved *r, const bson_t *a)
{
    char id[SETTINGS_ID_MAX];
    int64_t score;
    const char *said = verdict_name(r, a, &score);
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:I}", "settings",
                     json_text(settings_of_name(r->b, a, id)), "project",
                     json_text(doc_str(a, "project", "")), "scope",
                     json_text(doc_str(a, "scope", "*")), "filter",
                     json_text(doc_str(a, "raw_file_id_filter", "")), "verdict", said, "score",
                     (json_int_t)score);
}

static int print_resolved(struct cli *c, const struct resolved *r, struct err *err)
{
    static const struct column columns[] = {
        {.title = "SETTINGS"},
        {.title = "PROJECT"},
        {.title = "SCOPE"},
        {.title = "FILTER"},
        {.title = "SCORE", .right = true},
        {.title = "VERDICT"},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < r->b->assignments.n; i++) {
        const bson_t *a = r->b->assignments.items[i];
        char id[SETTINGS_ID_MAX];
        int64_t score;
        const char *said = verdict_name(r, a, &score);
        if (strcmp(said, fit_name(RESOLVE_OTHER_PROJECT)) == 0) {
            continue;
        }
        table_cell(t, STYLE_PLAIN, settings_of_name(r->b, a, id));
        table_cell(t, STYLE_PLAIN, doc_str(a, "project", "?"));
        table_cell(t, STYLE_PLAIN, doc_str(a, "scope", "*"));
        table_cell(t, STYLE_PLAIN, doc_str(a, "raw_file_id_filter", ""));
        table_cellf(t, STYLE_PLAIN, score < 0 ? "-" : "%" PRId64, score);
        table_cell(t, strcmp(said, "runs") == 0 ? STYLE_GOOD : STYLE_DIM, said);
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static int resolve_json(struct cli *c, const struct resolved *r, struct err *err)
{
    char id[SETTINGS_ID_MAX];
    AUTO(json_decref) json_t *runs = json_array();
    AUTO(json_decref) json_t *all = json_array();
    for (size_t i = 0; i < r->n; i++) {
        json_array_append_new(runs, json_text(settings_id(r->out[i], id)));
    }
    for (size_t i = 0; i < r->b->assignments.n; i++) {
        json_array_append_new(all, verdict_json(r, r->b->assignments.items[i]));
    }
    return json_print(json_pack("{s:o, s:o, s:o}", "project", json_text(r->f.project), "runs",
                                TAKE(runs), "assignments", TAKE(all)),
                      c->out, err);
}

/* What happens when no settings of its own project apply, and which key says so. */
static void report_rule(const struct cli *c, const struct resolved *r, const char *project)
{
    if (r->n == 0) {
        fprintf(stderr,
                "no settings apply to it: it is not quantified ([quant] without_settings = %s); to "
                "assign some: trawl settings assign\n",
                c->ops.cfg->quant.without_settings);
    } else if (strcmp(r->f.project, project) != 0) {
        fprintf(stderr,
                "no settings of project %s apply to it: those of %s do ([quant] without_settings = "
                "fallback)\n",
                project, r->f.project);
    }
}

static enum cli_exit cmd_settings_resolve(struct cli *c, const struct args *a, struct err *err)
{
    char vendor[16];
    AUTO(settings_book_clear) struct settings_book b = {0};
    struct resolved r = {.b = &b};
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (find_raw_file(&c->ops, a->words[0], &raw, err) != 0 ||
        instrument_vendor(&c->ops, doc_str(raw, "instrument_id", ""), vendor, err) != 0 ||
        settings_book_load(&b, c->ops.db, err) != 0) {
        return cli_exit_of(err);
    }
    settings_book_rule(&b, c->ops.cfg);
    r.n = resolve_raw_file(&b, raw, vendor, &r.f, r.out);
    int rc = c->json ? resolve_json(c, &r, err) : print_resolved(c, &r, err);
    if (rc == 0 && !c->quiet) {
        report_rule(c, &r, doc_str(raw, "project_id", PROJECT_FALLBACK));
    }
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_settings_resolve = {
    .name = "settings resolve",
    .args = "<file>",
    .brief = "which settings quantify a raw file, and why not the others",
    .min_words = 1,
    .max_words = 1,
    .need = NEED_DB,
    .run = cmd_settings_resolve};
