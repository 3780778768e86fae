/*
 * result.h - the figures of one acquisition, and msqc_results.tsv.
 * Threads: none; one owner.
 */
#ifndef MSQC_RESULT_H
#define MSQC_RESULT_H
#include <stdbool.h>

#include "common/err.h"
#include "msqc/output.h"

enum result_ms { RESULT_MS1, RESULT_MS2, RESULT_MS_COUNT };

/* NAN everywhere means unknown, and becomes an empty field. */
struct result_level {
    double median_injection_ms;
    double scans; /* how many spectra (mzML) or frames (Bruker) of this level */
    double median_tic;
};

struct result {
    struct result_level level[RESULT_MS_COUNT];
    double pump_pressure_max; /* in the unit of the file */
    double gradient_min;      /* the largest retention time */
    double ms2_unique_precursors;
    bool unsupported;
    char detail[512]; /* for people: remarks, or why it is unsupported */
};

/* All unknown, status ok. */
void result_init(struct result *result) __attribute__((nonnull));

/* Add a remark to the detail; remarks are separated by "; ". What does not fit is left out. */
void result_note(struct result *result, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 2, 3)));

/*
 * Write the header and the one row to an open output; the caller commits it. A failed write comes
 * out of output_commit().
 */
void result_write(const struct result *result, struct output *out) __attribute__((nonnull));

/* Replace control characters, tabs and line breaks by spaces, in place. */
void result_plain_text(char *text) __attribute__((nonnull));
#endif
