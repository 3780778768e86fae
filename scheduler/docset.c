/* docset.c - documents read whole into memory. */
#include "scheduler/docset.h"

#include <string.h>

int docset_add(void *ctx, const bson_t *doc, struct err *err)
{
    struct docset *d = ctx;
    if (d->n % 64 == 0) {
        bson_t **more = realloc(d->at, (d->n + 64) * sizeof(bson_t *));
        if (more == NULL) {
            return err_no_memory(err);
        }
        d->at = more;
    }
    d->at[d->n++] = bson_copy(doc);
    return 0;
}

void docset_clear(struct docset *d)
{
    for (size_t i = 0; i < d->n; i++) {
        bson_destroy(d->at[i]);
    }
    free(d->at);
    *d = (struct docset){0};
}

static int by_id(const void *a, const void *b)
{
    return strcmp(doc_str(*(bson_t *const *)a, "_id", ""), doc_str(*(bson_t *const *)b, "_id", ""));
}

void docset_sort(struct docset *d)
{
    if (d->n > 0) {
        qsort(d->at, d->n, sizeof(bson_t *), by_id);
    }
}

const bson_t *docset_find(const struct docset *d, const char *id)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(doc_str(d->at[mid], "_id", ""), id);
        if (cmp == 0) {
            return d->at[mid];
        }
        low = cmp < 0 ? mid + 1 : low;
        high = cmp > 0 ? mid : high;
    }
    return NULL;
}

static void append_task_ids(const bson_t *rf, bson_t *ids, uint32_t *n)
{
    bson_t list;
    bson_iter_t at;
    if (!doc_sub(rf, "tasks", &list) || !bson_iter_init(&at, &list)) {
        return;
    }
    while (bson_iter_next(&at)) {
        char key[16];
        const char *k;
        size_t len = bson_uint32_to_string((*n)++, &k, key, sizeof key);
        bson_append_utf8(ids, k, (int)len, bson_iter_utf8(&at, NULL), -1);
    }
}

int docset_load_tasks(struct docset *tasks, const struct docset *files, struct db *db,
                      struct err *err)
{
    enum { BATCH = 500 };
    int rc = 0;
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "published", BCON_INT32(0), "}");
    for (size_t i = 0; i < files->n && rc == 0;) {
        bson_t ids = BSON_INITIALIZER;
        uint32_t n = 0;
        for (; i < files->n && n < BATCH; i++) {
            append_task_ids(files->at[i], &ids, &n);
        }
        if (n > 0) {
            AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
            rc = db_each(db, DB_TASKS, filter, opts, docset_add, tasks, err);
        }
        bson_destroy(&ids);
    }
    docset_sort(tasks);
    return rc;
}
