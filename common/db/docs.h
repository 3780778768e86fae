/*
 * docs.h - documents read whole into memory.
 */
#ifndef COMMON_DB_DOCS_H
#define COMMON_DB_DOCS_H
#include <bson/bson.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/db.h"

struct docs { /* zeroed is empty */
    bson_t **items;
    size_t n, room;
};

/* Empty; NULL and TRANSIENT when memory is short. Freed with docs_free. One that is part of another
 * struct is emptied with docs_clear. */
struct docs *docs_new(struct err *err) OWNED __attribute__((nonnull));
void docs_free(struct docs *d);
void docs_clear(struct docs *d) __attribute__((nonnull));
AUTO_DEFINE(struct docs, docs_free);
/* Keep a copy. Fits db_each; ctx is a struct docs. */
int docs_add(void *ctx, const bson_t *doc, struct err *err);

struct docs_query {
    const char *coll;
    const bson_t *filter; /* NULL: all */
    const bson_t *opts;   /* sort, limit, projection; or NULL */
};
/* All that match; NULL with *err set. Freed with docs_free. */
struct docs *docs_read(struct db *db, const struct docs_query *q, struct err *err) OWNED
    __attribute__((nonnull));
/* The same; add keeps one (ctx: struct docs), or refuses it. */
struct docs *docs_read_by(struct db *db, const struct docs_query *q, db_doc_fn *add,
                          struct err *err) OWNED __attribute__((nonnull));
/* The one of this _id, borrowed; NULL when there is none. */
const bson_t *docs_by_id(const struct docs *d, const char *id) __attribute__((nonnull));
/* By _id, so that docs_find works: the same, by halving. */
void docs_sort(struct docs *d) __attribute__((nonnull));
const bson_t *docs_find(const struct docs *d, const char *id) __attribute__((nonnull));
#endif
