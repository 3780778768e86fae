/*
 * strset.h - strings to be looked up many times: collected, sorted once. One thread.
 */
#ifndef COMMON_BASE_STRSET_H
#define COMMON_BASE_STRSET_H
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct strset {      /* zeroed is empty */
    const char **at; /* borrowed */
    size_t n;
};

/* Empty, with room for so many. */
int strset_begin(struct strset *k, size_t room, struct err *err)
    __attribute__((warn_unused_result));
void strset_add(struct strset *k, const char *key);
/* After the last strset_add. */
void strset_sort(struct strset *k);
bool strset_has(const struct strset *k, const char *key);
void strset_clear(struct strset *k);
#endif
