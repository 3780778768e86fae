/* ops_attributes.c - times, modes, owners, sizes, extended attributes, free space. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/faultfs/ops.h"

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    struct name n;
    int64_t date;
    int rc = before(OP_STAT, path, fi, NULL);
    if (rc != 0) {
        return rc;
    }
    rc = fi != NULL ? result(fstat(handle_get(fi)->fd, st))
                    : result(fstatat(fs_get()->root, find(path, &n), st, AT_SYMLINK_NOFOLLOW));
    const char *name = fi != NULL ? handle_get(fi)->path : path + 1;
    if (rc == 0 && fs_get()->smb != NULL) {
        smb_show(fs_get()->smb, find_any(path, fi, &n), st);
    }
    if (rc == 0 && rules_date(fs_get()->rules, name, &date)) {
        st->st_ctim = (struct timespec){date, 0};
    }
    return rc;
}

static int do_readlink(const char *path, char *buf, size_t room)
{
    struct name n;
    ssize_t len = readlinkat(fs_get()->root, find(path, &n), buf, room - 1);
    if (len < 0) {
        return -errno;
    }
    buf[len] = '\0';
    return 0;
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    struct name n;
    int rc = before(OP_META, path, fi, NULL);
    if (rc != 0) {
        return rc;
    }
    if (smb_on(SMB_MODES)) {
        return smb_chmod(fs_get()->smb, find_any(path, fi, &n), mode);
    }
    return fi != NULL ? result(fchmod(handle_get(fi)->fd, mode))
                      : result(fchmodat(fs_get()->root, find(path, &n), mode, 0));
}

static int do_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
    struct name n;
    int rc = before(OP_META, path, fi, NULL);
    if (rc != 0) {
        return rc;
    }
    if (smb_on(SMB_PLAIN)) {
        return 0; /* nobody owns anything */
    }
    return fi != NULL
               ? result(fchown(handle_get(fi)->fd, uid, gid))
               : result(fchownat(fs_get()->root, find(path, &n), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
    struct name n;
    int rc = before(OP_META, path, fi, NULL);
    if (rc != 0 || fi != NULL) {
        return rc != 0 ? rc : result(ftruncate(handle_get(fi)->fd, size));
    }
    int fd = openat(fs_get()->root, find(path, &n), O_WRONLY | O_CLOEXEC);
    rc = fd < 0 ? -errno : is_fixed(n.at) ? -EACCES : result(ftruncate(fd, size));
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int do_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi)
{
    struct name n;
    int rc = before(OP_META, path, fi, NULL);
    if (rc != 0) {
        return rc;
    }
    struct timespec set[2] = {tv[0], tv[1]};
    for (int i = 0; i < 2 && smb_on(SMB_LATE); i++) {
        bool is_time = set[i].tv_nsec != UTIME_NOW && set[i].tv_nsec != UTIME_OMIT;
        set[i].tv_nsec -= is_time ? set[i].tv_nsec % 100 : 0;
    }
    rc = fi != NULL ? result(futimens(handle_get(fi)->fd, set))
                    : result(utimensat(fs_get()->root, find(path, &n), set, AT_SYMLINK_NOFOLLOW));
    if (rc == 0 && fs_get()->smb != NULL) {
        smb_timed(fs_get()->smb, find_any(path, fi, &n));
    }
    return rc;
}

static int do_getxattr(const char *path, const char *name, char *value, size_t room)
{
    struct name n;
    return fs_get()->smb == NULL ? -ENOSYS
                                 : smb_xattr_get(fs_get()->smb, find(path, &n), name, value, room);
}

static int do_setxattr(const char *path, const char *name, const char *value, size_t len, int flags)
{
    struct name n;
    (void)flags;
    int rc = before(OP_META, path, NULL, NULL);
    return rc != 0                 ? rc
           : fs_get()->smb == NULL ? -ENOSYS
                                   : smb_xattr_set(fs_get()->smb, find(path, &n), name, value, len);
}

static int do_statfs(const char *path, struct statvfs *out)
{
    int64_t bytes;
    int rc = before(OP_STATFS, path, NULL, NULL);
    if (rc != 0 || fstatvfs(fs_get()->root, out) != 0) {
        return rc != 0 ? rc : -errno;
    }
    if (smb_on(SMB_PLAIN)) {
        out->f_files = out->f_ffree = out->f_favail = 0;
    }
    if (rules_free_bytes(fs_get()->rules, &bytes)) {
        out->f_bavail = out->f_bfree = (fsblkcnt_t)bytes / out->f_frsize;
    }
    return 0;
}

void ops_attributes(struct fuse_operations *ops)
{
    ops->getattr = do_getattr;
    ops->readlink = do_readlink;
    ops->chmod = do_chmod;
    ops->chown = do_chown;
    ops->truncate = do_truncate;
    ops->utimens = do_utimens;
    ops->getxattr = do_getxattr;
    ops->setxattr = do_setxattr;
    ops->statfs = do_statfs;
}
