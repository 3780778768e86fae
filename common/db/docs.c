/* docs.c - documents read whole into memory. */
#include "common/db/docs.h"

#include <stdlib.h>
#include <string.h>

struct docs *docs_new(struct err *err)
{
    struct docs *d = calloc(1, sizeof *d);
    if (d == NULL) {
        err_no_memory(err);
    }
    return d;
}

void docs_clear(struct docs *d)
{
    for (size_t i = 0; i < d->n; i++) {
        bson_destroy(d->items[i]);
    }
    free(d->items);
    *d = (struct docs){0};
}

void docs_free(struct docs *d)
{
    if (d != NULL) {
        docs_clear(d);
        free(d);
    }
}

int docs_add(void *ctx, const bson_t *doc, struct err *err)
{
    struct docs *d = ctx;
    if (d->n == d->room) {
        size_t room = d->room > 0 ? d->room * 2 : 16;
        bson_t **items = reallocarray(d->items, room, sizeof *items);
        if (items == NULL) {
            return err_no_memory(err);
        }
        d->items = items;
        d->room = room;
    }
    d->items[d->n++] = bson_copy(doc);
    return 0;
}

struct docs *docs_read_by(struct db *db, const struct docs_query *q, db_doc_fn *add,
                          struct err *err)
{
    AUTO(bson_destroy) bson_t *all = bson_new();
    AUTO(docs_free) struct docs *d = docs_new(err);
    if (d == NULL ||
        db_each(db, q->coll, q->filter != NULL ? q->filter : all, q->opts, add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

struct docs *docs_read(struct db *db, const struct docs_query *q, struct err *err)
{
    return docs_read_by(db, q, docs_add, err);
}

const bson_t *docs_by_id(const struct docs *d, const char *id)
{
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(doc_str(d->items[i], "_id", ""), id) == 0) {
            return d->items[i];
        }
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(doc_str(*(bson_t *const *)a, "_id", ""), doc_str(*(bson_t *const *)b, "_id", ""));
}

void docs_sort(struct docs *d)
{
    if (d->n > 0) {
        qsort(d->items, d->n, sizeof(bson_t *), by_id);
    }
}

const bson_t *docs_find(const struct docs *d, const char *id)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(doc_str(d->items[mid], "_id", ""), id);
        if (cmp == 0) {
            return d->items[mid];
        }
        low = cmp < 0 ? mid + 1 : low;
        high = cmp > 0 ? mid : high;
    }
    return NULL;
}
