/*
 * location.h - what MongoDB knows of locations: the identity that each must have, how each host has
 * it mounted, and how each host last saw it. docs/data-model.md describes the documents.
 */
#ifndef COMMON_MOUNT_LOCATION_H
#define COMMON_MOUNT_LOCATION_H
#include "common/config/config.h"
#include "common/db/db.h"
#include "common/mount/mount.h"
#include "common/mount/mount_probe.h"

#define LOCATION_INSTRUMENT "instrument/"

/* This host's name. */
void location_host(char *buf, size_t room) __attribute__((nonnull));
/* The path of "backup" or "output" for our processes; "" when not configured, NULL for another name
 * (an instrument's path is in its file). */
const char *location_path(const struct config *cfg, const char *location) __attribute__((nonnull));

/* What must be true of need's location on this host; not initialised when there is no document. */
int location_expect(struct db *db, const char *host, const struct mount_need *need,
                    struct mount_expect *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct location_init {
    const char *location, *path, *host, *by;
    const char *reason; /* "" for none */
    bool replace;       /* this share takes the place of what was known before */
};
struct location_made {
    char uuid[MOUNT_UUID_MAX];
    bool written; /* the identity file is new; false: it was there */
    struct mount_place place;
};
/*
 * Give the share an identity, or take over the one that it has, and demand it from now on. May run
 * any number of times, and again after having been cut off. INVALID, with nothing changed, when the
 * share belongs to another location or the location to another share, unless replace says so.
 * Blocks as long as the file system does.
 */
int location_init(struct db *db, const struct location_init *in, struct location_made *out,
                  struct err *err) __attribute__((nonnull, warn_unused_result));

/* Note how this host sees a location. */
int location_report(struct db *db, const char *host, const struct mounts_view *v, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
