/*
 * mount.h - whether a location's path really is the share that it should be.
 *
 * A location ("backup", "output", "instrument/<id>") carries a small identity file at its root,
 * written by `trawl mount init`; what is expected of it is in MongoDB (location.h). Looking at a
 * share may hang for ever: only mount_probe.c calls mount_prove, from a thread that may be lost.
 */
#ifndef COMMON_MOUNT_MOUNT_H
#define COMMON_MOUNT_MOUNT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define MOUNT_FILE         ".trawl-location"
#define MOUNT_LOCATION_MAX 64
#define MOUNT_PATH_MAX     1024
#define MOUNT_UUID_MAX     37
#define MOUNT_SOURCE_MAX   512
#define MOUNT_OPTIONS_MAX  1024

enum mount_status {
    MOUNT_OK,
    MOUNT_UNINITIALISED, /* `trawl mount init` has never been run for it */
    MOUNT_MISSING,       /* no such folder, or nothing is mounted there any more */
    MOUNT_EMPTY,         /* no identity file */
    MOUNT_WRONG,         /* the identity, or the server, is another one */
    MOUNT_READ_ONLY,
    MOUNT_STALE, /* it is there, but gives errors */
    MOUNT_HANGS,
    MOUNT_FULL,
    MOUNT_STATUS_COUNT
};
/* "ok", "uninitialised", "missing", ...: as stored and shown. */
const char *mount_status_name(enum mount_status s) __attribute__((returns_nonnull));

/* --- the identity file: {"v":1,"location":"backup","uuid":"…","made_at":"…","by":"user@host"} ---
 */

struct mount_identity {
    char location[MOUNT_LOCATION_MAX];
    char uuid[MOUNT_UUID_MAX];
    char by[128];
};
/* Pure, bounded, fuzzed. INVALID for what is no identity. */
int mount_identity_parse(const char *text, size_t len, struct mount_identity *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The identity at the root of path. *found = false when there is no file. */
int mount_identity_read(const char *path, struct mount_identity *out, bool *found, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int mount_identity_write(const char *path, const struct mount_identity *id, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* A new random uuid. */
void mount_uuid(char out[static MOUNT_UUID_MAX]);

/* --- where a path lies --- */

struct mount_place {
    char point[MOUNT_PATH_MAX]; /* of the file system; "/" for what is not mounted by itself */
    char source[MOUNT_SOURCE_MAX];
    char fstype[64];
    char options[MOUNT_OPTIONS_MAX]; /* with commas: the mount's, then the file system's */
};
/* By /proc/self/mountinfo. */
int mount_find(const char *path, struct mount_place *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same from the text of a mountinfo file; path is absolute and resolved. Pure. */
int mount_find_in(const char *mountinfo, const char *path, struct mount_place *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* --- proof --- */

struct mount_expect {
    char location[MOUNT_LOCATION_MAX];
    char path[MOUNT_PATH_MAX];
    bool initialised; /* the location is known: uuid is demanded */
    char uuid[MOUNT_UUID_MAX];
    bool placed; /* place is how this path was mounted on this host when it was initialised */
    struct mount_place place;
};

struct mount_proof {
    enum mount_status status; /* never READ_ONLY or FULL: mount_judge decides those by the need */
    char detail[200];         /* what is wrong; "" when nothing is */
    bool initialised;
    int write_errno; /* why nothing can be written there; 0: it can be, or nobody asked */
    bool no_inodes;
    int64_t free_bytes, total_bytes; /* -1: not known */
};
/* Look; may block as long as the file system does. With probe_write a file is made and removed, but
 * only in a location that is proven. */
void mount_prove(const struct mount_expect *e, bool probe_write, struct mount_proof *out)
    __attribute__((nonnull));

struct mount_need {
    const char *location, *path;
    bool write;
    int64_t bytes;      /* room that must be there when it is written to */
    int64_t max_age_ms; /* an older result is not good enough; 0: look now */
};
/* The one status that counts for this need; detail gets its reason. Pure. */
enum mount_status mount_judge(const struct mount_proof *p, const struct mount_need *n, bool require,
                              char detail[static 200]) __attribute__((nonnull));
/* What would put it right; "" for MOUNT_OK. */
void mount_remedy(enum mount_status s, const struct mount_need *n, char out[static 160])
    __attribute__((nonnull));
/* ERR_HOLD with location, path, what is wrong, and the remedy; the code is the status. Always -1.
 */
int mount_refuse(enum mount_status s, const struct mount_need *n, const char *detail,
                 struct err *err) __attribute__((nonnull, cold));
#endif
