/*
 * old_lists.h - deletes the lists of files that a newer copy has replaced. Private to scheduler/.
 */
#ifndef SCHEDULER_OLD_LISTS_H
#define SCHEDULER_OLD_LISTS_H
#include "scheduler/chore.h"

/* A chore's round: the lists of raw files that the planner has marked with "old_lists". */
int64_t old_lists_round(struct chore *c, struct scheduler *s) __attribute__((nonnull));
#endif
