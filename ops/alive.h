/*
 * alive.h - who is alive, judged by beats that move. Clocks of two hosts are not trusted: a
 * heartbeat whose date looks old is looked at again until its beat has moved or enough time passed.
 */
#ifndef OPS_ALIVE_H
#define OPS_ALIVE_H
#include "common/db/docs.h"
#include "ops/ops.h"

struct alive {
    struct docs *workers; /* those that live */
    struct docs *stale;   /* those that do not */
    struct docs *leases;  /* those that are held */
};

/* Look; waits up to 3 s only when a date looks old. Freed with alive_free, also after a failure. */
int alive_look(const struct ops *o, struct alive *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void alive_free(struct alive *a) __attribute__((nonnull));
/* The lease of the leading scheduler, borrowed; NULL when nobody leads. */
const bson_t *alive_leader(const struct alive *a) __attribute__((nonnull));
#endif
