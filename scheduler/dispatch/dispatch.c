/* dispatch.c - one step of dispatching, in the order in which slots become free and are given. */
#include "scheduler/dispatch/dispatch.h"

#include "common/base/clock.h"
#include "scheduler/scheduler.h"

#define SLOTS_MS 250 /* how old what we know of pools may get while steps follow each other */

/* Read the slots, and mark those that the open tasks hold. */
static int load_slots(struct scheduler *s, bool all, struct err *err)
{
    struct dispatch *d = &s->dispatch;
    bool first = d->stamped_epoch != lease_epoch(s->lease);
    if (all || first || mono_ms() - d->slots_read_ms >= SLOTS_MS) {
        if (slots_load(s, err) != 0 || (first && slots_stamp(s, err) != 0)) {
            return -1;
        }
        d->slots_read_ms = mono_ms();
    }
    if (slots_mark(s, err) != 0) {
        return -1;
    }
    return all ? slots_reap(s, err) : 0;
}

int dispatch_step(struct scheduler *s, bool all, struct err *err)
{
    return reap_tasks(s, err) != 0 || load_slots(s, all, err) != 0 ||
                   withdraw_surplus(s, err) != 0 || admit_tasks(s, err) != 0 ||
                   publish_tasks(s, err) != 0
               ? -1
               : 0;
}

void dispatch_fini(struct dispatch *d)
{
    open_tasks_clear(d);
    slots_clear(d);
    for (size_t i = 0; i < d->n_published; i++) {
        free(d->published[i].task);
    }
    free(d->published);
    free(d->groups);
    free(d->workers);
}
