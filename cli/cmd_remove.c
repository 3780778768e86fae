/*
 * cmd_remove.c - trawl remove --dry-run: shows what the scheduler would remove now, and why each
 * other file stays. The same code decides (common/raw/retire, retire_check). Changes nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/path.h"
#include "common/db/doc_json.h"
#include "common/raw/backup_record.h"
#include "common/raw/retire.h"
#include "common/raw/retire_check.h"
#include "ops/find.h"
#include "ops/instruments.h"

#define REDRAW_MS   200
#define REASONS_MAX 10 /* lines for one raw file; JSON has all */

struct dry_run {
    struct cli *c;
    struct err *err;
    const char *only;   /* the instrument, or NULL */
    const bson_t *file; /* the one raw file that was asked for, or NULL */
    bool quick;
    json_t *instruments; /* what is printed with --json */
    json_t *files;       /* of the current instrument */
    enum cli_exit exit;
    bool seen; /* an instrument that was named was found */
    int64_t read, drawn_ms;
    int64_t now, chosen;   /* bytes of the current instrument */
    size_t going, staying; /* files of the current instrument */
};

/* --- what is shown --- */

static void on_read(void *ctx, int64_t bytes)
{
    struct dry_run *d = ctx;
    char size[TEXT_SHORT];
    d->read += bytes;
    if (d->c->progress && mono_ms() - d->drawn_ms >= REDRAW_MS) {
        fprintf(stderr, "\r%s read\033[K", text_size(d->read, size));
        d->drawn_ms = mono_ms();
    }
}

static void clear_line(struct dry_run *d)
{
    if (d->c->progress && d->drawn_ms > 0) {
        fputs("\r\033[K", stderr);
        d->drawn_ms = 0;
    }
}

static json_t *reasons_of(const struct retire_check *check)
{
    json_t *list = json_array();
    for (size_t i = 0; i < check->tree.n; i++) {
        if (check->why[i][0] != '\0') {
            AUTO(free) char *path = path_escape(check->tree.entries[i].path);
            json_array_append_new(list, json_pack("{s:o, s:o}", "path", json_text(path), "why",
                                                  json_text(check->why[i])));
        }
    }
    return list;
}

static void print_reasons(const struct dry_run *d, const struct retire_check *check)
{
    size_t shown = 0;
    for (size_t i = 0; i < check->tree.n && shown < REASONS_MAX; i++) {
        if (check->why[i][0] == '\0') {
            continue;
        }
        AUTO(free) char *path = path_escape(check->tree.entries[i].path);
        fprintf(d->c->out, "           %s: ", path != NULL ? path : "?");
        text_put(d->c->out, check->why[i]);
        fputc('\n', d->c->out);
        shown++;
    }
    if (check->bad > shown) {
        fprintf(d->c->out, "           and %zu more\n", check->bad - shown);
    }
}

struct answer { /* about one raw file */
    const bson_t *raw;
    bool goes;
    int64_t bytes;
    const char *why;
    const struct retire_check *check; /* NULL: its files were not checked */
};

static void print_answer(struct dry_run *d, const struct answer *a)
{
    char size[TEXT_SHORT];
    char age[TEXT_SHORT];
    int64_t created = doc_i64(a->raw, "created_at", 0);
    const char *id = doc_str(a->raw, "_id", "?");
    d->going += a->goes;
    d->staying += !a->goes;
    clear_line(d);
    if (d->c->json) {
        json_array_append_new(
            d->files, json_pack("{s:o, s:b, s:o, s:I, s:o, s:o}", "id", json_text(id), "goes",
                                (int)a->goes, "why", json_text(a->why), "bytes",
                                (json_int_t)a->bytes, "created_at", json_date(created), "files",
                                a->check != NULL ? reasons_of(a->check) : json_array()));
        return;
    }
    enum style style = a->goes ? STYLE_GOOD : a->check != NULL ? STYLE_BAD : STYLE_DIM;
    fprintf(d->c->out, "  %s%s%s  %10s  %5s  %s", style_on(style, d->c->color),
            a->goes ? "goes " : "stays", style_off(style, d->c->color), text_size(a->bytes, size),
            text_age(created, d->now, age), id);
    if (a->why[0] != '\0') {
        fputs(": ", d->c->out);
        text_put(d->c->out, a->why);
    }
    fputc('\n', d->c->out);
    if (a->check != NULL) {
        print_reasons(d, a->check);
    }
}

/* --- one raw file --- */

