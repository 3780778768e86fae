/*
 * stats.h - a growing list of numbers, its median, and how many of them differ.
 * Threads: none; one owner.
 */
#ifndef MSQC_STATS_H
#define MSQC_STATS_H
#include <stddef.h>

#include "common/base/err.h"

/* 32 Mi numbers, 256 MiB: ten times the spectra of a day's acquisition. */
#define STATS_MAX_VALUES ((size_t)32 << 20)

struct stats_values {
    double *at;
    size_t count;
    size_t room;
};

/*
 * Append one finite number. The list owns its memory (stats_fini). On failure: -1, *err set,
 * the list unchanged.
 */
int stats_append(struct stats_values *values, double value, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The median, or NAN of an empty list. Reorders the list. Cannot fail. */
double stats_median(struct stats_values *values) __attribute__((nonnull));

/* How many different numbers there are. Sorts the list. Cannot fail. */
size_t stats_distinct(struct stats_values *values) __attribute__((nonnull));

/* Free the numbers; the list is empty and can be used again. */
void stats_fini(struct stats_values *values) __attribute__((nonnull));
#endif
