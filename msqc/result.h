/*
 * result.h - the figures of one acquisition, and msqc_results.tsv.
 * Threads: none.
 */
#ifndef MSQC_RESULT_H
#define MSQC_RESULT_H
#include <stdint.h>

#include "common/base/err.h"
#include "msqc/output.h"

/* In the order of the columns. */
enum result_figure {
    RESULT_MS1_INJECTION, /* ms */
    RESULT_MS1_SCANS,     /* how many spectra (mzML) or frames (Bruker) of this level */
    RESULT_MS1_TIC,
    RESULT_MS2_INJECTION,
    RESULT_MS2_SCANS,
    RESULT_MS2_TIC,
    RESULT_PRESSURE, /* in the unit of the file */
    RESULT_GRADIENT, /* minutes: the largest retention time */
    RESULT_PRECURSORS,
    RESULT_FIGURE_COUNT
};

enum result_status {
    RESULT_OK,
    RESULT_UNSUPPORTED,
    RESULT_INCOMPLETE, /* the raw file has not all that it says it has */
    RESULT_STATUS_COUNT
};

/* Of how many of how many a figure is; {0} when it is of all. */
struct result_part {
    uint64_t known, all;
    const char *unit; /* "spectra" */
};

struct result {
    double figure[RESULT_FIGURE_COUNT]; /* of all; NAN means unknown, and becomes an empty field */
    struct result_part read;            /* how much of the raw file all figures are of */
    enum result_status status;
    char detail[512];  /* for people: remarks, or why it is unsupported */
    char partial[768]; /* the figures that are of a part only, and of which */
};

/* All unknown, status ok. */
void result_init(struct result *result) __attribute__((nonnull));

/*
 * Set a figure. One of a part of the spectra, or of a part of the raw file, is no figure of the
 * acquisition: it stays unknown and is told in `partial`. NAN, and one of none, are unknown.
 */
void result_set(struct result *result, enum result_figure figure, double value,
                const struct result_part *part) __attribute__((nonnull));

/* The name of its column. */
const char *result_name(enum result_figure figure) __attribute__((returns_nonnull));

/* How a status is written. */
const char *result_word(enum result_status status) __attribute__((returns_nonnull));

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
