/* why_pool.c - what a pool is doing, and what its next task waits for. */
#include <inttypes.h>
#include <string.h>

#include "common/task/kinds.h"
#include "common/task/task.h"
#include "ops/facts.h"
#include "ops/why.h"

static int64_t count_ready(const struct why_facts *f, const char *pool, bool due)
{
    int64_t n = 0;
    for (size_t i = 0; f->queue.open != NULL && i < f->queue.open->n; i++) {
        const bson_t *t = f->queue.open->items[i];
        n += strcmp(doc_str(t, "pool", ""), pool) == 0 &&
             strcmp(doc_str(t, "state", ""), "ready") == 0 &&
             (task_not_before_ms(t, f->now_ms) <= f->now_ms) == due;
    }
    return n;
}

void why_pool(const struct why_facts *f, const bson_t *pool, struct why *out)
{
    const char *id = doc_str(pool, "_id", "?");
    int64_t slots = doc_i64(pool, "slots", 0), used = facts_slots_taken(f->slots, id);
    int64_t due = count_ready(f, id, true), later = count_ready(f, id, false);
    *out = (struct why){.reason = WHY_PLANNING};
    if (why_pool_holds(f, pool, out)) {
        size_t n = strlen(out->what);
        snprintf(out->what + n, sizeof out->what - n, "; %" PRId64 " wait", due);
        return;
    }
    if (due == 0) {
        why_set(out, WHY_DONE, "%" PRId64 " of %" PRId64 " slots are taken, and nothing waits%s",
                used, slots, later > 0 ? " for one" : "");
        if (later > 0) {
            why_set_next(out, "%" PRId64 " are not due yet: trawl task ls --state ready", later);
        }
        return;
    }
    if (why_no_leader(f, out) || why_no_worker(f, task_kind_of_pool(id), out)) {
        return;
    }
    why_set(out, WHY_QUEUED, "%" PRId64 " of %" PRId64 " slots are taken, %" PRId64 " wait", used,
            slots, due);
    why_set_next(out,
                 "to see what one waits for (its instrument's cap, a thread): trawl why <task>");
}
