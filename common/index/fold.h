/*
 * fold.h - the sums of a project or an instrument over its raw files. Pure, and free of order.
 *
 * A row sums one or more contributions of one status: {_id: status, files, size, errors, metrics,
 * newest}. The server makes rows by $group (fold_pipeline), a single contribution is a row of one
 * file (fold_row), and a sum (sums.h) keeps rows; folding any of them gives the same contents.
 */
#ifndef COMMON_INDEX_FOLD_H
#define COMMON_INDEX_FOLD_H
#include <bson/bson.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/index/entity.h"

struct fold; /* opaque; defined in fold.c */

/* NULL and TRANSIENT when memory is short. Freed with fold_free. */
struct fold *fold_new(struct err *err) OWNED __attribute__((nonnull));
void fold_free(struct fold *f);
AUTO_DEFINE(struct fold, fold_free);

/* Add a row. Fits db_aggregate; ctx is a struct fold. */
int fold_add(void *ctx, const bson_t *row, struct err *err);
/* The sums: {file_count, size, error_count, metrics_count, newest_created_at, by_status}; freed
 * with bson_destroy, never NULL. */
bson_t *fold_contents(const struct fold *f) OWNED __attribute__((nonnull));
/* Whether no row was added. */
bool fold_is_empty(const struct fold *f) __attribute__((nonnull));

/* A contribution's contents (contents_member) as a row; freed with bson_destroy. */
bson_t *fold_row(const bson_t *contents) OWNED __attribute__((nonnull));
/* What finds an entity's live contributions: all, or those of one week (week.h). bson_destroy. */
bson_t *fold_filter(const struct entity *e, const int64_t *week) OWNED __attribute__((nonnull(1)));
/* The pipeline that makes their rows; freed with bson_destroy. */
bson_t *fold_pipeline(const struct entity *e, const int64_t *week) OWNED
    __attribute__((nonnull(1)));
#endif
