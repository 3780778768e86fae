/*
 * docs.h - documents read whole into memory, and documents as JSON.
 */
#ifndef CLI_DOCS_H
#define CLI_DOCS_H
#include <bson/bson.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/db.h"

AUTO_DEFINE(json_t, json_decref);

struct docs {
    bson_t **items;
    size_t n, room;
};

/* Empty; NULL and TRANSIENT when memory is short. Freed with docs_free. */
struct docs *docs_new(struct err *err) OWNED __attribute__((nonnull));
void docs_free(struct docs *d);
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
/* The one of this _id, borrowed; NULL when there is none. */
const bson_t *docs_by_id(const struct docs *d, const char *id) __attribute__((nonnull));

/* A document, an array, or all of them: dates become "2026-11-21T02:40:05.123Z", numbers that are
 * not finite null, text that is not UTF-8 is escaped. Freed with json_decref; NULL when memory is
 * short. */
json_t *json_of_doc(const bson_t *doc) OWNED __attribute__((nonnull));
json_t *json_of_array(const bson_t *array) OWNED __attribute__((nonnull));
json_t *json_of_docs(const struct docs *d) OWNED __attribute__((nonnull));
/* A string, or null for NULL and "". */
json_t *json_text(const char *s) OWNED;
/* A date, or null for 0. */
json_t *json_date(int64_t ms) OWNED;
/* One value a call, then a newline. -1 when memory is short (also for root = NULL). Takes root. */
int json_print(json_t *root, FILE *out, struct err *err)
    __attribute__((nonnull(2, 3), warn_unused_result));
#endif
