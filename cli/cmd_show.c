/*
 * cmd_show.c - trawl show: everything known of a raw file.
 *
 * Reads its document, its tasks, its metrics and the aggregates of its results, then prints them
 * section by section, or as one JSON value. The files are those of the backup's record; of very
 * many only JSON has all.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/db/named.h"
#include "common/quant/metrics_words.h"
#include "common/raw/file_list.h"
#include "common/raw/original.h"
#include "ops/facts.h"
#include "ops/find.h"

#define FILES_SHOWN 1000

struct shown {
    bson_t *raw;
    struct docs *tasks, *metrics, *results;
};

static void shown_clear(struct shown *s)
{
    if (s->raw != NULL) {
        bson_destroy(s->raw);
    }
    docs_free(s->tasks);
    docs_free(s->metrics);
    docs_free(s->results);
}

/* The aggregates of its results that a search would find. */
static struct docs *read_results(struct cli *c, const struct docs *tasks, struct err *err)
{
    AUTO(bson_destroy) bson_t *ids = bson_new();
    uint32_t n = 0;
    for (size_t i = 0; i < tasks->n; i++) {
        if (strcmp(doc_str(tasks->items[i], "kind", ""), "quant") != 0) {
            continue;
        }
        AUTO(free) char *id = NULL;
        char room[16];
        const char *key;
        if (asprintf(&id, "results/%s", doc_str(tasks->items[i], "_id", "")) < 0) {
            id = NULL;
            (void)err_no_memory(err);
            return NULL;
        }
        bson_uint32_to_string(n++, &key, room, sizeof room);
        BSON_APPEND_UTF8(ids, key, id);
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    return docs_read(c->ops.db, &(struct docs_query){.coll = DB_AGGREGATES, .filter = filter}, err);
}

static int read_all(struct cli *c, struct shown *s, struct err *err)
{
    const char *id = doc_str(s->raw, "_id", "");
    s->tasks = facts_tasks_of(&c->ops, id, err);
    s->metrics = s->tasks != NULL ? facts_metrics_of(&c->ops, id, err) : NULL;
    s->results = s->metrics != NULL ? read_results(c, s->tasks, err) : NULL;
    return s->results != NULL ? 0 : -1;
}

static void print_line(struct cli *c, const char *label, const char *value)
{
    if (*value != '\0') {
        fprintf(c->out, "  %-12s ", label);
        text_put(c->out, value);
        fputc('\n', c->out);
    }
}

static void print_heading(struct cli *c, const char *text)
{
    fputc('\n', c->out);
    style_put(c->out, STYLE_BOLD, c->color, text);
    fputc('\n', c->out);
}

static void print_raw(struct cli *c, const bson_t *raw)
{
    static const struct {
        const char *label, *field;
    } fields[] = {{"name", "original_name"},     {"instrument", "instrument_id"},
                  {"project", "project_id"},     {"collision", "collision_flag"},
                  {"details", "status_details"}, {"on share", "instrument_file_status"},
                  {"backup", "backup_status"},   {"at", "backup_base_path"}};
    char buf[TEXT_SHORT];
    const char *status = doc_str(raw, "status", "?");
    enum style s = original_is_safe(raw) ? style_of_state(status) : STYLE_BAD;
    style_put(c->out, STYLE_BOLD, c->color, doc_str(raw, "_id", "?"));
    fputs("  ", c->out);
    style_put(c->out, s, c->color, status);
    fputc('\n', c->out);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        print_line(c, fields[i].label, doc_str(raw, fields[i].field, ""));
    }
    if (original_is_safe(raw)) {
        print_line(c, "original", doc_str(raw, "original.state", ""));
    } else {
        char says[ORIGINAL_PROBLEM];
        print_line(c, "original", original_problem(raw, says));
    }
    print_line(c, "size", text_size(doc_i64(raw, "size", -1), buf));
    print_line(c, "created", text_time(doc_i64(raw, "created_at", 0), buf));
    print_line(c, "seen", text_time(doc_i64(raw, "created_at_", 0), buf));
    print_line(c, "changed", text_time(doc_i64(raw, "updated_at_", 0), buf));
    print_line(c, "ended by", doc_str(raw, "watch.rule", ""));
    char index[80];
    snprintf(index, sizeof index, "rev %" PRId64 ", %s (indexed %" PRId64 ")",
             doc_i64(raw, "rev", 0), doc_bool(raw, "dirty", false) ? "waits" : "up to date",
             doc_i64(raw, "indexed_rev", 0));
    print_line(c, "index", index);
}

