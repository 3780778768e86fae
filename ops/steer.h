/*
 * steer.h - what an operator does to tasks: one after the other, each with its entry in the audit.
 */
#ifndef OPS_STEER_H
#define OPS_STEER_H
#include "cli/cli.h"
#include "common/db/docs.h"
#include "common/task/task.h"

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
/* Steers each of the tasks, as they were read, and says what became of it. CLI_REFUSED when one
 * could not be; wakes the scheduler. */
enum cli_exit steer_tasks(struct cli *c, const struct steering *s, const struct docs *tasks,
                          struct err *err) __attribute__((nonnull));
#endif
