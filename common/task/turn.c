#include "common/task/turn.h"

#include "common/task/kinds.h"

bool turn_is_before(const struct turn *a, const struct turn *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    if (a->group.held != b->group.held) {
        return a->group.held < b->group.held;
    }
    return a->ready_ms < b->ready_ms;
}

const char *turn_group_key(const char *kind, const char *instrument, const char *project)
{
    return task_kind(kind)->group == KIND_BY_INSTRUMENT ? instrument : project;
}

int64_t turn_cap(const char *kind, int64_t max_copies)
{
    switch (task_kind(kind)->cap) {
    case KIND_CAP_ONE:
        return 1;
    case KIND_CAP_COPIES:
        return max_copies;
    case KIND_CAP_NONE:
        break;
    }
    return INT64_MAX;
}
