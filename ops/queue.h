/*
 * queue.h - the place of a ready task among those that wait for the same pool, by the rule by which
 * the scheduler admits (common/task/turn.h). Pure.
 */
#ifndef OPS_QUEUE_H
#define OPS_QUEUE_H
#include <bson/bson.h>

#include "common/db/docs.h"

#define QUEUE_LOOK_MAX 1000 /* turns that are computed */

/* How many copies an instrument may have at the same time. */
struct queue_cap {
    char instrument[33];
    int64_t max_copies;
};
struct queue {
    const struct docs *open; /* tasks that are ready or hold a slot; NULL: not read */
    const struct queue_cap *caps;
    size_t n_caps;
    int64_t now_ms;
};
struct queue_place {
    int64_t ahead;  /* tasks that go first; QUEUE_LOOK_MAX: or more */
    int64_t higher; /* of these, because of their priority */
    int64_t held;   /* slots of the pool that its instrument or project holds */
    int64_t cap;    /* how many its group may hold; INT64_MAX: as many as there are */
};
/* False when the open tasks are not known, or the task may not be admitted now. */
bool queue_place(const struct queue *q, const bson_t *task, struct queue_place *out)
    __attribute__((nonnull));
#endif
