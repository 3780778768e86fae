/*
 * retention.h - takes away what has become old ([retention]), while this scheduler leads. Private
 * to scheduler/.
 */
#ifndef SCHEDULER_RETENTION_H
#define SCHEDULER_RETENTION_H
#include "scheduler/chore.h"

/* A chore's round: all that is due, in small batches with rests between them. */
int64_t retention_round(struct chore *c, struct scheduler *s) __attribute__((nonnull));
#endif
