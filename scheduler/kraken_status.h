/*
 * kraken_status.h - [compat] alphakraken: how instruments, file systems and removals are, where
 * AlphaKraken's pages and alerts look for it. Private to scheduler/.
 */
#ifndef SCHEDULER_KRAKEN_STATUS_H
#define SCHEDULER_KRAKEN_STATUS_H
#include "scheduler/chore.h"

/* A chore's round: write kraken_status from watches, mounts and removals. */
int64_t kraken_status_round(struct chore *c, struct scheduler *s) __attribute__((nonnull));
#endif
