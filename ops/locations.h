/*
 * locations.h - the configured locations and instruments, and their states.
 */
#ifndef OPS_LOCATIONS_H
#define OPS_LOCATIONS_H
#include "common/db/docs.h"
#include "common/mount/mount_probe.h"
#include "ops/ops.h"

struct locations_walk {
    const char *const *names; /* as people type them: "backup", "astral1", "instrument/astral1" */
    size_t n;                 /* 0: all */
    /* Called for each. Any result but 0 stops. */
    int (*visit)(void *ctx, const struct mount_need *need, struct err *err);
    /* Called for each instrument whose file cannot be read; may be NULL. */
    void (*left_out)(const char *id, const struct err *why);
    void *ctx;
};
/* -1 when visit stopped; ERR_MISSING when a name is neither a location with a path nor an
 * instrument whose file can be read. */
int locations_each(const struct ops *o, const struct locations_walk *walk, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* A location's state as a document of the collection "mounts"; bson_destroy. */
bson_t *locations_doc(const char *host, const struct mounts_view *v) OWNED __attribute__((nonnull));
/* Whether the state in such a document is a good one. */
bool locations_well(const bson_t *doc) __attribute__((nonnull));
#endif
