/*
 * steer.h - what an operator does to tasks: one after the other, each with its entry in the audit.
 */
#ifndef OPS_STEER_H
#define OPS_STEER_H
#include "common/db/docs.h"
#include "common/task/task.h"
#include "ops/ops.h"

struct steer {
    const char *past; /* what becomes of it: "retried" */
    const char *can;  /* in which states it can be done */
    int (*run)(struct db *db, const struct task_order *o, bool *won, struct err *err);
};
extern const struct steer steer_cancel, steer_retry, steer_skip, steer_ignore;

struct steering {
    const char *verb; /* of the command: "task retry" */
    const struct steer *steer;
    const char *why;  /* "" for none */
    const char *root; /* the task whose tree it is; NULL: each for itself */
    bool list;        /* more than one may be meant: one that refuses does not end it */
};
struct steered {
    const char *task;
    char state[32]; /* afterwards */
    bool done;
};
typedef void steered_fn(void *ctx, const struct steered *one);

/* Steer each of the tasks, as they were read, and report each to said. *done: how many it was done
 * to. ERR_REFUSED when the only one, or the root of a tree, is in no state for it. Who asked calls
 * steer_wake when it has answered. */
int steer_tasks(const struct ops *o, const struct steering *s, const struct docs *tasks,
                steered_fn *said, void *ctx, size_t *done, struct err *err)
    __attribute__((nonnull(1, 2, 3, 4, 6, 7), warn_unused_result));
/* Have the scheduler look at these tasks at once. */
void steer_wake(const struct ops *o, const struct docs *tasks) __attribute__((nonnull));
#endif
