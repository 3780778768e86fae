/*
 * chore.h - work of the leader beside planning: a thread of its own makes rounds while this
 * scheduler leads. Private to scheduler/.
 */
#ifndef SCHEDULER_CHORE_H
#define SCHEDULER_CHORE_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

struct scheduler;
struct chore;

/* One round, on the chore's thread. Returns after how many ms the next one is due; after a change
 * of leader it is due at once. Between its parts it asks chore_continues, and ends early on false.
 */
typedef int64_t chore_fn(struct chore *c, struct scheduler *s);

/* Starts the thread. NULL with *err set. Freed with chore_free, which waits for the part of a round
 * that is under way. */
struct chore *chore_new(struct scheduler *s, chore_fn *round, struct err *err) OWNED
    __attribute__((nonnull));
void chore_free(struct chore *c);
/* After a rest of so many ms: whether this scheduler still leads and does not stop. */
bool chore_continues(struct chore *c, int64_t rest_ms) __attribute__((nonnull));
#endif
