/*
 * metrics_values.c - from a table's rows to metrics: which rows count, and how they become one
 * value.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/path.h"
#include "workers/quant/metrics.h"

#include "common/ban.h"

void metrics_append_number(bson_t *out, const char *name, double value)
{
    if (isfinite(value)) {
        bson_append_double(out, name, -1, value);
    } else {
        bson_append_null(out, name, -1);
    }
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

/* What is read of one table with one column of the metrics' table. */
struct reading {
    const struct table *t;
    int column, minus, group_column; /* -1: none */
    const char *group;
    double scale;
};

static bool counts(const struct reading *r, size_t row)
{
    return r->group == NULL || r->group_column < 0 ||
           strcmp(table_cell(r->t, row, r->group_column), r->group) == 0;
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

static int number_of(const struct reading *r, enum metric_how how, double *out, struct err *err)
{
    size_t n = 0;
    if (how == METRIC_COUNT) {
        *out = count(r);
        return 0;
    }
    AUTO(free) double *values = calloc(table_rows(r->t), sizeof *values);
    if (values == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    for (size_t row = 0; row < table_rows(r->t); row++) {
        if (counts(r, row) && value_at(r, row, &values[n], err) != 0) {
            return -1;
        }
        n += counts(r, row) && !isnan(values[n]);
    }
    qsort(values, n, sizeof *values, compare);
    *out = reduce(values, n, how);
    return 0;
}

static void miss(bson_t *missing, const char *column)
{
    if (!db_has_key(missing, column)) {
        bson_append_utf8(missing, column, -1, column, -1);
    }
}

/* Find the column in the table; false and noted when it has none of them. */
static bool find(const struct table *t, const struct metric_file *f, const struct metric_column *c,
                 bson_t *missing, struct reading *out)
{
    *out = (struct reading){.t = t,
                            .column = table_column(t, c->column),
                            .minus = c->minus != NULL ? table_column(t, c->minus) : -1,
                            .group = c->group,
                            .group_column =
                                f->group_column != NULL ? table_column(t, f->group_column) : -1,
                            .scale = c->scale != 0 ? c->scale : 1};
    if (out->column < 0 && c->older != NULL) {
        out->column = table_column(t, c->older);
        out->scale = 1;
    }
    if (out->column < 0) {
        miss(missing, c->column);
    }
    if (c->minus != NULL && out->minus < 0) {
        miss(missing, c->minus);
    }
    if (c->group != NULL && out->group_column < 0) {
        miss(missing, f->group_column);
    }
    return out->column >= 0 && (c->minus == NULL || out->minus >= 0) &&
           (c->group == NULL || out->group_column >= 0);
}

static int read_column(const struct table *t, const struct metric_file *f,
                       const struct metric_column *c, bson_t *out, bson_t *missing, struct err *err)
{
    struct reading r;
    double value = 0;
    if (!find(t, f, c, missing, &r)) {
        bson_append_null(out, c->metric, -1);
        return 0;
    }
    if (c->how == METRIC_TEXT) {
        append_text(out, c->metric, table_cell(t, 0, r.column));
        return 0;
    }
    if (number_of(&r, c->how, &value, err) != 0) {
        return -1;
    }
    metrics_append_number(out, c->metric, value);
    return 0;
}

/* "PEPC[+57.02]K" -> "PEPC_+57:02K": what may stand in the name of a field. */
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
    int key = table_column(t, f->rows->key);
    struct reading of_group;
    if (key < 0) {
        miss(missing, f->rows->key);
        return 0;
    }
    for (const struct metric_column *c = f->rows->columns; c->column != NULL; c++) {
        struct reading r;
        if (!find(t, f, c, missing, &r)) {
            continue;
        }
        of_group = r;
        of_group.group = f->rows->group;
        for (size_t row = 0; row < table_rows(t); row++) {
            double value = 0;
            AUTO(free) char *name = row_metric(f->rows, table_cell(t, row, key), c->metric);
            if (!counts(&of_group, row)) {
                continue;
            }
            if (name == NULL) {
                return ERR(err, ERR_TRANSIENT, errno, "out of memory");
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

int metrics_of_table(const struct table *t, const struct metric_file *f, bson_t *out,
                     bson_t *missing, struct err *err)
{
    for (const struct metric_column *c = f->columns; c->column != NULL; c++) {
        if (read_column(t, f, c, out, missing, err) != 0) {
            return -1;
        }
    }
    return f->rows != NULL ? read_rows(t, f, out, missing, err) : 0;
}
