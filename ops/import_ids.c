#include "ops/import_ids.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE 4096

int import_ids_add(struct import_ids *ids, const char *id, bool refused, struct err *err)
{
    if (ids->n % AT_ONCE == 0) {
        struct import_id *more = reallocarray(ids->at, ids->n + AT_ONCE, sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        ids->at = more;
    }
    char *text = strdup(id);
    if (text == NULL) {
        return err_no_memory(err);
    }
    ids->at[ids->n++] = (struct import_id){.text = text, .refused = refused};
    ids->sorted = false;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const struct import_id *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : (int)y->refused - (int)x->refused;
}

/* Of equal ones the first is left, which is refused if any is. */
static void sort(struct import_ids *ids)
{
    size_t kept = 0;
    qsort(ids->at, ids->n, sizeof *ids->at, by_text);
    for (size_t i = 0; i < ids->n; i++) {
        if (kept > 0 && strcmp(ids->at[kept - 1].text, ids->at[i].text) == 0) {
            free(ids->at[i].text);
        } else {
            ids->at[kept++] = ids->at[i];
        }
    }
    ids->n = kept;
    ids->sorted = true;
}

struct import_id *import_ids_find(struct import_ids *ids, const char *id)
{
    size_t low = 0, high = ids->n;
    if (!ids->sorted && ids->n > 0) {
        sort(ids);
        high = ids->n;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(ids->at[mid].text, id);
        if (order == 0) {
            return &ids->at[mid];
        }
        low = order < 0 ? mid + 1 : low;
        high = order > 0 ? mid : high;
    }
    return NULL;
}

void import_ids_clear(struct import_ids *ids)
{
    for (size_t i = 0; i < ids->n; i++) {
        free(ids->at[i].text);
    }
    free(ids->at);
    *ids = (struct import_ids){0};
}
