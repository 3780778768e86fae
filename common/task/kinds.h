/*
 * kinds.h - the kinds of tasks, one row each: what everybody but the worker knows of a kind. What a
 * worker does is workers/<kind>/. Pure; any thread.
 */
#ifndef COMMON_TASK_KINDS_H
#define COMMON_TASK_KINDS_H
#include <stdbool.h>

enum kind_group { KIND_BY_INSTRUMENT, KIND_BY_PROJECT };
/* How many slots a group may hold at the same time. */
enum kind_cap { KIND_CAP_NONE, KIND_CAP_ONE, KIND_CAP_COPIES /* the instrument's max_copies */ };

struct task_kind {
    const char *name;
    const char *pool; /* whose slots its tasks take */
    const char
        *above[3]; /* the kinds whose tasks of the same raw file come before; ends with NULL */
    enum kind_group group; /* who share the pool fairly */
    enum kind_cap cap;
    bool retires; /* takes the raw file from its instrument */
};

/* The row of this name; of an unknown kind one without a name, whose tasks are as those of "index".
 */
const struct task_kind *task_kind(const char *name) __attribute__((nonnull, returns_nonnull));

/* The kinds that have topics, and all pools; NULL at the end. */
extern const char *const task_kind_names[];
extern const char *const pool_names[];
/* The kind whose tasks take this pool's slots, "?" for none. */
const char *task_kind_of_pool(const char *pool) __attribute__((nonnull, returns_nonnull));
#endif
