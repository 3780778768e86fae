#include "common/base/strset.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int strset_begin(struct strset *k, size_t room, struct err *err)
{
    strset_clear(k);
    k->at = calloc(room + 1, sizeof *k->at);
    return k->at != NULL ? 0 : err_no_memory(err);
}

void strset_add(struct strset *k, const char *key)
{
    k->at[k->n++] = key;
}

void strset_sort(struct strset *k)
{
    if (k->n > 0) {
        qsort(k->at, k->n, sizeof *k->at, by_text);
    }
}

bool strset_has(const struct strset *k, const char *key)
{
    return k->n > 0 && bsearch(&key, k->at, k->n, sizeof *k->at, by_text) != NULL;
}

void strset_clear(struct strset *k)
{
    free(k->at);
    *k = (struct strset){0};
}
