#include "ops/queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"
#include "common/task/task.h"
#include "common/task/turn.h"

struct waiting {
    struct turn turn; /* without its group */
    size_t group;
    bool mine;
};

struct group {
    const char *key; /* borrowed */
    struct turn_group turn;
};

struct line { /* of one pool */
    struct waiting *waiting;
    struct group *groups;
    size_t n, n_groups;
};

static const char *key_of(const bson_t *task)
{
    return turn_group_key(doc_str(task, "kind", ""), doc_str(task, "instrument_id", ""),
                          doc_str(task, "project_id", ""));
}

static int64_t cap_of(const struct queue *q, const bson_t *task)
{
    int64_t max_copies = INT64_MAX;
    for (size_t i = 0; i < q->n_caps; i++) {
        if (strcmp(q->caps[i].instrument, doc_str(task, "instrument_id", "")) == 0) {
            max_copies = q->caps[i].max_copies;
        }
    }
    return turn_cap(doc_str(task, "kind", ""), max_copies);
}

static size_t group_of(struct line *l, const struct queue *q, const bson_t *task)
{
    for (size_t i = 0; i < l->n_groups; i++) {
        if (strcmp(l->groups[i].key, key_of(task)) == 0) {
            return i;
        }
    }
    l->groups[l->n_groups] = (struct group){key_of(task), {.cap = cap_of(q, task)}};
    return l->n_groups++;
}

static bool in_pool(const bson_t *task, const char *pool)
{
    return strcmp(doc_str(task, "pool", ""), pool) == 0;
}

static void add_to_line(struct line *l, const struct queue *q, const bson_t *task)
{
    const char *id = doc_str(task, "_id", ""), *pool = doc_str(task, "pool", "");
    for (size_t i = 0; i < q->open->n; i++) {
        const bson_t *t = q->open->items[i];
        if (!in_pool(t, pool)) {
            continue;
        }
        size_t group = group_of(l, q, t);
        if (strcmp(doc_str(t, "state", ""), "ready") != 0) {
            l->groups[group].turn.held++;
        } else if (task_not_before_ms(t, q->now_ms) <= q->now_ms) {
            l->waiting[l->n++] = (struct waiting){
                .turn = {doc_i64(t, "priority", 0), doc_i64(t, "ready_at", 0), {0}},
                .group = group,
                .mine = strcmp(doc_str(t, "_id", ""), id) == 0};
        }
    }
}

/* Take the task whose turn it is out of the line; NULL when none may go. */
static const struct waiting *take_next(struct line *l, struct waiting *out)
{
    size_t best = l->n;
    struct turn first = {0};
    for (size_t i = 0; i < l->n; i++) {
        struct turn turn = l->waiting[i].turn;
        turn.group = l->groups[l->waiting[i].group].turn;
        if (turn.group.held < turn.group.cap && (best == l->n || turn_is_before(&turn, &first))) {
            best = i;
            first = turn;
        }
    }
    if (best == l->n) {
        return NULL;
    }
    *out = l->waiting[best];
    l->groups[out->group].turn.held++;
    l->n--;
    memmove(&l->waiting[best], &l->waiting[best + 1], (l->n - best) * sizeof *out);
    return out;
}

static const struct waiting *find_mine(const struct line *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->waiting[i].mine) {
            return &l->waiting[i];
        }
    }
    return NULL;
}

bool queue_place(const struct queue *q, const bson_t *task, struct queue_place *out)
{
    size_t n = q->open != NULL ? q->open->n : 0;
    AUTO(free) struct waiting *waiting = calloc(n + 1, sizeof *waiting);
    AUTO(free) struct group *groups = calloc(n + 1, sizeof *groups);
    struct line l = {.waiting = waiting, .groups = groups};
    *out = (struct queue_place){0};
    if (n == 0 || waiting == NULL || groups == NULL) {
        return false;
    }
    add_to_line(&l, q, task);
    const struct waiting *mine = find_mine(&l);
    if (mine == NULL) {
        return false;
    }
    int64_t priority = mine->turn.priority;
    out->held = l.groups[mine->group].turn.held;
    out->cap = l.groups[mine->group].turn.cap;
    struct waiting next;
    while (out->ahead < QUEUE_LOOK_MAX && take_next(&l, &next) != NULL && !next.mine) {
        out->ahead++;
        out->higher += next.turn.priority > priority;
    }
    return true;
}
