/*
 * manifest.h - the files that list a backup's hashes, for xxhsum -c, md5sum -c and sha256sum -c.
 * Pure; any thread.
 */
#ifndef COMMON_RAW_MANIFEST_H
#define COMMON_RAW_MANIFEST_H
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/own.h"

/* The name, in the folder of the backup, of a raw file's manifest; suffix is "xxh3" or a digest's
 * name. raw_file is the id in bytes. */
#define MANIFEST_NAME_ROOM 256
void manifest_name(const char *raw_file, const char *suffix, char out[static MANIFEST_NAME_ROOM])
    __attribute__((nonnull));

struct manifest_line {
    char hash[HASH_DIGEST_HEX]; /* lower case */
    char *path;                 /* bytes, relative to the manifest's folder */
};
struct manifest {
    struct manifest_line *lines; /* sorted by path */
    size_t n;
};
/* Parse lines of `<hash> <path>`. INVALID names the first line that is none. manifest_fini frees,
 * also after a failure. */
int manifest_parse(const char *text, size_t len, struct manifest *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void manifest_fini(struct manifest *m) __attribute__((nonnull));
/* The hash listed for a path; NULL when there is none. */
const char *manifest_find(const struct manifest *m, const char *path) __attribute__((nonnull));
#endif
