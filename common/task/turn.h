/*
 * turn.h - whose turn it is when a pool has a free slot: higher priority first, then the task whose
 * group holds least (max-min fair share), then the oldest. Pure; the scheduler admits by it, and
 * trawl why explains with it.
 */
#ifndef COMMON_TASK_TURN_H
#define COMMON_TASK_TURN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tasks of one pool and one instrument or project. */
struct turn_group {
    int64_t held; /* slots */
    int64_t cap;  /* slots that it may hold at the same time */
};

struct turn {
    int64_t priority, ready_ms;
    struct turn_group group;
};

/* Whether a goes before b. */
bool turn_is_before(const struct turn *a, const struct turn *b) __attribute__((nonnull));
/* The key of the group in which a task shares its pool: borrowed instrument or project. */
const char *turn_group_key(const char *kind, const char *instrument, const char *project)
    __attribute__((nonnull));
/* How many slots a group may hold at the same time: its instrument's copies, one move, one removal;
 * INT64_MAX: as many as there are. */
int64_t turn_cap(const char *kind, int64_t max_copies) __attribute__((nonnull));
#endif
