/*
 * act.h - makes, changes or removes one document for an operator, with its entry in the audit
 * (common/task/audit.h).
 */
#ifndef OPS_ACT_H
#define OPS_ACT_H
#include "common/task/audit.h"
#include "ops/ops.h"

struct act {
    const struct ops *ops;
    const char *verb, *target;
    const bson_t *before; /* the present values, or NULL */
};
/* The result is audit_make's. */
int act_run(const struct act *a, audit_fn *run, void *ctx, bool *won, struct err *err)
    __attribute__((nonnull(1, 2, 4, 5), warn_unused_result));
/* The same for db_insert, db_update and db_delete (*won: something was removed). */
int act_insert(const struct act *a, const char *coll, const bson_t *doc, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int act_update(const struct act *a, const char *coll, const bson_t *filter, const bson_t *update,
               bool *won, struct err *err) __attribute__((nonnull, warn_unused_result));
int act_delete(const struct act *a, const char *coll, const bson_t *filter, bool *won,
               struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
