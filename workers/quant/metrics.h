/*
 * metrics.h - from the files that the software wrote to one metrics document. Which columns of
 * which files become which metrics is data: metrics_tables.c.
 */
#ifndef WORKERS_QUANT_METRICS_H
#define WORKERS_QUANT_METRICS_H
#include "workers/quant/quant.h"
#include "workers/quant/table.h"

/*
 * A metric has one line for each name that its column has had, the newest first, one after the
 * other: the first whose columns are in the table counts.
 */
struct metric_column {
    const char *column;
    const char *metric;
    enum metric_how how;
    double scale;      /* 0 means 1 */
    const char *minus; /* how far it is from this column, instead of its value; or NULL */
    const char *group; /* only rows of this group, below; NULL: all */
};

/* Metrics of every row of a group: "<prefix>_<key>_<metric>". */
struct metric_rows {
    const char *prefix, *key, *group;
    const struct metric_column *columns; /* ends with {0} */
};

struct metric_file {
    const char *name;
    bool optional;
    bool captions; /* columns are known by table_caption(), not only by their exact names */
    char separator;
    const struct metric_column *columns; /* ends with {0} */
    const char *group_column;            /* says the group of a row; NULL: there are none */
    const struct metric_rows *rows;      /* or NULL */
};

struct metric_type {
    const char *name;
    const struct metric_file *files; /* ends with {0} */
};

/* NULL for a type that no table is known of: "custom", whose columns the settings name. */
const struct metric_type *metrics_type(const char *name) __attribute__((nonnull));

/* The names of the files that this job's metrics are read from, a line each; free(). */
char *metrics_files(const struct quant_job *job) OWNED __attribute__((nonnull));

/*
 * Read the output folder of the job and append its metrics to out: numbers, null where the software
 * gave none, and "missing_columns" when there are any. INVALID when a file is missing or cut; HOLD
 * when the folder itself is not to be seen.
 */
int metrics_read(const struct quant_job *job, bson_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Append one file's metrics to out and the columns that it has not to missing. INVALID when it has
 * none of them, unless the file is optional: it is another software's, or another version's.
 * metrics_values.c
 */
int metrics_of_table(const struct table *t, const struct metric_file *f, bson_t *out,
                     bson_t *missing, struct err *err) __attribute__((nonnull, warn_unused_result));
void metrics_append_number(bson_t *out, const char *name, double value) __attribute__((nonnull));

/* The update that makes the metrics document of this attempt; NULL when memory is short. */
bson_t *metrics_update(const struct quant_job *job) OWNED __attribute__((nonnull));
#endif
