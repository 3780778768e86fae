/*
 * mount_traits.h - what follows from a file system's type and mount options. Pure; any thread.
 */
#ifndef COMMON_MOUNT_MOUNT_TRAITS_H
#define COMMON_MOUNT_MOUNT_TRAITS_H
#include "common/mount/mount.h"

struct mount_traits {
    bool smb;         /* a share of Windows' kind: names with a dot are hidden, others hold files */
    bool local_locks; /* flock(2) is known to this host, or this mount, only */
    bool plain_names; /* what SMB cannot write in a name is not written in another form, either */
};
struct mount_traits mount_traits(const struct mount_place *p) __attribute__((nonnull));

/* Options that hurt, each in one line with what to do instead. watched: files grow there and are
 * looked at. */
#define MOUNT_WARNINGS_MAX 8
struct mount_warnings {
    char text[MOUNT_WARNINGS_MAX][160];
    size_t n;
};
void mount_warn(const struct mount_place *p, bool watched, struct mount_warnings *out)
    __attribute__((nonnull));
#endif
