/*
 * metrics_values.c - from a table's rows to metrics: which rows count, and how they become one
 * value.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/base/strbuf.h"
#include "workers/quant/metrics.h"

void metrics_append_number(bson_t *out, const char *name, double value)
{
    if (isfinite(value)) {
        bson_append_double(out, name, -1, value);
    } else {
        bson_append_null(out, name, -1);
    }
}

/* Text of a result file, as a document holds it: escaped, unless it is plain UTF-8. */
static void append_text(bson_t *out, const char *name, const char *value)
{
    if (bson_utf8_validate(value, strlen(value), false)) {
        bson_append_utf8(out, name, -1, value, -1);
        return;
    }
    AUTO(free) char *escaped = path_escape(value);
    bson_append_utf8(out, name, -1, escaped != NULL ? escaped : "", -1);
}

/* What is read of one table with one column of the metrics' table. */
struct reading {
    const struct table *t;
    int column, minus, group_column; /* -1: none */
    const char *group;
    double scale;
    enum metric_how how;
};

static bool counts(const struct reading *r, size_t row)
{
    return r->group == NULL || strcmp(table_cell(r->t, row, r->group_column), r->group) == 0;
}

/* NAN for an empty cell. */
static int value_at(const struct reading *r, size_t row, double *out, struct err *err)
{
    double other = 0;
    if (table_number(r->t, row, r->column, out, err) != 0) {
        return -1;
    }
    if (r->minus >= 0) {
        if (table_number(r->t, row, r->minus, &other, err) != 0) {
            return -1;
        }
        *out = fabs(*out - other);
    }
    *out *= r->scale;
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double sum_of(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += v[i];
    }
    return sum;
}

static double deviation(const double *v, size_t n)
{
    double mean = sum_of(v, n) / (double)n, sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (v[i] - mean) * (v[i] - mean);
    }
    return n > 1 ? sqrt(sum / (double)(n - 1)) : (double)NAN;
}

/* v is sorted. */
static double reduce(const double *v, size_t n, enum metric_how how)
{
    if (n == 0) {
        return (double)NAN;
    }
    switch (how) {
    case METRIC_MEAN:
        return sum_of(v, n) / (double)n;
    case METRIC_MEDIAN:
        return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    case METRIC_STD:
        return deviation(v, n);
    case METRIC_SUM:
        return sum_of(v, n);
    case METRIC_MIN:
        return v[0];
    case METRIC_MAX:
        return v[n - 1];
    case METRIC_COUNT:
    case METRIC_TEXT:
    case METRIC_HOW_COUNT:
        break;
    }
    return (double)NAN;
}

static double count(const struct reading *r)
{
    size_t n = 0;
    for (size_t row = 0; row < table_rows(r->t); row++) {
        n += counts(r, row);
    }
    return (double)n;
}

static int number_of(const struct reading *r, double *out, struct err *err)
{
    size_t n = 0;
    if (r->how == METRIC_COUNT) {
        *out = count(r);
        return 0;
    }
    AUTO(free) double *values = calloc(table_rows(r->t), sizeof *values);
    if (values == NULL) {
        return err_no_memory(err);
    }
    for (size_t row = 0; row < table_rows(r->t); row++) {
        if (counts(r, row) && value_at(r, row, &values[n], err) != 0) {
            return -1;
        }
        n += counts(r, row) && !isnan(values[n]);
    }
    qsort(values, n, sizeof *values, compare);
    *out = reduce(values, n, r->how);
    return 0;
}

static void miss(bson_t *missing, const char *column)
{
    if (!db_has_key(missing, column)) {
        bson_append_utf8(missing, column, -1, column, -1);
    }
}

/* -1 for none, and for no name. */
static int column_of(const struct table *t, const struct metric_file *f, const char *name)
{
    int column = name != NULL ? table_column(t, name) : -1;
    return column < 0 && name != NULL && f->captions ? table_caption(t, name) : column;
}

/* Find the columns in the table; false when it has not all of them. */
static bool find(const struct table *t, const struct metric_file *f, const struct metric_column *c,
                 struct reading *out)
{
    *out = (struct reading){.t = t,
                            .column = column_of(t, f, c->column),
                            .minus = column_of(t, f, c->minus),
                            .group = c->group,
                            .group_column = column_of(t, f, f->group_column),
                            .scale = c->scale != 0 ? c->scale : 1,
                            .how = c->how};
    return out->column >= 0 && (c->minus == NULL || out->minus >= 0) &&
           (c->group == NULL || out->group_column >= 0);
}

static void miss_all(const struct reading *r, const struct metric_file *f,
                     const struct metric_column *c, bson_t *missing)
{
    if (r->column < 0) {
        miss(missing, c->column);
    }
    if (c->minus != NULL && r->minus < 0) {
        miss(missing, c->minus);
    }
    if (c->group != NULL && r->group_column < 0) {
        miss(missing, f->group_column);
    }
}

