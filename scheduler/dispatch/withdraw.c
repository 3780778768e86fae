/*
 * withdraw.c - pools that were made smaller. Running tasks finish, and so does a task that only has
 * to collect what its job has left. Of the other admitted tasks that no worker has claimed, as many
 * go back to ready as the pool has slots too many in use. A stop is a pool of size 0: no task
 * begins after it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/db/batch.h"
#include "scheduler/scheduler.h"

static bool may_go_back(const struct open_task *t, const struct pool *p)
{
    return t->state == TASK_ADMITTED && !t->ended && strcmp(t->pool, p->name) == 0;
}

static int last_turn_first(const void *a, const void *b)
{
    const struct open_task *x = *(struct open_task *const *)a, *y = *(struct open_task *const *)b;
    return x->priority != y->priority ? (x->priority > y->priority) - (x->priority < y->priority)
                                      : (x->ready_ms < y->ready_ms) - (x->ready_ms > y->ready_ms);
}

/* The attempt has not begun, so it does not count; ready_at stays, and with it the task's turn. */
static int go_back(struct scheduler *s, const struct open_task *t, struct db_change *out,
                   struct err *err)
{
    AUTO(bson_destroy)
    bson_t *set = BCON_NEW("fence", BCON_INT64(t->fence + 1), "attempt", BCON_INT64(t->attempt - 1),
                           "slot", BCON_NULL);
    return task_change(s, t, TASK_READY, set, NULL, out, err);
}

static void record_go_back(struct scheduler *s, struct open_task *t)
{
    struct slot *slot = slots_find(s, t->slot);
    if (slot != NULL) {
        slot->held = false; /* left: the next admission gives it back */
    }
    log_info("task_withdrawn", KV("task_id", t->id), KV("pool", t->pool));
    t->slot[0] = '\0';
    open_task_moved(t, TASK_READY, -1);
}

static int go_back_all(struct scheduler *s, struct open_task **tasks, size_t n, struct err *err)
{
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < n; i++) {
        struct db_change change = {0};
        if (go_back(s, tasks[i], &change, err) != 0 || db_batch_add(&changes, change, err) != 0) {
            return -1;
        }
    }
    int rc = db_batch_write(&changes, s->db, DB_TASKS, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (changes.items[i].won) {
            record_go_back(s, tasks[i]);
        } else {
            s->dispatch.cache_valid = false; /* a worker was faster */
        }
    }
    return rc;
}

/* model: withdraw */
static int withdraw_from(struct scheduler *s, const struct pool *p, struct err *err)
{
    int64_t surplus = slots_taken(p) - p->size;
    if (surplus <= 0) {
        return 0;
    }
    AUTO(free) struct open_task **tasks = calloc(s->dispatch.n_open + 1, sizeof *tasks);
    if (tasks == NULL) {
        return err_no_memory(err);
    }
    size_t found = 0;
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        if (may_go_back(&s->dispatch.open[i], p)) {
            tasks[found++] = &s->dispatch.open[i];
        }
    }
    qsort(tasks, found, sizeof(struct open_task *), last_turn_first);
    return go_back_all(s, tasks, found < (size_t)surplus ? found : (size_t)surplus, err);
}

int withdraw_surplus(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_pools; i++) {
        if (withdraw_from(s, &s->dispatch.pools[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}
