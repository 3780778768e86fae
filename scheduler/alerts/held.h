/* held.h - alerts for originals that have kept their tasks waiting for long. Brain thread only. */
#ifndef SCHEDULER_ALERTS_HELD_H
#define SCHEDULER_ALERTS_HELD_H
#include "common/base/err.h"

struct scheduler;

/* In a full pass: open an alert for each original that has held a task for long, and close those of
 * all others. */
int held_alerts(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
#endif
