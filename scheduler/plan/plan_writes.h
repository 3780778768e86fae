/*
 * plan_writes.h - what a planning pass has decided and not written yet: for each raw file its
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
    struct db_batch reopen; /* as many: what to do with a task that is there already */
    size_t n, n_tasks, room;
};

/* The following entries are of this raw file. */
int ledger_begin(struct ledger *l, const char *raw_file, struct err *err)
    __attribute__((warn_unused_result));
/* Both take what they are given, also on failure. */
int ledger_task(struct ledger *l, bson_t *task, struct db_change reopen, struct err *err)
    __attribute__((warn_unused_result));
/* status: to be logged when the update has won; NULL: it is not said. instrument: whose thread
 * reads its documents again afterwards, or NULL. */
struct ledger_update {
    struct db_change change;
    const char *status, *details, *instrument;
};
int ledger_raw_file(struct ledger *l, const struct ledger_update *u, struct err *err)
    __attribute__((warn_unused_result));

/* Write: tasks first, raw files last. A raw file whose documents the database refuses does not stop
 * the others; -1 when the database does not answer. Empty afterwards in any case. */
int ledger_write(struct ledger *l, struct scheduler *s, struct err *err)
    __attribute__((warn_unused_result));
void ledger_clear(struct ledger *l);
#endif
