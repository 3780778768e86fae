/*
 * slots.h - pools and their slots as the leader remembers them between two full passes. Brain
 * thread only.
 *
 * A slot is a document that only a leader writes. Every write is guarded by the task that is
 * remembered to hold it, so what has become wrong takes no effect, and the next pass, a full one,
 * reads anew.
 */
#ifndef SCHEDULER_DISPATCH_SLOTS_H
#define SCHEDULER_DISPATCH_SLOTS_H
#include <stdbool.h>
#include <stdint.h>

#include "common/db/db.h"

struct dispatch;
struct scheduler;

#define SLOT_NAME_MAX 96

struct slot {
    char *task; /* NULL: free */
    int64_t fence;
    bool there;          /* its document exists */
    bool admission_seen; /* its task was seen to name it, so no admission to it is on its way any
                            more */
    bool held;           /* its task names it, as the open tasks were last read */
};

struct pool {
    char name[64];
    int64_t size;
    struct slot *slots; /* also above the size, after it was made smaller */
    int64_t n_slots;
};

/* Read all pools and slots; makes the slots that are missing. */
int slots_load(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
void slots_clear(struct dispatch *d);
/* Learn from s->dispatch.open which slots are held. After all tasks were read, those that hold a
 * slot and are missing are asked for by name: no slot counts as left because of a gap in the list.
 */
int slots_mark(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* Once a lease, after slots_load: all slots get this leader's epoch, so that an older one that
 * wakes up takes none. */
int slots_stamp(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* Free the slots that no task names back and to which an admission may still be on its way. Asks
 * the database, so it belongs to full passes, after slots_mark. */
int slots_reap(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));

/* The slot that a task names; NULL when there is none. */
struct slot *slots_find(const struct scheduler *s, const char *name);
void slots_name(const struct pool *p, int64_t n, char out[static SLOT_NAME_MAX]);
/* Whether it is taken, but its task has left it. */
bool slot_is_left(const struct slot *slot);
bool slot_is_free(const struct slot *slot);
/* How many are taken and not left; more than the size after the pool was made smaller. */
int64_t slots_taken(const struct pool *p);
/* From free or left to the task (its next fence), or, without one, to free. Not yet made: for
 * db_update_all; after it slot_changed says how it went. */
struct slot_to {
    const char *task;
    int64_t fence, epoch;
};
struct db_change slot_change(const struct slot *slot, const char *name, struct slot_to to);
/* -1 when memory is short. Without won the slot is not known any more. */
int slot_changed(struct scheduler *s, struct slot *slot, const char *task, int64_t fence, bool won,
                 struct err *err) __attribute__((warn_unused_result));
#endif
