/* plan_retire.h - plans moves and removals when they are due. Brain thread only. */
#ifndef SCHEDULER_PLAN_PLAN_RETIRE_H
#define SCHEDULER_PLAN_PLAN_RETIRE_H
#include <stddef.h>

#include "common/base/err.h"

struct scheduler;
struct retire_seen; /* plan_retire.c */

struct retirement {           /* zeroed: none yet; the owner frees seen */
    struct retire_seen *seen; /* for each instrument, when removals last ran */
    size_t n;
};

/* In a full pass, before plan_pass: plan the moves and removals that are due, and unsettle raw
 * files whose move or removal has ended, so that plan_pass writes it down. */
int plan_retirement(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
#endif
