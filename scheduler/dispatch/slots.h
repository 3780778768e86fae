/*
 * slots.h - pools and their slots as the leader remembers them between two full passes. Brain
 * thread only.
 *
 * A slot is a document that only a leader writes. Every write is guarded by the task that the
 * leader believes to hold the slot, so a wrong belief changes nothing, and the next pass, a full
 * one, reads the slots again.
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
    bool admission_seen; /* its task was seen to name it: no admission to it can be on its way */
    bool held;           /* its task names it, as the open tasks were last read */
};

struct pool {
    char name[64];
    int64_t size;
    struct slot *slots; /* also above the size, after it was made smaller */
    int64_t n_slots;
};

/* Read all pools and slots, and make the slots that are missing. */
int slots_load(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
void slots_clear(struct dispatch *d);
/* Learn from s->dispatch.open which slots are held. After all tasks were read, ask by id for the
 * tasks of slots that seem left, so that no slot counts as left because of a gap in the list. */
int slots_mark(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* Once a lease, after slots_load: all slots get this leader's epoch, so that an older leader that
 * wakes up takes none. */
int slots_stamp(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));
/* Free the slots that no task names back and to which an admission may still be on its way. Asks
 * the database, so it belongs to full passes, after slots_mark. */
int slots_reap(struct scheduler *s, struct err *err) __attribute__((warn_unused_result));

/* The slot that a task names; NULL when there is none. */
struct slot *slots_find(const struct scheduler *s, const char *name);
void slots_name(const struct pool *p, int64_t n, char out[static SLOT_NAME_MAX]);
/* Whether it is taken, but its task does not hold it. */
bool slot_is_left(const struct slot *slot);
bool slot_is_free(const struct slot *slot);
/* How many are taken and not left; may exceed the size after the pool was made smaller. */
int64_t slots_taken(const struct pool *p);
/* Give a free or left slot to the task (with its next fence), or, without a task, free it. Not
 * written yet, for db_update_all; then pass the result to slot_changed. */
struct slot_to {
    const char *task;
    int64_t fence, epoch;
};
struct db_change slot_change(const struct slot *slot, const char *name, struct slot_to to);
/* Remember the result of slot_change. won = false: the cache is wrong about it. -1: out of memory.
 */
int slot_changed(struct scheduler *s, struct slot *slot, const char *task, int64_t fence, bool won,
                 struct err *err) __attribute__((warn_unused_result));
#endif
