/*
 * steer.h - retries, cancels, skips or ignores tasks, one after the other, each with its entry in
 * the audit.
 */
#ifndef OPS_STEER_H
#define OPS_STEER_H
#include "common/db/docs.h"
#include "common/task/task.h"
#include "ops/ops.h"

struct steer {
    const char *past; /* what the task then is: "retried" */
    const char *can;  /* the states that allow it */
    int (*run)(struct db *db, const struct task_order *o, bool *won, struct err *err);
};
extern const struct steer steer_cancel, steer_retry, steer_skip, steer_ignore;

struct steering {
    const char *verb; /* the command: "task retry" */
    const struct steer *steer;
    const char *why;  /* "" for none */
    const char *root; /* the task at the root of the tree; NULL: no tree */
    bool list;        /* a list of tasks: continue after one that refuses */
};
struct steered {
    const char *task;
    char state[32]; /* afterwards */
    bool done;
};
typedef void steered_fn(void *ctx, const struct steered *one);

/* Steer each of the tasks, as they were read, and report each. *done: how many changed. ERR_REFUSED
 * when the state of the only one, or of the root of a tree, does not allow it. The caller reports
 * to its user first, then calls steer_wake. */
int steer_tasks(const struct ops *o, const struct steering *s, const struct docs *tasks,
                steered_fn *report, void *ctx, size_t *done, struct err *err)
    __attribute__((nonnull(1, 2, 3, 4, 6, 7), warn_unused_result));
/* Wake the schedulers for these tasks. */
void steer_wake(const struct ops *o, const struct docs *tasks) __attribute__((nonnull));
#endif