/* Its documents allow the removal; now check the files. */
static int check_files(struct dry_run *d, const struct instrument *i, const bson_t *raw,
                       struct err *err)
{
    struct record record = {0};
    struct retire_check check = {0};
    AUTO(free) char *pool = record_folder(d->c->ops.cfg, raw, err);
    const struct retire_place place = {
        .instrument = i->path,
        .pool = pool,
        .set = i->type == INSTRUMENT_SCIEX,
        .sizes_only = d->quick,
        .hooks = {.read = on_read, .ctx = d},
    };
    int rc = pool == NULL || record_load(&record, d->c->ops.db, raw, err) != 0 ||
                     retire_check_run(&check, &record, &place, err) != 0
                 ? -1
                 : 0;
    if (rc == 0) {
        bool goes = check.bad == 0;
        print_answer(d, &(struct answer){.raw = raw,
                                         .goes = goes,
                                         .bytes = check.bytes,
                                         .why = goes ? "" : "its files are not what was backed up",
                                         .check = goes ? NULL : &check});
        d->chosen += goes ? check.bytes : 0;
    }
    retire_check_fini(&check);
    record_fini(&record);
    return rc;
}

static int check_raw_file(struct dry_run *d, const struct instrument *i, const char *id,
                          struct err *err)
{
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (db_find_id(d->c->ops.db, DB_RAW_FILES, id, &raw, err) != 0) {
        return -1;
    }
    if (raw == NULL) {
        return 0; /* its document is gone meanwhile */
    }
    struct err why = {0};
    if (check_files(d, i, raw, &why) !=
        0) { /* an error of this file only: continue with the others */
        print_answer(
            d, &(struct answer){.raw = raw, .why = why.msg, .bytes = doc_i64(raw, "size", 0)});
    }
    return 0;
}

static int decide_removal(struct dry_run *d, const struct instrument *i,
                          const struct retire_rule *rule, const bson_t *raw, struct err *err)
{
    enum retire_verdict v = retire_verdict_of(rule, raw, d->chosen);
    const char *why = retire_verdict_name(v);
    if (v == RETIRE_GO) {
        return check_raw_file(d, i, doc_str(raw, "_id", ""), err);
    }
    if (v == RETIRE_NO_BACKUP) {
        why = retire_backup_problem(raw);
    }
    print_answer(d, &(struct answer){.raw = raw, .why = why, .bytes = doc_i64(raw, "size", 0)});
    return 0;
}

/* --- one instrument --- */

static struct docs *on_instrument(struct dry_run *d, const char *id, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("instrument_id", BCON_UTF8(id), "instrument_file_status", "{", "$in",
                              "[", BCON_UTF8("moved"), BCON_UTF8("initial"), "]", "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "projection", "{", "created_at",
                            BCON_INT32(1), "size", BCON_INT32(1), "backup_status", BCON_INT32(1),
                            "backup_damaged", BCON_INT32(1), "instrument_file_status",
                            BCON_INT32(1), "}", "sort", "{", "created_at", BCON_INT32(1), "}");
    return docs_read(d->c->ops.db, &(struct docs_query){DB_RAW_FILES, filter, opts}, err);
}

static int files_of(struct dry_run *d, const struct instrument *i, const struct retire_rule *rule,
                    struct err *err)
{
    if (d->file != NULL) { /* may this one go, whether or not room is needed? */
        struct retire_rule any = *rule;
        any.wanted_bytes = INT64_MAX;
        return decide_removal(d, i, &any, d->file, err);
    }
    AUTO(docs_free) struct docs *all = on_instrument(d, i->id, err);
    int rc = all == NULL ? -1 : 0;
    for (size_t n = 0; rc == 0 && n < all->n; n++) {
        rc = decide_removal(d, i, rule, all->items[n], err);
    }
    return rc;
}

static void print_head(struct dry_run *d, const struct instrument *i, int64_t free_gb,
                       int64_t wanted)
{
    char size[TEXT_SHORT];
    if (d->c->json) {
        return;
    }
    fprintf(d->c->out, "%s%s%s: ", style_on(STYLE_BOLD, d->c->color), i->id,
            style_off(STYLE_BOLD, d->c->color));
    if (i->min_free_space_gb <= 0) {
        fputs("removal is off (min_free_space_gb is not above 0)\n", d->c->out);
    } else if (free_gb < 0) {
        fputs("its free space is unknown; trawl status shows why\n", d->c->out);
    } else if (wanted == 0) {
        fprintf(d->c->out, "%" PRId64 " GB free, %" PRId64 " wanted: nothing needs to go\n",
                free_gb, i->min_free_space_gb);
    } else {
        fprintf(d->c->out, "%" PRId64 " GB free, %" PRId64 " wanted: %s must go\n", free_gb,
                i->min_free_space_gb, text_size(wanted, size));
    }
}

static void print_foot(struct dry_run *d, const struct instrument *i, int64_t free_gb,
                       int64_t wanted)
{
    char size[TEXT_SHORT];
    if (d->c->json) {
        json_array_append_new(d->instruments,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "id", i->id,
                                        "free_gb", (json_int_t)free_gb, "min_free_gb",
                                        (json_int_t)i->min_free_space_gb, "wanted_bytes",
                                        (json_int_t)wanted, "chosen_bytes", (json_int_t)d->chosen,
                                        "going", (json_int_t)d->going, "staying",
                                        (json_int_t)d->staying, "files", d->files));
    } else if (!d->c->quiet && d->going + d->staying > 0) {
        fprintf(d->c->out, "  %zu would go (%s), %zu stay\n", d->going, text_size(d->chosen, size),
                d->staying);
    }
}

