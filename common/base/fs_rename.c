/*
 * fs_rename.c - a new name that nobody else can get at the same time.
 *
 * RENAME_NOREPLACE is kept by the kernel where the names are kept: on a local disk. A client of SMB
 * looks whether the name is free and then asks its server to replace; what is behind FUSE may do
 * the same. There link(2) is exclusive: of two hosts one gets EEXIST. So a file gets a second name
 * and loses the first. A folder has one name only; its rename refuses what is not empty by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/base/fs.h"

#define CIFS_MAGIC 0xff534d42U
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42U
#endif

static bool may_replace(const struct fs_name *n)
{
    struct statfs fs;
    int fd = openat(n->dir, n->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool known = fd >= 0 && fstatfs(fd, &fs) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (!known) {
        return true;
    }
    switch ((unsigned)fs.f_type) {
    case CIFS_MAGIC:
    case SMB2_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

/* The file system has not got such a call. EPERM: it has no links, or not for this file. */
static bool cannot(int code)
{
    return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
}

static bool cannot_link(int code)
{
    return cannot(code) || code == EPERM || code == EMLINK;
}

/* As the server says: Linux' client of SMB remembers one name for a file that it has opened. */
static bool look_at(const struct fs_name *n, struct statx *st)
{
    return statx(n->dir, n->name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
                 st) == 0 &&
           S_ISREG(st->stx_mode);
}

bool fs_same_file(const struct fs_name *a, const struct fs_name *b)
{
    struct statx x, y;
    return look_at(a, &x) && look_at(b, &y) && x.stx_dev_major == y.stx_dev_major &&
           x.stx_dev_minor == y.stx_dev_minor && x.stx_ino == y.stx_ino && x.stx_nlink > 1 &&
           x.stx_nlink == y.stx_nlink && x.stx_size == y.stx_size;
}

/* Also when an earlier call was cut off between the two. */
static int link_and_unlink(const struct fs_name *from, const struct fs_name *to)
{
    if (linkat(from->dir, from->name, to->dir, to->name, 0) != 0) {
        if (errno != EEXIST) {
            return -1;
        }
        if (!fs_same_file(from, to)) {
            errno = EEXIST;
            return -1;
        }
    }
    return unlinkat(from->dir, from->name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

int fs_mark_read_only(const struct fs_name *n, mode_t mode)
{
    struct stat st;
    return fstatat(n->dir, n->name, &st, AT_SYMLINK_NOFOLLOW) == 0
               ? fchmodat(n->dir, n->name, mode & 0777, 0)
               : -1;
}

/* Linux' client of SMB takes the read-only mark off a file that loses a name, and hides it instead,
 * so the mark is off while the names change. Where it cannot be set again the bytes matter more. */
static int by_link(const struct fs_name *from, const struct fs_name *to, mode_t mode)
{
    bool marked = (mode & 0222) == 0;
    if (marked) {
        (void)!fchmodat(from->dir, from->name, (mode & 0777) | S_IWUSR, 0);
    }
    int rc = link_and_unlink(from, to), code = errno;
    if (marked) {
        (void)!fs_mark_read_only(rc == 0 ? to : from, mode);
    }
    errno = code;
    return rc;
}

int fs_rename_new(const struct fs_name *from, const struct fs_name *to)
{
    struct stat st;
    if (fstatat(from->dir, from->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return -1;
    }
    bool file = S_ISREG(st.st_mode), link_first = file && may_replace(from);
    if (link_first) {
        int rc = by_link(from, to, st.st_mode);
        if (rc == 0 || !cannot_link(errno)) {
            return rc;
        }
    }
    if (renameat2(from->dir, from->name, to->dir, to->name, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!cannot(errno)) {
        return -1;
    }
    if (file && !link_first) {
        int rc = by_link(from, to, st.st_mode);
        if (rc == 0 || !cannot_link(errno)) {
            return rc;
        }
    }
    if (faccessat(to->dir, to->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from->dir, from->name, to->dir, to->name);
}
