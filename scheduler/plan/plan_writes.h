/*
 * plan_writes.h - what a planning pass has decided and not yet written: for each raw file its
 * tasks, then its own update. Private to scheduler/; brain thread only.
 */
#ifndef SCHEDULER_PLAN_PLAN_WRITES_H
#define SCHEDULER_PLAN_PLAN_WRITES_H
#include "common/db/batch.h"
#include "scheduler/scheduler.h"

struct ledger_line; /* of one raw file */

struct ledger { /* zeroed is empty */
    struct ledger_line *lines;
    bson_t **tasks;         /* to be inserted; of all lines, in their order */
    struct db_batch reopen; /* one for each task: the change to make when the task exists already */
    size_t n, n_tasks, room;
};

/* The entries that follow belong to this raw file. */
int ledger_begin(struct ledger *l, const char *raw_file, struct err *err)
    __attribute__((warn_unused_result));
/* Both take ownership of what they are given, also on failure. */
int ledger_task(struct ledger *l, bson_t *task, struct db_change reopen, struct err *err)
    __attribute__((warn_unused_result));
/* status: logged when the update has won; NULL: nothing is logged. instrument: its thread reads its
 * documents again afterwards; NULL: none does. */
struct ledger_update {
    struct db_change change;
    const char *status, *details, *instrument;
};
int ledger_raw_file(struct ledger *l, const struct ledger_update *u, struct err *err)
    __attribute__((warn_unused_result));

/* Write: tasks first, raw files last. A raw file whose documents the database refuses does not stop
 * the others; -1 when the database does not answer. The ledger is empty afterwards in any case. */
int ledger_write(struct ledger *l, struct scheduler *s, struct err *err)
    __attribute__((warn_unused_result));
void ledger_clear(struct ledger *l);
#endif
