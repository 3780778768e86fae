/*
 * indexes.h - makes the database's indexes while this scheduler leads. Private to scheduler/.
 */
#ifndef SCHEDULER_INDEXES_H
#define SCHEDULER_INDEXES_H
#include "scheduler/chore.h"

/* A chore's round: all collections. */
int64_t indexes_round(struct chore *c, struct scheduler *s) __attribute__((nonnull));
#endif
