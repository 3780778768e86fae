/*
 * find.h - finds the document that an operator's words mean.
 */
#ifndef OPS_FIND_H
#define OPS_FIND_H
#include <bson/bson.h>

#include "ops/ops.h"

/* A raw file by its id, its original name, or a beginning of either that fits no other. *out:
 * bson_destroy. ERR_MISSING names the candidates. */
int find_raw_file(const struct ops *o, const char *name, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* ERR_MISSING when there is none. *out: bson_destroy. */
int find_task(const struct ops *o, const char *id, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
