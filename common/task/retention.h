/*
 * retention.h - what is due to go because of its age ([retention]): the leader removes it
 * (scheduler/retention.c), `trawl retention` counts it. Nothing that proves a backup is among it.
 */
#ifndef COMMON_TASK_RETENTION_H
#define COMMON_TASK_RETENTION_H
#include <bson/bson.h>

#include "common/config/config.h"
#include "common/db/db.h"

enum retention_kind {
    RETENTION_TASKS, /* done: they get thin, and stay (docs/data-model/task.md) */
    RETENTION_AUDIT, /* written to a file first */
    RETENTION_ALERTS,
    RETENTION_MOUNTS,
    RETENTION_TOMBSTONES, /* of the index: contributions that are no more */
    RETENTION_KIND_COUNT
};

struct retention_rule {
    const char *name; /* also the `_id` of its document in DB_RETENTION */
    const char *coll;
    int64_t days; /* 0: kept for ever */
};
struct retention_rule retention_rule_of(const struct config *cfg, enum retention_kind kind)
    __attribute__((nonnull));

/* Matches what is due at now_ms, and is served by an index. seen: the kind's document in
 * DB_RETENTION, or NULL; its "to" is how far earlier rounds have come. bson_destroy. */
bson_t *retention_due(const struct config *cfg, enum retention_kind kind, const bson_t *seen,
                      int64_t now_ms) OWNED __attribute__((nonnull(1)));

/* Add n to what was done of this kind; to_ms > 0: all that ended before it has been looked at. */
int retention_note(struct db *db, const struct retention_rule *r, int64_t n, int64_t to_ms,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