static bool same_metric(const struct metric_column *a, const struct metric_column *b)
{
    return b->column != NULL && strcmp(a->metric, b->metric) == 0;
}

/*
 * One metric, which begins at *c: the first of its lines whose columns are there. *c is its last
 * line afterwards. False, and the columns of its newest line noted, when there is none.
 */
static bool find_metric(const struct table *t, const struct metric_file *f,
                        const struct metric_column **c, bson_t *missing, struct reading *out)
{
    const struct metric_column *newest = *c;
    bool found = find(t, f, newest, out);
    for (; same_metric(newest, *c + 1); (*c)++) {
        found = found || find(t, f, *c + 1, out);
    }
    if (!found) {
        find(t, f, newest, out);
        miss_all(out, f, newest, missing);
    }
    return found;
}

static int append_metric(const struct reading *r, const char *metric, bson_t *out, struct err *err)
{
    double value = 0;
    if (r->how == METRIC_TEXT) {
        append_text(out, metric, table_cell(r->t, 0, r->column));
        return 0;
    }
    if (number_of(r, &value, err) != 0) {
        return -1;
    }
    metrics_append_number(out, metric, value);
    return 0;
}

/* "PEPC[+57.02]K" -> "PEPC_+57:02K": what the name of a field may hold. */
static char *row_metric(const struct metric_rows *rows, const char *key, const char *metric)
{
    char *name = NULL;
    AUTO(free) char *clean = path_escape(key);
    if (clean == NULL || asprintf(&name, "%s_%s_%s", rows->prefix, clean, metric) < 0) {
        return NULL;
    }
    char *to = name;
    for (const char *c = name; *c != '\0'; c++) {
        if (*c != ']') {
            *to++ = *c == '[' ? '_' : *c == '.' ? ':' : *c;
        }
    }
    *to = '\0';
    return name;
}

static int read_rows(const struct table *t, const struct metric_file *f, bson_t *out,
                     bson_t *missing, struct err *err)
{
    const struct metric_rows *rows = f->rows;
    int key = column_of(t, f, rows->key);
    int group = column_of(t, f, f->group_column);
    if (key < 0 || (rows->group != NULL && group < 0)) {
        miss(missing, key < 0 ? rows->key : f->group_column);
        return 0;
    }
    for (const struct metric_column *c = rows->columns; c->column != NULL; c++) {
        struct reading r;
        if (!find_metric(t, f, &c, missing, &r)) {
            continue;
        }
        r.group = rows->group;
        for (size_t row = 0; row < table_rows(t); row++) {
            double value = 0;
            AUTO(free) char *name = row_metric(rows, table_cell(t, row, key), c->metric);
            if (!counts(&r, row)) {
                continue;
            }
            if (name == NULL) {
                return err_no_memory(err);
            }
            if (value_at(&r, row, &value, err) != 0) {
                return -1;
            }
            if (!db_has_key(out, name)) {
                metrics_append_number(out, name, value);
            }
        }
    }
    return 0;
}

/* "a, b, c", as much as fits; free(). */
static char *list_header(const struct table *t)
{
    AUTO(strbuf_fini) struct strbuf list = {0};
    struct err ignored = {0};
    if (strbuf_open(&list, &ignored) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < table_columns(t); i++) {
        AUTO(free) char *name = path_escape(table_header(t, i));
        fprintf(list.out, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");
    }
    return strbuf_close(&list, &ignored) == 0 ? TAKE(list.data) : NULL;
}

static int no_wanted_column(const struct table *t, const struct metric_file *f, struct err *err)
{
    const struct metric_column *first = f->columns;
    AUTO(free) char *header = list_header(t);
    return ERR(err, ERR_INVALID, 0, "has none of the wanted columns (%.40s%s); it has %zu: %s",
               first->column, first[1].column != NULL ? ", ..." : "", table_columns(t),
               header != NULL ? header : "?");
}

int metrics_of_table(const struct table *t, const struct metric_file *f, bson_t *out,
                     bson_t *missing, struct err *err)
{
    bool any = false;
    for (const struct metric_column *c = f->columns; c->column != NULL; c++) {
        struct reading r;
        const char *metric = c->metric;
        if (!find_metric(t, f, &c, missing, &r)) {
            bson_append_null(out, metric, -1);
            continue;
        }
        any = true;
        if (append_metric(&r, metric, out, err) != 0) {
            return -1;
        }
    }
    if (!any && !f->optional) {
        return no_wanted_column(t, f, err);
    }
    return f->rows != NULL ? read_rows(t, f, out, missing, err) : 0;
}
