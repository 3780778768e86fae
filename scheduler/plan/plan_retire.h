/* plan_retire.h - moves and removals, planned when they are due. Brain thread only. */
#ifndef SCHEDULER_PLAN_PLAN_RETIRE_H
#define SCHEDULER_PLAN_PLAN_RETIRE_H
#include <stddef.h>

#include "common/base/err.h"

struct scheduler;
struct retire_seen; /* plan_retire.c */

struct retirement {           /* zeroed: none yet; seen is freed with free */
    struct retire_seen *seen; /* when removals were last under way, for each instrument */
    size_t n;
};

/* In a full pass, before plan_pass: plan the moves and removals that are due, and have plan_pass
 * look at raw files whose move or removal has ended. */
int plan_retirement(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
#endif
