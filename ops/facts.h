/*
 * facts.h - the present state (workers, pools, slots, tasks), read for a command that explains or
 * lists.
 */
#ifndef OPS_FACTS_H
#define OPS_FACTS_H
#include "ops/alive.h"
#include "ops/why.h"

struct facts {
    struct alive alive;
    struct docs *pools;
    struct docs *slots; /* the taken ones */
};
int facts_read(const struct ops *o, struct facts *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void facts_free(struct facts *f) __attribute__((nonnull));

/* The tasks that are ready or hold a slot, of the pools named by the keys of pools, with the fields
 * that queue.h and why_pool need; docs_free. */
struct docs *facts_open_tasks(const struct ops *o, const bson_t *pools, struct err *err) OWNED
    __attribute__((nonnull));
/* The tasks of a raw file, oldest first; docs_free. */
struct docs *facts_tasks_of(const struct ops *o, const char *raw_file, struct err *err) OWNED
    __attribute__((nonnull));
/* The metrics of a raw file, newest first; docs_free. */
struct docs *facts_metrics_of(const struct ops *o, const char *raw_file, struct err *err) OWNED
    __attribute__((nonnull));
/* An instrument by its id; NULL when its file cannot be read (*err says why). instrument_free. */
struct instrument *facts_instrument(const struct ops *o, const char *id, struct err *err) OWNED
    __attribute__((nonnull));
/* The job of a quantification task, as text in buf; "" when there is none yet. */
const char *facts_job_id(const bson_t *task, char buf[static 32]) __attribute__((nonnull));
/* How many of slots belong to pool. */
int64_t facts_slots_taken(const struct docs *slots, const char *pool) __attribute__((nonnull));
#endif
