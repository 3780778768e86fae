/*
 * wake.h - what wakes the brain: raised by events and instrument threads, taken by the brain.
 * Private to scheduler/; any thread.
 */
#ifndef SCHEDULER_WAKE_H
#define SCHEDULER_WAKE_H
#include <bson/bson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bus/bus.h"

struct wake {
    pthread_mutex_t lock;
    pthread_cond_t raised;
    bool any;        /* lock */
    bool everything; /* lock: make a full pass, not only over the touched raw files */
    bool stop;       /* lock */
    bson_t touched;  /* lock: keys are raw file ids */
};
void wake_init(struct wake *w);
void wake_fini(struct wake *w);
void wake_raise(struct wake *w, const char *raw_file /* NULL: everything */);
void wake_stop(struct wake *w);
bool wake_is_stopping(struct wake *w);

struct wake_news {
    bool everything;
    bson_t touched;
};
/* Wait until raised or timeout; moves touched out (initialised by the callee). Returns false when
 * stopping. */
bool wake_take(struct wake *w, int64_t timeout_ms, struct wake_news *news);
bus_msg_fn wake_on_event; /* ctx: struct scheduler */
#endif
