#include "ops/task_tree.h"

#include <string.h>

#include "common/task/task.h"

static enum task_state state_of(const bson_t *task)
{
    enum task_state s;
    return task_state_parse(doc_str(task, "state", ""), &s) == 0 ? s : TASK_STATE_COUNT;
}

static const char *kind_of(const bson_t *task)
{
    return doc_str(task, "kind", "");
}

/* An index task takes whatever is there; any other needs the tasks above it. */
static bool may_run(const bson_t *task, const struct docs *tasks)
{
    for (size_t i = 0; i < tasks->n && strcmp(kind_of(task), "index") != 0; i++) {
        const bson_t *above = tasks->items[i];
        if (task_is_below(kind_of(task), kind_of(above)) && state_of(above) != TASK_DONE) {
            return false;
        }
    }
    return true;
}

static bool goes_along(enum tree_what what, const bson_t *task, const struct docs *tasks)
{
    enum task_state s = state_of(task);
    bool broken = s == TASK_FAILED || s == TASK_DEAD;
    if (what == TREE_SKIP) {
        bool index = strcmp(kind_of(task), "index") == 0; /* it must index the skipping, too */
        return !index && (broken || s == TASK_READY);
    }
    return (broken || s == TASK_CANCELLED || s == TASK_SKIPPED) && may_run(task, tasks);
}

struct docs *tree_select(enum tree_what what, const bson_t *root, const struct docs *tasks,
                         struct err *err)
{
    AUTO(docs_free) struct docs *out = docs_new(err);
    bool itself = what == TREE_SKIP || state_of(root) != TASK_DONE;
    if (out == NULL || (itself && docs_add(out, root, err) != 0)) {
        return NULL;
    }
    for (size_t i = 0; i < tasks->n; i++) {
        const bson_t *task = tasks->items[i];
        if (task_is_below(kind_of(task), kind_of(root)) && goes_along(what, task, tasks) &&
            docs_add(out, task, err) != 0) {
            return NULL;
        }
    }
    return TAKE(out);
}
