/*
 * keyset.h - strings to be looked up many times: collected, sorted once. Private to scheduler/; one
 * thread.
 */
#ifndef SCHEDULER_KEYSET_H
#define SCHEDULER_KEYSET_H
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct keyset {      /* zeroed is empty */
    const char **at; /* borrowed */
    size_t n;
};

/* Empty, with room for so many. */
int keyset_begin(struct keyset *k, size_t room, struct err *err)
    __attribute__((warn_unused_result));
void keyset_add(struct keyset *k, const char *key);
/* After the last keyset_add. */
void keyset_sort(struct keyset *k);
bool keyset_has(const struct keyset *k, const char *key);
void keyset_clear(struct keyset *k);
#endif
