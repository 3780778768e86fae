/*
 * mount_probe.h - the locations that a process uses, each looked at by a thread of its own.
 *
 * A look at a share may hang for ever in the kernel. So a caller only waits for the location's
 * thread, at most deadline_ms; while that thread is stuck every caller gets its answer at once.
 * Threads: all calls from any thread; mounts_free once, from the owner.
 */
#ifndef COMMON_MOUNT_MOUNT_PROBE_H
#define COMMON_MOUNT_MOUNT_PROBE_H
#include "common/base/own.h"
#include "common/config/config.h"
#include "common/db/db.h"
#include "common/mount/mount.h"

struct mounts; /* opaque; defined in mount_probe.c */

struct mounts_options {
    /* What is expected of the location that need names; location_expect, or a test's. */
    int (*expect)(void *ctx, const struct mount_need *need, struct mount_expect *out,
                  struct err *err);
    void *ctx;
    void (*prove)(const struct mount_expect *e, bool probe_write, struct mount_proof *out);
    bool require;           /* [mount] require */
    int64_t deadline_ms;    /* [mount] deadline_ms */
    int64_t min_free_bytes; /* [mount] min_free_mib */
};
/* NULL and FATAL when memory is short. Freed with mounts_free; a thread that is stuck in the kernel
 * is left behind with its own memory. */
struct mounts *mounts_open(const struct mounts_options *o, struct err *err) OWNED
    __attribute__((nonnull));
/* As configured: expectations from MongoDB for this host, looks by mount_prove. */
struct mounts *mounts_new(const struct config *cfg, struct db *db, struct err *err) OWNED
    __attribute__((nonnull));
void mounts_free(struct mounts *m);
/* No look begins any more, and nobody waits for one: who does gets ERR_HOLD at once. Before the
 * threads that call are joined. */
void mounts_stop(struct mounts *m) __attribute__((nonnull));
AUTO_DEFINE(struct mounts, mounts_free);

/* 0 when the location may be used as need says; else -1 and ERR_HOLD, one clear message, the code
 * being its status (MOUNT_OK when what is expected of it cannot be learned). */
int mounts_check(struct mounts *m, const struct mount_need *need, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* A location as its last look showed it. */
struct mounts_view {
    const char *location, *path, *detail;
    enum mount_status status;
    bool initialised;
    int64_t free_bytes, total_bytes; /* -1: not known */
    int64_t since_ms;                /* wall clock: when it got this status */
};
/* Look at one location for its status, whatever it is, and show it. -1 only when memory is short.
 */
int mounts_look(struct mounts *m, const struct mount_need *need,
                void (*show)(void *ctx, const struct mounts_view *v), void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 3, 5), warn_unused_result));
/* Start a look and do not wait, so that many hung shares cost one deadline together. */
void mounts_ask(struct mounts *m, const struct mount_need *need) __attribute__((nonnull));
/* Every location that was ever asked for, without looking again. */
void mounts_each(struct mounts *m, void (*show)(void *ctx, const struct mounts_view *v), void *ctx)
    __attribute__((nonnull(1, 2)));
/* Whether any status has changed since the last call. */
bool mounts_changed(struct mounts *m) __attribute__((nonnull));
#endif
