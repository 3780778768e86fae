/*
 * cmd_ls.c - trawl ls: one line a raw file. Its tasks, its metrics and the workers' live progress
 * are read in a few queries for all rows together, and joined here.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/suggest.h"
#include "common/db/doc_json.h"
#include "common/db/named.h"
#include "common/quant/metrics_words.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "ops/facts.h"

#define DEFAULT_LIMIT 100
#define IDS_A_QUERY   1000

struct row {
    const bson_t *raw;
    const bson_t *task;     /* the running one, else the last waiting one; or NULL */
    const bson_t *job_task; /* the newest with a SLURM job; or NULL */
    const bson_t *metrics;  /* newest; or NULL */
    const char *step;       /* of the running task; "" */
    int64_t done, total;
};

struct listing {
    struct docs *raws, *tasks, *metrics, *workers;
    struct row *rows;   /* in the order of raws */
    struct row **by_id; /* the same, sorted */
};

static void listing_clear(struct listing *l)
{
    docs_free(l->raws);
    docs_free(l->tasks);
    docs_free(l->metrics);
    docs_free(l->workers);
    free(l->rows);
    free(l->by_id);
}

static int check_status(const char *status, struct err *err)
{
    for (const char *const *known = raw_status_names; status != NULL && *known != NULL; known++) {
        if (strcmp(status, *known) == 0) {
            return 0;
        }
    }
    if (status == NULL) {
        return 0;
    }
    char meant[SUGGEST_MAX], all[400] = "";
    for (const char *const *known = raw_status_names; *known != NULL; known++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, " %s", *known);
    }
    return ERR(err, ERR_INVALID, 0, "there is no status '%s'%s there are:%s", status,
               suggest_text(status, raw_status_names, "", meant), all);
}

static int build_query(const struct args *a, bson_t *filter, bson_t *opts, struct err *err)
{
    static const struct {
        const char *option, *field;
    } equal[] = {{"instrument", "instrument_id"}, {"status", "status"}, {"project", "project_id"}};
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
        const char *value = args_get(a, equal[i].option);
        if (value != NULL) {
            BSON_APPEND_UTF8(filter, equal[i].field, value);
        }
    }
    if (check_status(args_get(a, "status"), err) != 0) {
        return -1;
    }
    int64_t since_ms;
    const char *since = args_get(a, "since");
    if (since != NULL) {
        if (text_since(since, wall_ms(), &since_ms, err) != 0) {
            return -1;
        }
        BCON_APPEND(filter, "created_at", "{", "$gte", BCON_DATE_TIME(since_ms), "}");
    }
    static const struct args_number limits = {"limit", 0, INT_MAX, DEFAULT_LIMIT};
    int64_t limit;
    if (args_i64(a, &limits, &limit, err) != 0) {
        return -1;
    }
    BCON_APPEND(opts, "limit", BCON_INT64(limit), "sort", "{", "created_at", BCON_INT32(-1), "_id",
                BCON_INT32(-1), "}", "projection", "{", "files", BCON_INT32(0), "file_info",
                BCON_INT32(0), "superseded", BCON_INT32(0), "watch", BCON_INT32(0), "}");
    if (limit == 0) { /* all */
        BSON_APPEND_INT64(opts, "maxTimeMS", DB_LISTING_MS);
    }
    return 0;
}

