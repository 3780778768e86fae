/*
 * indexes.h - a thread that makes the database's indexes while this scheduler leads. Private to
 * scheduler/.
 */
#ifndef SCHEDULER_INDEXES_H
#define SCHEDULER_INDEXES_H
#include "common/base/err.h"
#include "common/base/own.h"

struct scheduler;
struct indexes;

/* Starts the thread. NULL with *err set. Freed with indexes_free, which waits for the collection
 * that is under way: at most some of the database's deadlines. */
struct indexes *indexes_new(struct scheduler *s, struct err *err) OWNED __attribute__((nonnull));
void indexes_free(struct indexes *i);
#endif
