/*
 * alive.h - which processes live, judged by beats that move. Clocks of two hosts are not compared:
 * a heartbeat whose date looks old is read again until its beat has moved or enough time has
 * passed.
 */
#ifndef OPS_ALIVE_H
#define OPS_ALIVE_H
#include "common/db/docs.h"
#include "ops/ops.h"

struct alive {
    struct docs *workers; /* the living ones */
    struct docs *stale;   /* the others */
    struct docs *leases;  /* those that are held */
};

/* Read all; waits, up to 3 s, only when a date looks old. Freed with alive_free, also after a
 * failure. */
int alive_read(const struct ops *o, struct alive *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void alive_free(struct alive *a) __attribute__((nonnull));
/* The lease of the leading scheduler, borrowed; NULL when none leads. */
const bson_t *alive_leader(const struct alive *a) __attribute__((nonnull));
#endif
