/*
 * kinds.h - the kinds of tasks, one row each: what the rest of Trawl knows of a kind. What a worker
 * does for it is in workers/<kind>/. Pure; any thread.
 */
#ifndef COMMON_TASK_KINDS_H
#define COMMON_TASK_KINDS_H
#include <stdbool.h>

enum kind_group { KIND_BY_INSTRUMENT, KIND_BY_PROJECT };
/* How many slots a group may hold at the same time. */
enum kind_cap { KIND_CAP_NONE, KIND_CAP_ONE, KIND_CAP_COPIES /* the instrument's max_copies */ };

struct task_kind {
    const char *name;
    const char *pool;      /* the pool whose slots its tasks take */
    const char *above[3];  /* kinds whose tasks of the same raw file come first; NULL-terminated */
    enum kind_group group; /* by what its tasks share the pool fairly */
    enum kind_cap cap;
    bool retires; /* takes the raw file from its instrument */
};

/* The row of this name; for an unknown kind a row without a name that is like that of "index". */
const struct task_kind *task_kind(const char *name) __attribute__((nonnull, returns_nonnull));

/* The kinds that have topics, and all pools; NULL at the end. */
extern const char *const task_kind_names[];
extern const char *const pool_names[];
/* The kind whose tasks take this pool's slots, "?" for none. */
const char *task_kind_of_pool(const char *pool) __attribute__((nonnull, returns_nonnull));
#endif
