/*
 * task_tree.h - which tasks of a raw file are steered together with one of them. Pure.
 */
#ifndef OPS_TASK_TREE_H
#define OPS_TASK_TREE_H
#include "common/db/docs.h"

enum tree_what { TREE_RETRY, TREE_SKIP };
/*
 * The root, and of the tasks below it: to retry, those that failed or were set aside and have all
 * that they need (the rest is planned when the task above is done); to skip, those that are ready
 * or failed. A root that is done is not retried itself. Copies; docs_free. NULL: out of memory.
 */
struct docs *tree_select(enum tree_what what, const bson_t *root, const struct docs *tasks,
                         struct err *err) OWNED __attribute__((nonnull));
#endif
