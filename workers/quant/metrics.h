/*
 * metrics.h - from the files that the software wrote to one metrics document. Which columns of
 * which files become which metrics is data: metrics_tables.c.
 */
#ifndef WORKERS_QUANT_METRICS_H
#define WORKERS_QUANT_METRICS_H
#include "workers/quant/quant.h"

enum metric_how {
    METRIC_MEAN, /* over the rows, empty ones left out */
    METRIC_TEXT  /* of the first row, as it stands */
};

struct metric_column {
    const char *column;
    const char *older; /* the column's name in earlier versions of the software, or NULL */
    const char *metric;
    enum metric_how how;
    double scale; /* of the newer column; 0 means 1 */
};

struct metric_file {
    const char *name;
    bool optional;
    char separator;
    const struct metric_column *columns; /* ends with {0} */
};

struct metric_type {
    const char *name;
    const struct metric_file *files; /* ends with {0} */
};

/* NULL for a type without readers: its jobs give no metrics but the time. */
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

/* The update that makes the metrics document of this attempt; NULL when memory is short. */
bson_t *metrics_update(const struct quant_job *job) OWNED __attribute__((nonnull));
#endif
