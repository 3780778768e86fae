/*
 * doc_json.h - documents as JSON. Any thread.
 */
#ifndef COMMON_DB_DOC_JSON_H
#define COMMON_DB_DOC_JSON_H
#include <bson/bson.h>
#include <jansson.h>
#include <stdio.h>

#include "common/base/own.h"
#include "common/db/docs.h"

AUTO_DEFINE(json_t, json_decref);

/* A document, an array, or all of them: dates become "2026-11-21T02:40:05.123Z", numbers that are
 * not finite null, text that is not UTF-8 is escaped. Freed with json_decref; NULL when memory is
 * short. */
json_t *json_of_doc(const bson_t *doc) OWNED __attribute__((nonnull));
json_t *json_of_array(const bson_t *array) OWNED __attribute__((nonnull));
/* The same of a document with a name (named.h): "_id" is the name, as if it were the `_id`. */
json_t *json_of_named(const bson_t *doc) OWNED __attribute__((nonnull));
json_t *json_of_all_named(const struct docs *d) OWNED __attribute__((nonnull));
json_t *json_of_docs(const struct docs *d) OWNED __attribute__((nonnull));
/* A string, or null for NULL and "". */
json_t *json_text(const char *s) OWNED;
/* A date, or null for 0. */
json_t *json_date(int64_t ms) OWNED;
/* One value a call, then a newline. -1 when memory is short (also for root = NULL). Takes root. */
int json_print(json_t *root, FILE *out, struct err *err)
    __attribute__((nonnull(2, 3), warn_unused_result));
#endif
