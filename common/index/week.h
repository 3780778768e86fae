/*
 * week.h - the week of a raw file's created_at: contributions are summed by week. Pure. Documents
 * have a week as a number, and null for the group of what has no date.
 */
#ifndef COMMON_INDEX_WEEK_H
#define COMMON_INDEX_WEEK_H
#include <bson/bson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define WEEK_MS   (7 * INT64_C(86400000))
#define WEEK_NONE INT64_MIN /* of what has no date */

/* The week of the date at this dotted path: date / WEEK_MS, rounded down. */
int64_t week_of(const bson_t *doc, const char *path) __attribute__((nonnull));
void week_append(bson_t *doc, const char *key, int64_t week) __attribute__((nonnull));

struct weeks { /* a set, sorted; zeroed is empty */
    int64_t *items;
    size_t n;
};
/* Add one that may be in the set already. -1: no memory. */
int weeks_add(struct weeks *w, int64_t week, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Add all of an array in a document. */
int weeks_add_array(struct weeks *w, const bson_t *array, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void weeks_append(bson_t *doc, const char *key, const struct weeks *w) __attribute__((nonnull));
void weeks_clear(struct weeks *w) __attribute__((nonnull));
#define AUTO_WEEKS __attribute__((cleanup(weeks_clear))) struct weeks
#endif
