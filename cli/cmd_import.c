/* cmd_import.c - trawl import alphakraken: takes over what AlphaKraken has (ops/import.h). */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "ops/import.h"

#define REDRAW_MS   200
#define NOTES_SHOWN 40
#define URI_MAX     16384
#define COMPAT_URI  "[compat] alphakraken_uri"

struct importing_screen {
    struct cli *c;
    int64_t drawn_ms;
};

static void draw(void *ctx, const char *collection, int64_t done, int64_t total)
{
    struct importing_screen *s = ctx;
    char percent[TEXT_SHORT];
    if (s->c->progress && mono_ms() - s->drawn_ms >= REDRAW_MS) {
        fprintf(stderr, "\r%s: %" PRId64 " read  %s\033[K", collection, done,
                text_percent(done, total, percent));
        fflush(stderr);
        s->drawn_ms = mono_ms();
    }
}

static void undraw(const struct importing_screen *s)
{
    if (s->drawn_ms > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

/* --- the report --- */

static json_t *json_sums(const struct import_report *r)
{
    json_t *all = json_object();
    for (int k = 0; k < IMPORT_KIND_COUNT; k++) {
        const struct import_sum *s = &r->sums[k];
        json_object_set_new(all, import_kind_name((enum import_kind)k),
                            json_pack("{s:I, s:I, s:I, s:I, s:I}", "seen", (json_int_t)s->seen,
                                      "taken", (json_int_t)s->taken, "left", (json_int_t)s->left,
                                      "dropped", (json_int_t)s->dropped, "refused",
                                      (json_int_t)s->refused));
    }
    return all;
}

/* What is printed: all, or how far it got before it failed. */
struct view {
    const struct import_report *r;
    bool dry, complete;
};

static int print_json(struct cli *c, const struct view *v, struct err *err)
{
    const struct import_report *r = v->r;
    return json_print(
        json_pack("{s:o, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:{s:I, s:I}, s:o, s:I}", "from",
                  json_text(r->from), "dry_run", v->dry, "complete", v->complete, "collections",
                  json_sums(r), "kept", (json_int_t)r->kept, "quantified", (json_int_t)r->quantify,
                  "monitored", (json_int_t)r->adopt, "unproven", (json_int_t)r->unproven,
                  "discarded", "raw_file", (json_int_t)r->dropped_raw_files, "tasks",
                  (json_int_t)r->dropped_tasks, "notes", json_of_docs(&r->notes), "notes_total",
                  (json_int_t)r->n_notes),
        c->out, err);
}

static int print_sums(struct cli *c, const struct import_report *r, bool dry, struct err *err)
{
    const struct column columns[] = {
        {.title = "COLLECTION"},
        {.title = "SEEN", .right = true},
        {.title = dry ? "TO TAKE" : "TAKEN", .right = true},
        {.title = "LEFT", .right = true},
        {.title = "DROPPED", .right = true},
        {.title = "REFUSED", .right = true},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (int k = 0; t != NULL && k < IMPORT_KIND_COUNT; k++) {
        const struct import_sum *s = &r->sums[k];
        table_cell(t, STYLE_PLAIN, import_kind_name((enum import_kind)k));
        table_cellf(t, STYLE_PLAIN, "%" PRId64, s->seen);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, s->taken);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, s->left);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, s->dropped);
        table_cellf(t, s->refused > 0 ? STYLE_BAD : STYLE_PLAIN, "%" PRId64, s->refused);
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static int print_notes(struct cli *c, const struct import_report *r, struct err *err)
{
    static const struct column columns[] = {{.title = "WHAT"},
                                            {.title = "COLLECTION"},
                                            {.title = "ID", .min = 12},
                                            {.title = "WHY", .min = 20},
                                            {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < r->notes.n && i < NOTES_SHOWN; i++) {
        const bson_t *n = r->notes.items[i];
        table_cell(t, STYLE_PLAIN, doc_str(n, "what", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "collection", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "id", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "why", ""));
    }
    fputc('\n', c->out);
    if (t == NULL || table_print(t, &(struct table_look){c->width, c->color}, c->out, err) != 0) {
        return -1;
    }
    if (r->n_notes > NOTES_SHOWN) {
        fprintf(c->out, "and %" PRId64 " more: --json lists them\n", r->n_notes - NOTES_SHOWN);
    }
    return 0;
}

static int print_text(struct cli *c, const struct view *v, struct err *err)
{
    const struct import_report *r = v->r;
    if (print_sums(c, r, v->dry, err) != 0 || (r->n_notes > 0 && print_notes(c, r, err) != 0)) {
        return -1;
    }
    if (r->dropped_raw_files + r->dropped_tasks > 0) {
        fprintf(c->out, "\nof the shadow, %" PRId64 " raw files and %" PRId64 " tasks %s dropped\n",
                r->dropped_raw_files, r->dropped_tasks, v->dry ? "would be" : "are");
    }
    fprintf(c->out,
            "\nof the raw files, %" PRId64 " %s their status, %" PRId64
            " have a backup and %s quantified, %" PRId64 " %s acquired under their own ids\n",
            r->kept, v->dry ? "would keep" : "keep", r->quantify, v->dry ? "would be" : "are",
            r->adopt, v->dry ? "would be" : "are");
    if (!v->complete) {
        fputs("this is how far it got; run again, it resumes\n", c->out);
    } else if (v->dry) {
        fputs("nothing was written; without --dry-run it is done\n", c->out);
    }
    return 0;
}

static bool has_anything(const struct import_report *r)
{
    int64_t seen = r->dropped_raw_files + r->dropped_tasks + r->n_notes;
    for (int k = 0; k < IMPORT_KIND_COUNT; k++) {
        seen += r->sums[k].seen;
    }
    return seen > 0;
}

static bool has_password(const char *uri)
{
    const char *scheme = strstr(uri, "://");
    const char *user = scheme != NULL ? scheme + strlen("://") : uri;
    size_t len = strcspn(user, "@/");
    return user[len] == '@' && strcspn(user, ":") < len;
}

/* *from = the connection string, or NULL: in place. *key: where it was. */
static int read_from(const struct cli *c, const struct args *a, char **from, const char **key,
                     struct err *err)
{
    const char *uri = args_get(a, "from"), *file = args_get(a, "from-file");
    *key = file != NULL ? "--from-file" : "--from";
    if (uri != NULL && file != NULL) {
        return ERR(err, ERR_INVALID, 0, "--from and --from-file name the same: give one of them");
    }
    if (uri != NULL && has_password(uri)) {
        return ERR(err, ERR_INVALID, 0,
                   "everybody on this host can read a password after --from: write the "
                   "connection string to a file of yours alone, and use --from-file");
    }
    if (file != NULL) {
        *from = fs_read(file, URI_MAX, NULL, err);
        if (*from == NULL) {
            return err_context(err, "--from-file");
        }
        (*from)[strcspn(*from, "\r\n")] = '\0';
        return 0;
    }
    if (uri == NULL && args_get(a, "switch") != NULL) {
        uri = c->ops.cfg->compat.alphakraken_uri;
        *key = COMPAT_URI;
    }
    *from = uri != NULL ? strdup(uri) : NULL;
    return uri == NULL || *from != NULL ? 0 : err_no_memory(err);
}

static enum cli_exit abandon(struct cli *c, const struct args *a, struct err *err)
{
    static const char *const others[] = {"dry-run", "from", "from-file", "switch", NULL};
    for (const char *const *other = others; *other != NULL; other++) {
        if (args_get(a, *other) != NULL) {
            return cli_fail(err, CLI_USAGE, "--abandon goes alone: leave out --%s", *other);
        }
    }
    return import_abandon(&c->ops, err) != 0
               ? cli_exit_of(err)
               : cli_done(c, "abandoned: the database is as it was before the import", NULL, err);
}

/* The report, also of an import that failed: what it dropped is said nowhere else. */
static enum cli_exit report(struct cli *c, const struct view *v, struct err *err)
{
    struct err unprinted = {0};
    enum cli_exit e = v->complete ? CLI_OK : cli_exit_of(err);
    if ((v->complete || has_anything(v->r)) &&
        (c->json ? print_json(c, v, &unprinted) : print_text(c, v, &unprinted)) != 0 &&
        v->complete) {
        *err = unprinted;
        e = cli_exit_of(err);
    }
    for (int k = 0; k < IMPORT_KIND_COUNT && e == CLI_OK; k++) {
        e = v->r->sums[k].refused > 0 ? CLI_NO : e;
    }
    return e;
}

static enum cli_exit cmd_import(struct cli *c, const struct args *a, struct err *err)
{
    struct importing_screen screen = {.c = c};
    struct import_report r;
    AUTO(free) char *from = NULL;
    const char *key;
    if (args_get(a, "abandon") != NULL) {
        return abandon(c, a, err);
    }
    bool ends_shadow = args_get(a, "switch") != NULL;
    if ((ends_shadow && cli_need_env(c, "import alphakraken --switch", err) != 0) ||
        read_from(c, a, &from, &key, err) != 0) {
        return cli_exit_of(err);
    }
    const struct import_ask ask = {.from = from,
                                   .key = key,
                                   .dry = args_get(a, "dry-run") != NULL,
                                   .ends_shadow = ends_shadow,
                                   .progress = draw,
                                   .ctx = &screen};
    int rc = import_alphakraken(&c->ops, &ask, &r, err);
    undraw(&screen);
    enum cli_exit e = report(c, &(struct view){&r, ask.dry, rc == 0}, err);
    import_report_clear(&r);
    return e;
}

static const struct cli_option import_options[] = {
    {"dry-run", NULL, "write nothing; say what would become of each document"},
    {"from", "URI", "AlphaKraken's database, as mongodb://host:27017/krakendb; else in place"},
    {"from-file", "FILE", "the same out of a file, for a connection string with a password"},
    {"switch", NULL,
     "end a shadow (trawl shadow --help): take over [compat] alphakraken_uri, then do the work"},
    {"abandon", NULL, "undo an import that has begun, not ended, and written nothing"},
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

const struct command command_import_alphakraken = {
    .name = "import alphakraken",
    .args = "",
    .brief = "take over AlphaKraken's database",
    .help =
        "Makes AlphaKraken's raw files, metrics, projects and settings Trawl's own, in place or "
        "with\n"
        "--from out of another database, which is only read. Finished raw files keep status, "
        "details\n"
        "and times; unfinished ones are taken to their end under their own ids. Stop AlphaKraken "
        "before.\n"
        "What cannot be taken over is listed with the reason, and stays. Exit 1 when there is "
        "any.\n"
        "With --from, assignments of settings that an earlier import has read are not taken "
        "again.\n"
        "An import that was cut off resumes when it is run again with the same source; --abandon "
        "undoes\n"
        "one that has written nothing, and says of any other what to do.",
    .options = import_options,
    .need = NEED_ANY_DB,
    .run = cmd_import};
