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

struct docs *docs_read(struct db *db, const struct docs_query *q, struct err *err)
{
    AUTO(bson_destroy) bson_t *all = bson_new();
    AUTO(docs_free) struct docs *d = docs_new(err);
    if (d == NULL ||
        db_each(db, q->coll, q->filter != NULL ? q->filter : all, q->opts, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
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
