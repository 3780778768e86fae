/*
 * migrate.h - changes what earlier versions have stored, while everything runs. Private to
 * scheduler/.
 *
 * To add one: its step in a file of its own, a line in the table of migrate.c, SCHEMA_VERSION. Both
 * forms are read from then on. A step is a small batch that finds by itself what is left: it may be
 * killed anywhere, and a leader that was replaced may still make one beside its successor.
 */
#ifndef SCHEDULER_MIGRATE_H
#define SCHEDULER_MIGRATE_H
#include "common/db/db.h"
#include "scheduler/chore.h"

/* A chore's round. */
int64_t migrate_round(struct chore *c, struct scheduler *s) __attribute__((nonnull));

/* *n: how many documents this batch has changed; 0: none is left. */
typedef int migrate_fn(struct db *db, int64_t *n, struct err *err);
migrate_fn migrate_object_ids;
migrate_fn migrate_sums;
#endif
