/*
 * docset.h - documents read whole into memory and found by their id. Private to scheduler/; one
 * thread.
 */
#ifndef SCHEDULER_DOCSET_H
#define SCHEDULER_DOCSET_H
#include "common/db/db.h"

struct docset { /* zeroed is empty */
    bson_t **at;
    size_t n;
};

/* Keep a copy. Fits db_each; ctx is a struct docset. */
int docset_add(void *ctx, const bson_t *doc, struct err *err);
void docset_clear(struct docset *d);
/* By _id, so that docset_find works. */
void docset_sort(struct docset *d);
/* Borrowed; NULL when there is none. */
const bson_t *docset_find(const struct docset *d, const char *id);
/* Add the tasks that the raw files name, and sort. */
int docset_load_tasks(struct docset *tasks, const struct docset *files, struct db *db,
                      struct err *err) __attribute__((warn_unused_result));
#endif
