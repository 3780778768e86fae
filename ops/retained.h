/*
 * retained.h - what is kept for how long, what of it is due to go, and what has gone.
 */
#ifndef OPS_RETAINED_H
#define OPS_RETAINED_H
#include "common/db/doc_json.h"
#include "common/task/retention.h"
#include "ops/ops.h"

struct retained {
    struct retention_rule rule;
    int64_t due, gone, at_ms; /* at_ms: when something of it last went; 0: nothing has */
};

/* One of each kind, in their order. -1 with *err set. */
int retained_read(const struct ops *o, struct retained out[RETENTION_KIND_COUNT], struct err *err)
    __attribute__((nonnull, warn_unused_result));
json_t *retained_json(const struct retained *r) OWNED __attribute__((nonnull));
#endif
