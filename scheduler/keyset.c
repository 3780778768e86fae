#include "scheduler/keyset.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int keyset_begin(struct keyset *k, size_t room, struct err *err)
{
    keyset_clear(k);
    k->at = calloc(room + 1, sizeof *k->at);
    return k->at != NULL ? 0 : ERR(err, ERR_TRANSIENT, 0, "out of memory");
}

void keyset_add(struct keyset *k, const char *key)
{
    k->at[k->n++] = key;
}

void keyset_sort(struct keyset *k)
{
    if (k->n > 0) {
        qsort(k->at, k->n, sizeof *k->at, by_text);
    }
}

bool keyset_has(const struct keyset *k, const char *key)
{
    return k->n > 0 && bsearch(&key, k->at, k->n, sizeof *k->at, by_text) != NULL;
}

void keyset_clear(struct keyset *k)
{
    free(k->at);
    *k = (struct keyset){0};
}
