/*
 * target.c - one file at the target. O_DIRECT where the file system has it: the copy then neither
 * fills the page cache nor is read back from it. Where it has not (the open or the first write says
 * EINVAL), ordinary writes, and the page cache is emptied of them before the read-back.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "workers/copy/engine/internal.h"

#define HUGE_PAGE ((size_t)2 << 20)

static int open_at(struct place at, int flags)
{
    int fd = openat(at.dir, at.name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EACCES && (flags & O_ACCMODE) != O_RDONLY &&
        fchmodat(at.dir, at.name, 0600, 0) == 0) { /* read-only already: an adopted part */
        fd = openat(at.dir, at.name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    return fd;
}

int target_open(struct target *t, bool direct, struct place at, int flags)
{
    atomic_store(&t->direct, direct);
    t->fd = direct ? open_at(at, flags | O_DIRECT) : -1;
    if (t->fd < 0 && (!direct || errno == EINVAL)) {
        atomic_store(&t->direct, false);
        t->fd = open_at(at, flags);
    }
    return t->fd < 0 ? -1 : 0;
}

void target_close(struct target *t)
{
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

/* The file system took the open but not the request: go on without O_DIRECT. */
static bool give_up_direct(struct target *t)
{
    if (errno != EINVAL || !atomic_load(&t->direct)) {
        return false;
    }
    int flags = fcntl(t->fd, F_GETFL);
    if (flags < 0 || fcntl(t->fd, F_SETFL, flags & ~O_DIRECT) != 0) {
        errno = EINVAL;
        return false;
    }
    atomic_store(&t->direct, false);
    return true;
}

static size_t padded(size_t len)
{
    return (len + COPY_ALIGN - 1) & ~(COPY_ALIGN - 1);
}

int target_write(struct target *t, unsigned char *buf, size_t len, int64_t at)
{
    memset(buf + len, 0, padded(len) - len);
    size_t done = 0;
    while (done < len) {
        size_t want = (atomic_load(&t->direct) ? padded(len) : len) - done;
        ssize_t n = pwrite(t->fd, buf + done, want, at + (int64_t)done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            errno = EIO;
            return -1;
        } else if (errno != EINTR && !give_up_direct(t)) {
            return -1;
        }
    }
    return 0;
}

ssize_t target_read(struct target *t, unsigned char *buf, size_t len, int64_t at)
{
    size_t done = 0;
    while (done < len) {
        size_t want = (atomic_load(&t->direct) ? padded(len) : len) - done;
        ssize_t n = pread(t->fd, buf + done, want, at + (int64_t)done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            break;
        } else if (errno != EINTR && !give_up_direct(t)) {
            return -1;
        }
    }
    return (ssize_t)(done < len ? done : len);
}

size_t target_want(int64_t left)
{
    return left >= 0 && left < (int64_t)COPY_BLOCK ? padded((size_t)left + 1) : COPY_BLOCK;
}

static bool cached(int fd, int64_t at, size_t len)
{
    enum { PAGE = 4096 };
    static_assert(COPY_BLOCK % PAGE == 0, "blocks are whole pages");
    unsigned char resident[COPY_BLOCK / PAGE];
    bool any = false;
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, at);
    if (map == MAP_FAILED) {
        return true;
    }
    if (mincore(map, len, resident) != 0) {
        any = true;
    }
    for (size_t i = 0; !any && i < (len + PAGE - 1) / PAGE; i++) {
        any = (resident[i] & 1) != 0;
    }
    munmap(map, len);
    return any;
}

bool target_drop(struct target *t, int64_t at, int64_t len)
{
    if (posix_fadvise(t->fd, at, len, POSIX_FADV_DONTNEED) != 0) {
        return false;
    }
    for (int64_t end = at + len; at < end; at += (int64_t)COPY_BLOCK) {
        size_t n = end - at < (int64_t)COPY_BLOCK ? (size_t)(end - at) : COPY_BLOCK;
        if (cached(t->fd, at, n)) {
            return false;
        }
    }
    return true;
}

struct buffers *buffers_new(size_t n_blocks, struct err *err)
{
    AUTO(buffers_free) struct buffers *b = calloc(1, sizeof *b);
    size_t size = (n_blocks * COPY_BLOCK + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    unsigned char *raw = b == NULL ? MAP_FAILED
                                   : mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        ERR(err, ERR_TRANSIENT, ENOMEM, "out of memory for buffers of %zu bytes", size);
        return NULL;
    }
    size_t before = (HUGE_PAGE - (uintptr_t)raw % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) {
        munmap(raw, before);
    }
    munmap(raw + before + size, HUGE_PAGE - before);
    b->data = raw + before;
    b->size = size;
    if (n_blocks > 1) { /* one is for small files: only what they touch should be zeroed */
        (void)madvise(b->data, size, MADV_HUGEPAGE); /* small pages only cost speed */
    }
    return TAKE(b);
}

void buffers_free(struct buffers *b)
{
    if (b != NULL) {
        if (b->data != NULL) {
            munmap(b->data, b->size);
        }
        free(b);
    }
}

ssize_t read_full(int fd, unsigned char *buf, size_t len, int64_t at)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, buf + done, len - done, at + (int64_t)done);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)done;
}

bool is_marked_last(const struct copy *c, const struct entry *e)
{
    return c->traits.smb && !e->is_dir && *e->rel == '\0' && (e->id.mode & 0222) == 0;
}

int apply_metadata(const struct copy *c, int fd, const struct entry *e)
{
    const struct timespec times[2] = {e->id.atime, e->id.mtime};
    mode_t mode = (e->id.mode & 0777) | (is_marked_last(c, e) ? S_IWUSR : 0);
    if (fchmod(fd, mode) != 0 && errno != EPERM && errno != EOPNOTSUPP) {
        return -1; /* a share without modes refuses them: the bytes matter more */
    }
    return futimens(fd, times) == 0 || errno == EPERM || errno == EOPNOTSUPP ? 0 : -1;
}

int target_rename_new(struct copy *c, const char *from, const char *to)
{
    const struct fs_name old = {c->target_fd, from}, new = {c->target_fd, to};
    int64_t until = mono_ms() + COPY_PATIENCE_MS;
    int rc;
    while ((rc = fs_rename_new(&old, &new)) != 0 && crew_again(c, errno, until)) {
    }
    return rc;
}

int target_err(const struct copy *c, const struct entry *e, const char *what, struct err *err)
{
    int code = errno;
    char shown[COPY_SHOWN_ROOM] = "";
    if (e != NULL) {
        entry_shown(c, e, shown);
    }
    if (code == ENOSPC || code == EDQUOT) {
        return ERR(err, ERR_HOLD, code, "target full while copying %s: free space on %s (%s)",
                   e != NULL ? shown : c->plan->name, c->target_path, strerror(code));
    }
    /* What was there a moment ago is gone: the share, or somebody cleared up under our hands. */
    enum err_kind kind = code == ENOENT || code == ENOTDIR ? ERR_TRANSIENT : fs_share_kind(code);
    return ERR(err, kind, code, "target %s: %s %s: %s", c->target_path, what, shown,
               strerror(code));
}
