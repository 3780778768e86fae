/*
 * turn.h - whose turn it is when a pool has a free slot: higher priority first, then whoever's
 * group holds least (max-min fair share), then the oldest. Pure; the scheduler admits by it and
 * trawl why explains by it.
 */
#ifndef COMMON_TASK_TURN_H
#define COMMON_TASK_TURN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tasks of one pool and one instrument or project. */
struct turn_group {
    int64_t held; /* slots */
    int64_t cap;  /* that it may hold at the same time */
};

struct turn {
    int64_t priority, ready_ms;
    struct turn_group group;
};

static inline bool turn_is_before(const struct turn *a, const struct turn *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    if (a->group.held != b->group.held) {
        return a->group.held < b->group.held;
    }
    return a->ready_ms < b->ready_ms;
}
#endif
