/*
 * rehash.h - read a file again and hash it: from the disk and not from the page cache, where the
 * file system can. One struct rehash belongs to one thread.
 */
#ifndef COMMON_BASE_REHASH_H
#define COMMON_BASE_REHASH_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/own.h"

/* Called for every block that was read; check returns -1 with *err set to stop. Each may be NULL.
 */
struct rehash_hooks {
    int (*check)(void *ctx, struct err *err);
    void (*read)(void *ctx, int64_t bytes);
    void *ctx;
};

struct rehash_seen {
    int64_t size, mtime_ns, ctime_ns;
    struct hash_hex hex;
    bool from_disk; /* read with O_DIRECT; else the cache was asked to forget the file before */
};

struct rehash; /* opaque: the buffer and the hashers, used again for every file */

/* NULL and TRANSIENT when memory is short. Freed with rehash_free. */
struct rehash *rehash_new(const struct rehash_hooks *hooks, struct err *err) OWNED
    __attribute__((nonnull));
void rehash_free(struct rehash *r);
AUTO_DEFINE(struct rehash, rehash_free);

struct rehash_file {
    const char *root;     /* a folder */
    const char *relative; /* a safe path below it; no part of it may be a link */
    enum hash_digest digest;
};
/* -1: what is there is no regular file, cannot be read, or changed while it was read (INVALID,
 * EAGAIN), or a hook's error. err->code is the errno. */
int rehash_file(struct rehash *r, const struct rehash_file *f, struct rehash_seen *out,
                struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
