/*
 * figures.h - collects the spectra of one acquisition, whatever format they come from: a line each
 * in msqc_tic.tsv, and the numbers that the medians need.
 * Threads: none; one owner.
 */
#ifndef MSQC_FIGURES_H
#define MSQC_FIGURES_H
#include <stdbool.h>

#include "common/base/err.h"
#include "msqc/output.h"
#include "msqc/result.h"
#include "msqc/stats.h"

enum figures_ms { FIGURES_MS1, FIGURES_MS2, FIGURES_MS_COUNT };

/* One spectrum or frame. NAN means unknown, level 0 means unknown. */
struct figures_spectrum {
    int level;
    double retention_min;
    double tic;
    double injection_ms;
    bool has_precursor; /* figures_add_precursor() was called for it */
};

struct figures {
    struct output *tic_file; /* borrowed; NULL: no lines are written */
    struct stats_values tic[FIGURES_MS_COUNT];
    struct stats_values injection_ms[FIGURES_MS_COUNT];
    struct stats_values precursor_mz;
    size_t scans[FIGURES_MS_COUNT];
    size_t others; /* spectra of no level, or of MS3 and more */
    size_t with_time;
    size_t with_precursor; /* MS2 spectra; 0 when precursors are not told spectrum by spectrum */
    double retention_max_min;
};

/* An empty collection; writes the header of the TIC file. The caller calls figures_fini(). */
void figures_init(struct figures *figures, struct output *tic_file) __attribute__((nonnull(1)));

/* Add one spectrum. Numbers are copied. On failure: -1, *err set (memory, or the TIC file). */
int figures_add(struct figures *figures, const struct figures_spectrum *spectrum, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Add the m/z of one precursor of an MS2 spectrum. On failure: -1, *err set. */
int figures_add_precursor(struct figures *figures, double mz, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Fill in scans, medians, gradient and, if any were added, unique precursors; each with how many of
 * how many spectra it is of. Cannot fail.
 */
void figures_summarise(struct figures *figures, struct result *result) __attribute__((nonnull));

/* Free the numbers; the TIC file stays with its owner. */
void figures_fini(struct figures *figures) __attribute__((nonnull));
#endif