static int read_joined(struct cli *c, struct listing *l, struct err *err)
{
    for (size_t from = 0; from < l->raws->n; from += IDS_A_QUERY) {
        AUTO(bson_destroy) bson_t *ids = bson_new();
        size_t end = from + IDS_A_QUERY < l->raws->n ? from + IDS_A_QUERY : l->raws->n;
        for (size_t i = from; i < end; i++) {
            char room[16];
            const char *key;
            bson_uint32_to_string((uint32_t)(i - from), &key, room, sizeof room);
            BSON_APPEND_UTF8(ids, key, doc_str(l->raws->items[i], "_id", ""));
        }
        AUTO(bson_destroy)
        bson_t *filter = BCON_NEW("raw_file", "{", "$in", BCON_ARRAY(ids), "}");
        AUTO(bson_destroy)
        bson_t *opts = BCON_NEW("projection", "{", "result", BCON_INT32(0), "input", BCON_INT32(0),
                                "published", BCON_INT32(0), "}");
        if (db_each(c->ops.db, DB_TASKS, filter, opts, docs_add, l->tasks, err) != 0 ||
            db_each(c->ops.db, DB_METRICS, filter, NULL, docs_add, l->metrics, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int read_all(struct cli *c, const struct args *a, struct listing *l, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = bson_new();
    AUTO(bson_destroy) bson_t *opts = bson_new();
    if (build_query(a, filter, opts, err) != 0) {
        return -1;
    }
    l->raws = docs_read(c->ops.db, &(struct docs_query){DB_RAW_FILES, filter, opts}, err);
    l->tasks = docs_new(err);
    l->metrics = docs_new(err);
    if (l->raws == NULL || l->tasks == NULL || l->metrics == NULL || read_joined(c, l, err) != 0) {
        return -1;
    }
    named_drop_twins(l->metrics);
    l->workers = docs_read(c->ops.db, &(struct docs_query){.coll = DB_WORKERS}, err);
    return l->workers != NULL ? 0 : -1;
}

static const char *row_id(const struct row *r)
{
    return doc_str(r->raw, "_id", "");
}

static int by_id(const void *a, const void *b)
{
    return strcmp(row_id(*(struct row *const *)a), row_id(*(struct row *const *)b));
}

static struct row *row_of(const struct listing *l, const bson_t *doc)
{
    const char *id = doc_str(doc, "raw_file", "");
    size_t low = 0;
    size_t high = l->raws->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(row_id(l->by_id[mid]), id);
        if (order == 0) {
            return l->by_id[mid];
        }
        low = order < 0 ? mid + 1 : low;
        high = order < 0 ? high : mid;
    }
    return NULL;
}

static bool has_state(const bson_t *task, const char *state)
{
    return strcmp(doc_str(task, "state", ""), state) == 0;
}

/* It waits for a location, the cluster or an original and resumes without action. */
static bool is_held(const bson_t *task)
{
    return has_state(task, "ready") && doc_has(task, "held");
}

/* Which of two open tasks to show: the higher weight. */
static int weight(const bson_t *task)
{
    return has_state(task, "running")    ? 4
           : has_state(task, "parked")   ? 3
           : has_state(task, "admitted") ? 2
           : has_state(task, "ready")    ? 1
                                         : 0;
}

static void join_tasks(struct listing *l)
{
    char job[32];
    for (size_t i = 0; i < l->tasks->n; i++) {
        const bson_t *task = l->tasks->items[i];
        struct row *r = row_of(l, task);
        if (r != NULL && weight(task) > (r->task != NULL ? weight(r->task) : 0)) {
            r->task = task;
        }
        if (r != NULL && facts_job_id(task, job)[0] != '\0' &&
            (r->job_task == NULL ||
             doc_i64(task, "created_at", 0) >= doc_i64(r->job_task, "created_at", 0))) {
            r->job_task = task;
        }
    }
    for (size_t i = 0; i < l->metrics->n; i++) {
        const bson_t *m = l->metrics->items[i];
        struct row *r = row_of(l, m);
        if (r != NULL && (r->metrics == NULL ||
                          doc_i64(m, "created_at_", 0) > doc_i64(r->metrics, "created_at_", 0))) {
            r->metrics = m;
        }
    }
}

static void add_progress(struct row *r, const struct docs *workers)
{
    const char *worker;
    bson_t run;
    r->step = "";
    if (r->task != NULL && has_state(r->task, "running") &&
        why_run_of(workers, doc_str(r->task, "_id", ""), &worker, &run)) {
        r->step = doc_str(&run, "step", "");
        r->done = doc_i64(&run, "done", 0);
        r->total = doc_i64(&run, "total", 0);
    }
}

static int make_rows(struct listing *l, struct err *err)
{
    l->rows = calloc(l->raws->n + 1, sizeof *l->rows);
    l->by_id = calloc(l->raws->n + 1, sizeof(struct row *));
    if (l->rows == NULL || l->by_id == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < l->raws->n; i++) {
        l->rows[i].raw = l->raws->items[i];
        l->by_id[i] = &l->rows[i];
    }
    qsort(l->by_id, l->raws->n, sizeof(struct row *), by_id);
    join_tasks(l);
    for (size_t i = 0; i < l->raws->n; i++) {
        add_progress(&l->rows[i], l->workers);
    }
    return 0;
}

/* The most important fact: an original that differs, else the open task ("copy 45 %", "quant
 * parked"), else the details of the status, often none. */
static void describe_task(const struct row *r, char *buf, size_t room)
{
    char percent[TEXT_SHORT];
    if (!original_is_safe(r->raw)) {
        snprintf(buf, room, "original %s", doc_str(r->raw, "original.state", ""));
        return;
    }
    if (r->task == NULL) {
        snprintf(buf, room, "%s", doc_str(r->raw, "status_details", ""));
        return;
    }
    const char *kind = doc_str(r->task, "kind", "?");
    const char *done = text_percent(r->done, r->total, percent);
    snprintf(buf, room, "%s %s", kind,
             done[0] != '\0'      ? done
             : r->step[0] != '\0' ? r->step
             : is_held(r->task)   ? "held"
                                  : doc_str(r->task, "state", ""));
}

/* The two most telling figures of any software, "prot 5123 prec 45123", or why there are none. */
static void summarise_metrics(const bson_t *m, char *buf, size_t room)
{
    static const struct {
        const char *field, *shown;
    } figures[] = {{"proteins", "prot"},       {"precursors", "prec"},
                   {"ms1_scans", "ms1"},       {"ms2_scans", "ms2"},
                   {"gradient_length", "min"}, {"irt_n_heavy_peptides", "irt"},
                   {"time_elapsed", "sec"}};
    size_t used = 0;
    const char *status = m != NULL ? metrics_run_status(m) : "ok";
    bool special = strcmp(status, "ok") != 0;
    snprintf(buf, room, "%s", special ? status : "");
    for (size_t i = 0, n = 0;
         m != NULL && !special && i < sizeof figures / sizeof *figures && n < 2; i++) {
        if (doc_has(m, figures[i].field) && used < room) {
            int more = snprintf(buf + used, room - used, "%s%s %.6g", n++ > 0 ? " " : "",
                                figures[i].shown, doc_f64(m, figures[i].field, 0));
            used += more > 0 ? (size_t)more : 0;
        }
    }
}

static int print_table(struct cli *c, const struct listing *l, struct err *err)
{
    static const struct column columns[] = {
        {.title = "NAME", .min = 20},
        {.title = "INSTR", .min = 6, .rank = 2},
        {.title = "SIZE", .right = true},
        {.title = "STATUS", .min = 14},
        {.title = "PROGRESS", .min = 13, .rank = 1},
        {.title = "JOB", .right = true, .rank = 3},
        {.title = "METRICS", .min = 18, .rank = 4},
        {.title = "AGE", .right = true, .rank = 5},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < l->raws->n; i++) {
        const struct row *r = &l->rows[i];
        char text[96];
        char buf[TEXT_SHORT];
        const char *status = doc_str(r->raw, "status", "?");
        table_cell(t, STYLE_PLAIN, row_id(r));
        table_cell(t, STYLE_PLAIN, doc_str(r->raw, "instrument_id", "-"));
        table_cell(t, STYLE_PLAIN, text_size(doc_i64(r->raw, "size", -1), buf));
        table_cell(t, original_is_safe(r->raw) ? style_of_state(status) : STYLE_BAD, status);
        describe_task(r, text, sizeof text);
        table_cell(t, original_is_safe(r->raw) ? STYLE_PLAIN : STYLE_BAD, text);
        table_cell(t, STYLE_PLAIN, r->job_task != NULL ? facts_job_id(r->job_task, buf) : "");
        summarise_metrics(r->metrics, text, sizeof text);
        table_cell(t, STYLE_PLAIN, text);
        table_cell(t, STYLE_DIM, text_age(doc_i64(r->raw, "created_at", 0), wall_ms(), buf));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static json_t *json_of_row(const struct row *r)
{
    char job[32] = "";
    if (r->job_task != NULL) {
        facts_job_id(r->job_task, job);
    }
    json_t *progress = json_null();
    if (r->task != NULL) {
        progress = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "task",
                             json_text(doc_str(r->task, "_id", "")), "kind",
                             json_text(doc_str(r->task, "kind", "")), "state",
                             json_text(doc_str(r->task, "state", "")), "step", json_text(r->step),
                             "done", (json_int_t)r->done, "total", (json_int_t)r->total);
    }
    const bson_t *d = r->raw;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "id",
        json_text(row_id(r)), "name", json_text(doc_str(d, "original_name", "")), "instrument",
        json_text(doc_str(d, "instrument_id", "")), "project",
        json_text(doc_str(d, "project_id", "")), "status", json_text(doc_str(d, "status", "")),
        "details", json_text(doc_str(d, "status_details", "")), "original",
        json_text(doc_str(d, "original.state", "")), "size", (json_int_t)doc_i64(d, "size", -1),
        "progress", progress, "job_id", json_text(job), "metrics",
        r->metrics != NULL ? json_of_named(r->metrics) : json_null(), "created_at",
        json_date(doc_i64(d, "created_at", 0)), "updated_at",
        json_date(doc_i64(d, "updated_at_", 0)));
}

static int print_json(struct cli *c, const struct listing *l, struct err *err)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < l->raws->n; i++) {
        if (json_array_append_new(list, json_of_row(&l->rows[i])) != 0) {
            return err_no_memory(err);
        }
    }
    return json_print(TAKE(list), c->out, err);
}

static enum cli_exit cmd_ls(struct cli *c, const struct args *a, struct err *err)
{
    struct listing l = {0};
    int rc = read_all(c, a, &l, err);
    if (rc == 0) {
        rc = make_rows(&l, err);
    }
    if (rc == 0) {
        rc = c->json ? print_json(c, &l, err) : print_table(c, &l, err);
    }
    if (rc == 0 && l.raws->n == 0 && !c->json && !c->quiet) {
        fputs("no raw files\n", stderr);
    }
    listing_clear(&l);
    return rc == 0 ? CLI_OK : cli_exit_of(err);
}

static const struct cli_option ls_options[] = {
    {"instrument", "ID", "only of this instrument"},
    {"status", "STATUS", "only with this status (copying, done, error, …)"},
    {"project", "ID", "only of this project"},
    {"since", "WHEN", "created since 30m, 2h, 3d, 1w ago, or 2026-11-21[T02:40]"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {0},
};

const struct command command_ls = {.name = "ls",
                                   .args = "",
                                   .brief = "raw files, newest first, with live progress",
                                   .options = ls_options,
                                   .need = NEED_DB,
                                   .run = cmd_ls};
