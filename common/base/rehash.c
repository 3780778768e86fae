/*
 * rehash.c - a file read again, from the disk where that is possible. The file is opened below its
 * root without following a link, with O_DIRECT where the file system takes it; else the page cache
 * is asked to forget the file first. Blocks of 1 MiB go to the hasher and to the hooks, which may
 * stop the reading.
 *
 * Size and time are compared before and after: a file that changed meanwhile has no hash (INVALID,
 * EAGAIN). The buffer and one hasher for each digest are kept for the next file.
 */
#include "common/base/rehash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/tree.h"

#define BLOCK ((size_t)1 << 20)
#define ALIGN ((size_t)4096)

struct rehash {
    struct rehash_hooks hooks;
    unsigned char *buf;
    struct hasher *hashers[HASH_DIGEST_COUNT]; /* made when first needed */
};

struct rehash *rehash_new(const struct rehash_hooks *hooks, struct err *err)
{
    AUTO(rehash_free) struct rehash *r = calloc(1, sizeof *r);
    void *buf = NULL;
    if (r == NULL || posix_memalign(&buf, ALIGN, BLOCK) != 0) {
        err_no_memory(err);
        return NULL;
    }
    r->buf = buf;
    r->hooks = *hooks;
    return TAKE(r);
}

void rehash_free(struct rehash *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < HASH_DIGEST_COUNT; i++) {
        hasher_free(r->hashers[i]);
    }
    free(r->buf);
    free(r);
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static int fail(const char *what, const struct rehash_file *f, struct err *err)
{
    char shown[TREE_SHOWN];
    int code = errno;
    return ERR(err, fs_errno_kind(code), code, "%s %s: %s", what, tree_shown(f->relative, shown),
               strerror(code));
}

/* O_NONBLOCK: a name may have become a pipe, and opening that would wait for its writer. */
static int open_file(const struct rehash_file *f, bool *direct)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    const char *base;
    int dir = tree_parent(f->root, f->relative, &base);
    if (dir < 0) {
        return -1;
    }
    int fd = openat(dir, base, flags | O_DIRECT);
    *direct = fd >= 0;
    if (fd < 0 && errno == EINVAL) {
        fd = openat(dir, base, flags);
    }
    int code = errno;
    close(dir);
    errno = code;
    return fd;
}

/* The file system took the open but not the read: go on without O_DIRECT. */
static bool give_up_direct(int fd, bool *direct)
{
    int flags = *direct && errno == EINVAL ? fcntl(fd, F_GETFL) : -1;
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_DIRECT) != 0) {
        errno = EINVAL;
        return false;
    }
    *direct = false;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return true;
}

static int take_block(struct rehash *r, struct hasher *h, size_t n, struct err *err)
{
    hasher_add(h, r->buf, n);
    if (r->hooks.read != NULL) {
        r->hooks.read(r->hooks.ctx, (int64_t)n);
    }
    return r->hooks.check != NULL ? r->hooks.check(r->hooks.ctx, err) : 0;
}

/* How much to ask for where so much should be left: O_DIRECT clears all that is asked for and not
 * there, which for a small file takes longer than its bytes. */
static size_t want_of(int64_t left)
{
    return left >= 0 && left < (int64_t)BLOCK ? ((size_t)left / ALIGN + 1) * ALIGN : BLOCK;
}

/* size: as it should be. out->size = the bytes that came. */
static int read_all(struct rehash *r, int fd, const struct rehash_file *f, int64_t size,
                    struct rehash_seen *out, struct err *err)
{
    struct hasher *h = r->hashers[f->digest];
    out->size = 0;
    for (;;) {
        ssize_t n = pread(fd, r->buf, want_of(size - out->size), out->size);
        if (n < 0 && (errno == EINTR || give_up_direct(fd, &out->from_disk))) {
            continue;
        }
        if (n < 0) {
            return fail("read", f, err);
        }
        out->size += n;
        if (n > 0 && take_block(r, h, (size_t)n, err) != 0) {
            return -1;
        }
        /* After a part of a block O_DIRECT could not read on; that there is no more is checked. */
        if (n == 0 || (out->from_disk && (size_t)n % ALIGN != 0)) {
            return 0;
        }
    }
}

static int read_open(struct rehash *r, int fd, const struct rehash_file *f, struct rehash_seen *out,
                     struct err *err)
{
    struct stat before, after;
    char shown[TREE_SHOWN];
    if (fstat(fd, &before) != 0) {
        return fail("look at", f, err);
    }
    if (!S_ISREG(before.st_mode)) {
        return ERR(err, ERR_INVALID, 0, "%s is no regular file", tree_shown(f->relative, shown));
    }
    if (!out->from_disk) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* only a hint */
    }
    hasher_reset(r->hashers[f->digest]);
    if (read_all(r, fd, f, before.st_size, out, err) != 0) {
        return -1;
    }
    if (fstat(fd, &after) != 0) {
        return fail("look at", f, err);
    }
    out->mtime_ns = ns_of(&after.st_mtim);
    out->ctime_ns = ns_of(&after.st_ctim);
    if (out->size != before.st_size || out->size != after.st_size ||
        out->mtime_ns != ns_of(&before.st_mtim)) {
        return ERR(err, ERR_INVALID, EAGAIN, "%s changed while it was read",
                   tree_shown(f->relative, shown));
    }
    hasher_hex(r->hashers[f->digest], &out->hex);
    return 0;
}

int rehash_file(struct rehash *r, const struct rehash_file *f, struct rehash_seen *out,
                struct err *err)
{
    *out = (struct rehash_seen){0};
    if (r->hashers[f->digest] == NULL &&
        (r->hashers[f->digest] = hasher_new(f->digest, err)) == NULL) {
        return -1;
    }
    int fd = open_file(f, &out->from_disk);
    if (fd < 0) {
        return fail("open", f, err);
    }
    int rc = read_open(r, fd, f, out, err);
    close(fd);
    return rc;
}
