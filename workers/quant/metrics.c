#include "workers/quant/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "common/mono.h"
#include "common/path.h"
#include "workers/quant/table.h"

#include "common/ban.h"

/* Metrics may be of another type than the software only when the settings say so ("custom"). */
static const char *type_name(const struct quant_job *job)
{
    const char *type = job->settings.metrics_type;
    return type[0] != '\0' ? type : job->settings.software_type;
}

char *metrics_files(const struct quant_job *job)
{
    AUTO(text_fini) struct text t = {0};
    struct err ignored = {0};
    const struct metric_type *type = metrics_type(type_name(job));
    if (text_open(&t, &ignored) != 0) {
        return NULL;
    }
    for (const struct metric_file *f = type != NULL ? type->files : NULL;
         f != NULL && f->name != NULL; f++) {
        fprintf(t.out, "%s\n", f->name);
    }
    return text_close(&t, &ignored) == 0 ? TAKE(t.data) : NULL;
}

static void append_number(bson_t *out, const char *name, double value)
{
    if (isnan(value)) {
        bson_append_null(out, name, -1);
    } else {
        bson_append_double(out, name, -1, value);
    }
}

static int mean(const struct table *t, int column, double *out, struct err *err)
{
    double sum = 0;
    size_t n = 0;
    for (size_t row = 0; row < table_rows(t); row++) {
        double value = 0;
        if (table_number(t, row, column, &value, err) != 0) {
            return -1;
        }
        if (!isnan(value)) {
            sum += value;
            n++;
        }
    }
    *out = n > 0 ? sum / (double)n : (double)NAN;
    return 0;
}

/* Text of a result file stands in a document: escaped, unless it is plain UTF-8. */
static void append_text(bson_t *out, const char *name, const char *value)
{
    if (bson_utf8_validate(value, strlen(value), false)) {
        bson_append_utf8(out, name, -1, value, -1);
        return;
    }
    AUTO(free) char *escaped = path_escape(value);
    bson_append_utf8(out, name, -1, escaped != NULL ? escaped : "", -1);
}

static int read_column(const struct table *t, const struct metric_column *c, bson_t *out,
                       bson_t *missing, struct err *err)
{
    int column = table_column(t, c->column);
    double scale = c->scale != 0 ? c->scale : 1;
    if (column < 0 && c->older != NULL) {
        column = table_column(t, c->older);
        scale = 1;
    }
    if (column < 0) {
        bson_append_null(out, c->metric, -1);
        bson_append_utf8(missing, c->column, -1, c->column, -1);
        return 0;
    }
    if (c->how == METRIC_TEXT) {
        append_text(out, c->metric, table_cell(t, 0, column));
        return 0;
    }
    double value = 0;
    if (mean(t, column, &value, err) != 0) {
        return -1;
    }
    append_number(out, c->metric, value * scale);
    return 0;
}

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
    for (const struct metric_column *c = f->columns; c->column != NULL; c++) {
        if (read_column(t, c, out, missing, err) != 0) {
            return err_context(err, "%s", path);
        }
    }
    return 0;
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
    const struct metric_type *type = metrics_type(type_name(job));
    AUTO(bson_destroy) bson_t *missing = bson_new();
    if (missing == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    if (stat(job->worker_output, &st) != 0) {
        return ERR(err, ERR_HOLD, errno, "the output folder %s is not to be seen here: %m",
                   job->worker_output);
    }
    for (const struct metric_file *f = type != NULL ? type->files : NULL;
         f != NULL && f->name != NULL; f++) {
        if (read_file(job->worker_output, f, out, missing, err) != 0) {
            return -1;
        }
    }
    append_missing(out, missing);
    return 0;
}

bson_t *metrics_update(const struct quant_job *job)
{
    const struct quant_settings *s = &job->settings;
    AUTO(free) char *output = path_escape(job->cluster_output);
    bson_t *update = bson_new();
    bson_t set, insert;
    if (output == NULL || update == NULL) {
        bson_destroy(update);
        return NULL;
    }
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    BSON_APPEND_UTF8(&set, "raw_file", job->raw_id_text);
    BSON_APPEND_UTF8(&set, "type", type_name(job));
    BSON_APPEND_UTF8(&set, "settings_name", s->name);
    BSON_APPEND_INT64(&set, "settings_version", s->version);
    BSON_APPEND_UTF8(&set, "output_path", output);
    append_number(&set, "time_elapsed",
                  job->outcome.elapsed_s >= 0 ? (double)job->outcome.elapsed_s : (double)NAN);
    bson_concat(&set, job->metrics);
    bson_append_document_end(update, &set);
    BSON_APPEND_DOCUMENT_BEGIN(update, "$setOnInsert", &insert);
    BSON_APPEND_DATE_TIME(&insert, "created_at_", wall_ms());
    bson_append_document_end(update, &insert);
    return update;
}
