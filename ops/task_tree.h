/*
 * task_tree.h - which tasks of a raw file go with one of them. Pure.
 */
#ifndef OPS_TASK_TREE_H
#define OPS_TASK_TREE_H
#include "common/db/docs.h"

enum tree_what { TREE_RETRY, TREE_SKIP };
/*
 * The root, and of what comes after it: to retry, what failed or was set aside and has all that it
 * needs (the rest is planned again when the task above it is done); to skip, what is still to run
 * or failed. A root that is done is not retried itself. Copies; docs_free. NULL when memory is
 * short.
 */
struct docs *tree_select(enum tree_what what, const bson_t *root, const struct docs *tasks,
                         struct err *err) OWNED __attribute__((nonnull));
#endif