static int print_tasks(struct cli *c, const struct docs *tasks, struct err *err)
{
    static const struct column columns[] = {{.title = "TASK", .min = 20},
                                            {.title = "STATE"},
                                            {.title = "TRY", .right = true},
                                            {.title = "JOB", .right = true, .rank = 3},
                                            {.title = "TOOK", .right = true, .rank = 2},
                                            {.title = "WORKER", .min = 8, .rank = 4},
                                            {.title = "ERROR", .min = 10, .rank = 1},
                                            {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < tasks->n; i++) {
        const bson_t *d = tasks->items[i];
        char buf[TEXT_SHORT];
        const char *state = doc_str(d, "state", "?");
        int64_t started = doc_i64(d, "started_at", 0);
        int64_t ended = doc_i64(d, "ended_at", 0);
        table_cell(t, STYLE_PLAIN, doc_str(d, "_id", "?"));
        table_cell(t, style_of_state(state), state);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(d, "attempt", 0));
        table_cell(t, STYLE_PLAIN, facts_job_id(d, buf));
        table_cell(t, STYLE_PLAIN,
                   started > 0 && ended >= started ? text_duration(ended - started, buf) : "");
        table_cell(t, STYLE_DIM, doc_str(d, "worker", ""));
        table_cell(t, STYLE_BAD, doc_str(d, "error.msg", ""));
    }
    print_heading(c, "Tasks");
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

/* Where the document has its list of files; AlphaKraken's file_info is none. */
static struct file_list_at files_of(const bson_t *raw)
{
    return (struct file_list_at){raw, doc_has(raw, "file_list") ? "file_list" : "files"};
}

struct rows {
    struct table *t;
    int64_t n;
};

static int add_row(void *ctx, const bson_t *file, struct err *err)
{
    struct rows *r = ctx;
    char buf[TEXT_SHORT];
    (void)err;
    if (r->n++ < FILES_SHOWN) {
        table_cell(r->t, STYLE_PLAIN, doc_str(file, "path", "?"));
        table_cell(r->t, STYLE_PLAIN, text_size(doc_i64(file, "size", -1), buf));
        table_cell(r->t, STYLE_PLAIN, doc_str(file, "xxh3", "-"));
        table_cell(r->t, STYLE_PLAIN, doc_str(file, "md5", doc_str(file, "sha256", "")));
    }
    return 0;
}

static int print_files(struct cli *c, const bson_t *raw, struct err *err)
{
    static const struct column columns[] = {{.title = "FILE", .min = 16},
                                            {.title = "SIZE", .right = true},
                                            {.title = "XXH3-128", .min = 10},
                                            {.title = "DIGEST", .min = 10, .rank = 1},
                                            {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    struct rows rows = {.t = t};
    struct err why = {0};
    if (t == NULL) {
        return -1;
    }
    print_heading(c, "Files in the backup");
    if (file_list_each(c->ops.db, files_of(raw), add_row, &rows, &why) != 0) {
        print_line(c, "not shown", why.msg);
        return 0;
    }
    int rc = table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
    if (rc == 0 && rows.n > FILES_SHOWN) {
        fprintf(c->out, "  and %" PRId64 " more: trawl --json show has all\n",
                rows.n - FILES_SHOWN);
    }
    return rc;
}

static bool is_metric(const char *key)
{
    static const char *const no_metrics[] = {
        "_id",         "raw_file",    "type",      "settings_name", "settings_version",
        "output_path", "created_at_", NAMED_FIELD, METRICS_UNKNOWN, NULL};
    for (size_t i = 0; no_metrics[i] != NULL; i++) {
        if (strcmp(key, no_metrics[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* A number, a text, or the texts of an array (missing_columns); "-" for null. */
static void print_value(struct cli *c, const bson_iter_t *at)
{
    bson_iter_t texts;
    if (BSON_ITER_HOLDS_NUMBER(at)) {
        fprintf(c->out, "%.10g", bson_iter_as_double(at));
    } else if (BSON_ITER_HOLDS_UTF8(at)) {
        text_put(c->out, bson_iter_utf8(at, NULL));
    } else if (BSON_ITER_HOLDS_ARRAY(at) && bson_iter_recurse(at, &texts)) {
        for (bool more = false; bson_iter_next(&texts); more = true) {
            fputs(more ? ", " : "", c->out);
            text_put(c->out, BSON_ITER_HOLDS_UTF8(&texts) ? bson_iter_utf8(&texts, NULL) : "?");
        }
    } else {
        fputc('-', c->out);
    }
}

static void print_metric_name(struct cli *c, const char *name)
{
    fputs("  ", c->out);
    text_put(c->out, name);
    fprintf(c->out, "%*s ", text_width(name) < 36 ? 36 - (int)text_width(name) : 0, "");
}

static void print_unknown(struct cli *c, const bson_t *m)
{
    bson_t names;
    bson_iter_t at;
    for (bool more = doc_sub(m, METRICS_UNKNOWN, &names) && bson_iter_init(&at, &names) &&
                     bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        print_metric_name(c, BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : "?");
        fputs("-\n", c->out);
    }
}

static void print_metrics(struct cli *c, const bson_t *m)
{
    char title[200];
    char buf[TEXT_SHORT];
    bson_iter_t at;
    snprintf(title, sizeof title, "Metrics: %s, %s-v%" PRId64 ", %s", doc_str(m, "type", "?"),
             doc_str(m, "settings_name", "?"), doc_i64(m, "settings_version", 0),
             text_time(doc_i64(m, "created_at_", 0), buf));
    print_heading(c, title);
    bson_iter_init(&at, m);
    while (bson_iter_next(&at)) {
        const char *key = bson_iter_key(&at);
        if (!is_metric(key)) {
            continue;
        }
        print_metric_name(c, key);
        print_value(c, &at);
        fputc('\n', c->out);
    }
    print_unknown(c, m);
    print_line(c, "output", doc_str(m, "output_path", ""));
}

static void print_results(struct cli *c, const struct docs *results)
{
    char buf[TEXT_SHORT];
    print_heading(c, "Results in the index");
    for (size_t i = 0; i < results->n; i++) {
        const bson_t *r = results->items[i];
        fputs("  ", c->out);
        text_put(c->out, doc_str(r, "entity", "?"));
        fprintf(c->out, "  rev %" PRId64 ", %s\n", doc_i64(r, "rev", 0),
                text_time(doc_i64(r, "updated_at_", 0), buf));
    }
}

static int print_text(struct cli *c, const struct shown *s, struct err *err)
{
    print_raw(c, s->raw);
    if (s->tasks->n > 0 && print_tasks(c, s->tasks, err) != 0) {
        return -1;
    }
    if (file_list_count(files_of(s->raw)) > 0 && print_files(c, s->raw, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->metrics->n; i++) {
        print_metrics(c, s->metrics->items[i]);
    }
    if (s->results->n > 0) {
        print_results(c, s->results);
    }
    return 0;
}

static int add_json(void *ctx, const bson_t *file, struct err *err)
{
    return json_array_append_new(ctx, json_of_doc(file)) == 0 ? 0 : err_no_memory(err);
}

static int print_json(struct cli *c, const struct shown *s, struct err *err)
{
    struct err why = {0}; /* a list that cannot be read hides nothing else */
    json_t *files = json_array();
    if (file_list_count(files_of(s->raw)) > 0 &&
        file_list_each(c->ops.db, files_of(s->raw), add_json, files, &why) != 0) {
        json_decref(files);
        files = NULL;
    }
    json_t *all = json_pack("{s:o, s:o?, s:o, s:o, s:o}", "raw_file", json_of_doc(s->raw), "files",
                            files, "tasks", json_of_docs(s->tasks), "metrics",
                            json_of_all_named(s->metrics), "results", json_of_docs(s->results));
    if (all != NULL && files == NULL) {
        json_object_set_new(all, "files_error", json_string(why.msg));
    }
    return json_print(all, c->out, err);
}

static enum cli_exit cmd_show(struct cli *c, const struct args *a, struct err *err)
{
    struct shown s = {0};
    int rc = find_raw_file(&c->ops, a->words[0], &s.raw, err);
    rc = rc == 0 ? read_all(c, &s, err) : rc;
    if (rc == 0 && c->json) {
        rc = print_json(c, &s, err);
    } else if (rc == 0) {
        rc = print_text(c, &s, err);
    }
    shown_clear(&s);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_show = {.name = "show",
                                     .args = "<file>",
                                     .brief = "everything known of a raw file",
                                     .min_words = 1,
                                     .max_words = 1,
                                     .need = NEED_DB,
                                     .run = cmd_show};
