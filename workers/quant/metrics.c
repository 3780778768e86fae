/*
 * metrics.c - from the software's files to one metrics document. A plan says which columns of which
 * files are read: the type's table in metrics_tables.c, or for "custom" one made of the settings'
 * column map. metrics_read goes through the plan's files in the output folder and appends what
 * metrics_values.c makes of each; columns that a file lacks are listed in "missing_columns".
 * metrics_update wraps the result in the update of this attempt's metrics document.
 */
#include "workers/quant/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/db/named.h"
#include "common/quant/metrics_words.h"
#include "workers/quant/table.h"

/* --- the files of a type --- */

/* What to read of one job: the type's own table, or one made of the settings' column map. */
struct plan {
    struct metric_file *files; /* ends with {0} */
    struct metric_column *columns;
};

static void auto_plan_fini(struct plan *p)
{
    free(p->files);
    free(p->columns);
}

static char separator_of(const char *name)
{
    return path_ends_with(name, ".csv", true) ? TABLE_DETECT : '\t';
}

static bool is_first_of_its_file(const struct settings *s, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(s->columns[i].file, s->columns[at].file) == 0) {
            return false;
        }
    }
    return true;
}

/* The columns of one file one after the other, each list ended by {0}. */
static void plan_custom(const struct settings *s, struct plan *p)
{
    size_t n_files = 0, at = 0;
    for (size_t i = 0; i < s->n_columns; i++) {
        if (!is_first_of_its_file(s, i)) {
            continue;
        }
        const char *file = s->columns[i].file;
        p->files[n_files++] = (struct metric_file){
            .name = file, .separator = separator_of(file), .columns = &p->columns[at]};
        for (size_t k = i; k < s->n_columns; k++) {
            const struct settings_column *c = &s->columns[k];
            struct metric_column *to = &p->columns[at];
            if (strcmp(c->file, file) == 0 && metric_how_parse(c->how, &to->how) == 0) {
                to->column = c->column;
                to->metric = c->metric;
                at++;
            }
        }
        at++;
    }
}

static int make_plan(const struct quant_job *job, struct plan *p, struct err *err)
{
    const struct settings *s = &job->settings;
    const struct metric_type *type = metrics_type(settings_metrics_type(s));
    size_t n = 0;
    while (type != NULL && type->files[n].name != NULL) {
        n++;
    }
    p->files = calloc(type != NULL ? n + 1 : s->n_columns + 1, sizeof *p->files);
    p->columns = calloc(2 * s->n_columns + 1, sizeof *p->columns);
    if (p->files == NULL || p->columns == NULL) {
        return err_no_memory(err);
    }
    if (type != NULL) {
        memcpy(p->files, type->files, n * sizeof *p->files);
    } else {
        plan_custom(s, p);
    }
    return 0;
}

char *metrics_files(const struct quant_job *job)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    AUTO(plan_fini) struct plan plan = {0};
    struct err ignored = {0};
    if (make_plan(job, &plan, &ignored) != 0 || strbuf_open(&t, &ignored) != 0) {
        return NULL;
    }
    for (const struct metric_file *f = plan.files; f->name != NULL; f++) {
        fprintf(t.out, "%s\n", f->name);
    }
    return strbuf_close(&t, &ignored) == 0 ? TAKE(t.data) : NULL;
}

/* --- reading --- */

static int read_file(const char *folder, const struct metric_file *f, bson_t *out, bson_t *missing,
                     struct err *err)
{
    struct stat st;
    AUTO(free) char *path = path_join(folder, f->name, err);
    if (path == NULL) {
        return -1;
    }
    if (stat(path, &st) != 0 && errno == ENOENT) {
        return f->optional
                   ? 0
                   : ERR(err, ERR_INVALID, ENOENT, "it wrote no %s into %s", f->name, folder);
    }
    AUTO(table_free) struct table *t = table_read(path, f->separator, err);
    if (t == NULL) {
        return -1;
    }
    if (table_rows(t) == 0) {
        return ERR(err, ERR_INVALID, 0, "%s has a header and no row", path);
    }
    return metrics_of_table(t, f, out, missing, err) == 0 ? 0 : err_context(err, "%s", f->name);
}

static void append_missing(bson_t *out, const bson_t *missing)
{
    bson_t array;
    bson_iter_t at;
    uint32_t n = 0;
    if (bson_empty(missing) || !bson_iter_init(&at, missing)) {
        return;
    }
    bson_append_array_begin(out, "missing_columns", -1, &array);
    while (bson_iter_next(&at)) {
        char text[16];
        const char *key = NULL;
        bson_uint32_to_string(n++, &key, text, sizeof text);
        bson_append_utf8(&array, key, -1, bson_iter_utf8(&at, NULL), -1);
    }
    bson_append_array_end(out, &array);
}

int metrics_read(const struct quant_job *job, bson_t *out, struct err *err)
{
    struct stat st;
    AUTO(plan_fini) struct plan plan = {0};
    AUTO(bson_destroy) bson_t *missing = bson_new();
    if (missing == NULL || make_plan(job, &plan, err) != 0) {
        return err_no_memory(err);
    }
    if (stat(job->worker_output, &st) != 0) {
        return ERR(err, ERR_HOLD, errno, "the output folder %s is not to be seen here: %m",
                   job->worker_output);
    }
    for (const struct metric_file *f = plan.files; f->name != NULL; f++) {
        if (read_file(job->worker_output, f, out, missing, err) != 0) {
            return -1;
        }
    }
    append_missing(out, missing);
    return 0;
}

static void append_known(bson_t *out, const char *name, int64_t value)
{
    if (value >= 0) {
        metrics_append_number(out, name, (double)value);
    }
}

bson_t *metrics_update(const struct quant_job *job)
{
    const struct settings *s = &job->settings;
    AUTO(free) char *output = path_escape(job->cluster_output);
    bson_t *update = bson_new();
    bson_t set, insert;
    if (output == NULL || update == NULL) {
        bson_destroy(update);
        return NULL;
    }
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    BSON_APPEND_UTF8(&set, NAMED_FIELD, job->metrics_id != NULL ? job->metrics_id : "");
    BSON_APPEND_UTF8(&set, "raw_file", job->raw_id_text);
    BSON_APPEND_UTF8(&set, "type", settings_metrics_type(s));
    BSON_APPEND_UTF8(&set, "settings_name", s->name);
    BSON_APPEND_INT64(&set, "settings_version", s->version);
    BSON_APPEND_UTF8(&set, "output_path", output);
    append_known(&set, "time_elapsed", job->outcome.elapsed_s);
    append_known(&set, "peak_memory_mib", job->outcome.peak_mib);
    if (job->error_code[0] != '\0') {
        BSON_APPEND_UTF8(&set, "error_code", job->error_code);
    }
    if (job->metrics != NULL) {
        metrics_append_stored(&set, job->metrics);
    }
    bson_append_document_end(update, &set);
    BSON_APPEND_DOCUMENT_BEGIN(update, "$setOnInsert", &insert);
    BSON_APPEND_DATE_TIME(&insert, "created_at_", wall_ms());
    bson_append_document_end(update, &insert);
    return update;
}