static int check_instrument(struct dry_run *d, const struct instrument *i, struct err *err)
{
    AUTO(bson_destroy) bson_t *seen = NULL;
    if (db_find_id(d->c->ops.db, DB_WATCHES, i->id, &seen, err) != 0) {
        return -1;
    }
    int64_t free_gb = seen != NULL ? doc_i64(seen, "free_space_gb", -1) : -1;
    const struct retire_rule rule = {
        .now_ms = d->now,
        .min_age_days = i->min_file_age_days,
        .wanted_bytes = retire_wanted_bytes(i->min_free_space_gb, free_gb),
    };
    json_t *files = json_array();
    d->files = files;
    d->chosen = 0;
    d->going = d->staying = 0;
    print_head(d, i, free_gb, rule.wanted_bytes);
    int rc = files == NULL ? err_no_memory(err) : files_of(d, i, &rule, err);
    if (rc == 0) {
        print_foot(d, i, free_gb, rule.wanted_bytes);
    }
    json_decref(files);
    return rc;
}

static int visit_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    struct dry_run *d = ctx;
    bool meant = d->file != NULL ? strcmp(doc_str(d->file, "instrument_id", ""), id) == 0
                                 : d->only == NULL || strcmp(d->only, id) == 0;
    if (!meant) {
        return 0;
    }
    d->seen = true;
    if (i == NULL) {
        fprintf(stderr, "trawl: %s: %s\n", id, why->msg);
        d->exit = CLI_NO;
        return 0;
    }
    return check_instrument(d, i, d->err);
}

/* --- the command --- */

static enum cli_exit run_checks(struct dry_run *d, struct err *err)
{
    const char *env = d->c->ops.cfg->trawl.env;
    bool production = strcmp(env, RETIRE_ENV) == 0;
    if (!production && !d->c->json && !d->c->quiet) {
        fprintf(d->c->out,
                "This environment is '%s', not production: Trawl removes nothing here.\n", env);
    }
    if (instruments_each(d->c->ops.cfg, visit_instrument, d, err) != 0) {
        return cli_exit_of(err);
    }
    if (!d->seen) {
        return cli_fail(err, CLI_MISSING, "there is no instrument '%s' in %s",
                        d->file != NULL   ? doc_str(d->file, "instrument_id", "")
                        : d->only != NULL ? d->only
                                          : "",
                        d->c->ops.cfg->scheduler.instruments_dir);
    }
    if (d->c->json && json_print(json_pack("{s:b, s:b, s:O}", "production", (int)production,
                                           "quick", (int)d->quick, "instruments", d->instruments),
                                 d->c->out, err) != 0) {
        return cli_exit_of(err);
    }
    return d->exit == CLI_OK
               ? CLI_OK
               : cli_fail(err, d->exit,
                          "not every instrument could be checked; the lines above say why");
}

static enum cli_exit cmd_remove(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(bson_destroy) bson_t *file = NULL;
    AUTO(json_decref) json_t *instruments = json_array();
    if (args_get(a, "dry-run") == NULL) {
        return cli_fail(err, CLI_USAGE,
                        "add --dry-run: this command only shows. The scheduler plans removals, and "
                        "trawl-worker --kinds remove makes them");
    }
    if (instruments == NULL) {
        return cli_fail(err, CLI_AWAY, "out of memory");
    }
    if (a->n > 0) {
        if (find_raw_file(&c->ops, a->words[0], &file, err) != 0) {
            return cli_exit_of(err);
        }
    }
    struct dry_run d = {
        .c = c,
        .err = err,
        .only = args_get(a, "instrument"),
        .file = file,
        .quick = args_get(a, "quick") != NULL,
        .instruments = instruments,
        .now = wall_ms(),
    };
    enum cli_exit e = run_checks(&d, err);
    clear_line(&d);
    return e;
}

static const struct cli_option remove_options[] = {
    {"dry-run", NULL, "required: show what would go, remove nothing"},
    {"instrument", "ID", "only of this instrument"},
    {"quick", NULL, "compare names and sizes only, read no file"},
    {0},
};

const struct command command_remove = {
    .name = "remove",
    .args = "[<file>]",
    .brief = "what Trawl would remove from Backup, and why the rest stays",
    .help =
        "Decides as the scheduler does and reads as the worker does: every file on the instrument\n"
        "and its copy in the pool, which may take long (--quick reads none). With <file>: only "
        "that\n"
        "raw file, whether or not room is needed. Changes nothing.",
    .options = remove_options,
    .max_words = 1,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_remove};
