#include "msqc/stats.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int stats_append(struct stats_values *values, double value, struct err *err)
{
    if (values->count == values->room) {
        if (values->room >= STATS_MAX_VALUES) {
            return ERR(err, ERR_INVALID, EFBIG, "holds more than %zu spectra", STATS_MAX_VALUES);
        }
        size_t room = values->room == 0 ? 1024 : values->room * 2;
        double *at = realloc(values->at, room * sizeof *at);
        if (at == NULL) {
            return ERR(err, ERR_FATAL, ENOMEM, "out of memory for %zu numbers", room);
        }
        values->at = at;
        values->room = room;
    }
    values->at[values->count++] = value;
    return 0;
}

static void swap(double *a, double *b)
{
    double keep = *a;
    *a = *b;
    *b = keep;
}

/*
 * Order a[*first..*last] into smaller, equal and larger than the pivot; the bounds of the equal
 * part come back. Three parts, because many spectra share one value (a capped injection time).
 */
static void partition(double *a, size_t *first, size_t *last, double pivot)
{
    size_t i = *first;
    while (i <= *last) {
        if (a[i] < pivot) {
            swap(&a[(*first)++], &a[i++]);
        } else if (a[i] > pivot) {
            swap(&a[i], &a[(*last)--]);
        } else {
            i++;
        }
    }
}

/* Quickselect: afterwards a[k] is what sorting would put there, and nothing before it is larger. */
static void select_kth(double *a, size_t n, size_t k)
{
    size_t lo = 0;
    size_t hi = n - 1;
    uint64_t dice = 0x9e3779b97f4a7c15u; /* a pivot by dice, so that no order of values is slow */
    while (lo < hi) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        size_t first = lo;
        size_t last = hi;
        partition(a, &first, &last, a[lo + dice % (hi - lo + 1)]);
        if (k < first) {
            hi = first - 1;
        } else if (k > last) {
            lo = last + 1;
        } else {
            return;
        }
    }
}

double stats_median(struct stats_values *values)
{
    if (values->count == 0) {
        return (double)NAN;
    }
    size_t middle = values->count / 2;
    select_kth(values->at, values->count, middle);
    double upper = values->at[middle];
    if (values->count % 2 == 1) {
        return upper;
    }
    double lower = values->at[0];
    for (size_t i = 1; i < middle; i++) {
        lower = values->at[i] > lower ? values->at[i] : lower;
    }
    double mean = (lower + upper) / 2;
    return isfinite(mean) ? mean : lower / 2 + upper / 2;
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

size_t stats_distinct(struct stats_values *values)
{
    if (values->count == 0) {
        return 0;
    }
    qsort(values->at, values->count, sizeof *values->at, compare);
    size_t distinct = 1;
    for (size_t i = 1; i < values->count; i++) {
        distinct += values->at[i] > values->at[i - 1];
    }
    return distinct;
}

void stats_fini(struct stats_values *values)
{
    free(values->at);
    *values = (struct stats_values){0};
}
