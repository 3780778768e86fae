/*
 * verify_source.h - trawl verify --source: compares the original of one raw file, where it is now,
 * with the record of its backup, and records the result.
 */
#ifndef OPS_VERIFY_SOURCE_H
#define OPS_VERIFY_SOURCE_H
#include "common/mount/mount_probe.h"
#include "ops/ops.h"
#include "ops/verify.h"

struct verify_source {
    const struct ops *ops;
    bool log; /* log an original that differs, because nobody watches the screen */
    struct mounts *mounts;
    struct rehash *hash;
};
/* Fills one's n, bad, state and why. *skip = true: there is nothing to compare now; why has the
 * reason. -1 with ERR_HOLD when the instrument's share is not proven, ERR_INVALID for a document
 * that cannot be used. */
int verify_source(const struct verify_source *v, const bson_t *raw, struct verify_one *one,
                  bool *skip, struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
