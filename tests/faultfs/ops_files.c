/* ops_files.c - files: open, read, write, lock, close. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faultfs/ops.h"

#define PF_SIGNALED 0x400UL /* linux/sched.h */

/* The server is asked, too; found is the file's name in the folder. */
static int open_at_server(const char *found, struct fuse_file_info *fi)
{
    struct handle *h = handle_get(fi);
    struct fs *fs = fs_get();
    bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
    if ((fi->flags & O_CREAT) == 0 && writes && is_fixed(found)) {
        return -EACCES;
    }
    int number = smb_open(fs->smb, found, h->fd);
    if (number < 0) {
        return number;
    }
    h->number = number;
    fi->direct_io |= smb_has(fs->smb, SMB_LOCKS);
    return 0;
}

static int open_file(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    struct name n;
    int flags = (fi->flags & ~(O_DIRECT | O_APPEND | O_NOFOLLOW)) | O_CLOEXEC;
    int fd = openat(fs_get()->root, find(path, &n), flags, mode);
    int rc = fd < 0 ? -errno : keep(path, fd, NULL, fi);
    fi->direct_io = rules_shorten(fs_get()->rules, path + 1);
    if (rc == 0 && fs_get()->smb != NULL && (rc = open_at_server(find(path, &n), fi)) != 0) {
        free(handle_get(fi));
    }
    if (rc == 0) {
        handle_get(fi)->direct = fi->direct_io || (fi->flags & O_DIRECT) != 0;
    }
    if (rc != 0 && fd >= 0) {
        close(fd);
    }
    return rc;
}

static int do_open(const char *path, struct fuse_file_info *fi)
{
    int rc = before(OP_OPEN, path, NULL, NULL);
    return rc != 0 ? rc : open_file(path, 0, fi);
}

/* A process that ends closes what it has open; whether by a signal is in proc(5)'s flags. */
static bool is_killed(pid_t pid)
{
    char path[40], text[512] = "";
    unsigned long flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *in = fopen(path, "re");
    if (in != NULL) {
        const char *rest = fgets(text, sizeof text, in) == NULL ? NULL : strrchr(text, ')');
        if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %lu", &flags) != 1) {
            flags = 0;
        }
        fclose(in);
    }
    return (flags & PF_SIGNALED) != 0;
}

static int do_flush(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    handle_get(fi)->killed = smb_on(SMB_OUTLIVE) && is_killed(fuse_get_context()->pid);
    return 0;
}

static int do_release(const char *path, struct fuse_file_info *fi)
{
    struct handle *h = handle_get(fi);
    (void)path;
    close(h->fd);
    if (h->number >= 0) {
        smb_close(fs_get()->smb, h->number, h->killed);
    }
    free(h);
    return 0;
}

static int do_flock(const char *path, struct fuse_file_info *fi, int op)
{
    const struct handle *h = handle_get(fi);
    int rc = before(OP_LOCK, path, fi, NULL);
    return rc != 0                         ? rc
           : smb_on(SMB_LOCKS | SMB_NOBRL) ? smb_lock(fs_get()->smb, h->number, op)
                                           : result(flock(h->fd, op));
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    int rc = before(OP_CREATE, path, NULL, NULL);
    fi->flags |= O_CREAT;
    rc = rc != 0 ? rc : open_file(path, smb_on(SMB_MODES) ? 0755 : mode, fi);
    if (rc == 0 && smb_on(SMB_MODES)) {
        struct name n;
        rc = smb_chmod(fs_get()->smb, find(path, &n), mode);
    }
    if (rc == 0 && fchown(handle_get(fi)->fd, fuse_get_context()->uid, (gid_t)-1) != 0) {
        rc = -errno;
        do_release(path, fi);
    }
    return rc;
}

static int before_io(const struct fuse_file_info *fi, bool write)
{
    const struct handle *h = handle_get(fi);
    return h->number < 0 ? 0 : smb_before_io(fs_get()->smb, h->number, h->fd, write);
}

static int do_read(const char *path, char *buf, size_t len, off_t at, struct fuse_file_info *fi)
{
    int64_t where;
    size_t some = len;
    int rc = before(OP_READ, path, fi, &some);
    if (rc != 0) {
        return rc;
    }
    if ((rc = before_io(fi, false)) != 0) {
        return rc;
    }
    ssize_t n = pread(handle_get(fi)->fd, buf, handle_get(fi)->direct ? some : len, at);
    if (n > 0 &&
        rules_flip(fs_get()->rules, OP_READ, handle_get(fi)->path, at, (size_t)n, &where)) {
        buf[where - at] ^= 1;
    }
    return n < 0 ? -errno : (int)n;
}

/* What stands in the folder is not what was written. */
static void flip_on_disk(const char *path, int64_t where)
{
    char byte = 0;
    int fd = openat(fs_get()->root, path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && pread(fd, &byte, 1, where) == 1) {
        byte ^= 1;
        ssize_t done = pwrite(fd, &byte, 1, where);
        (void)done;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int do_write(const char *path, const char *buf, size_t len, off_t at,
                    struct fuse_file_info *fi)
{
    const struct handle *h = handle_get(fi);
    int64_t where;
    int rc = before(OP_WRITE, path, fi, &len);
    if (rc != 0) {
        return rc;
    }
    if ((rc = before_io(fi, true)) != 0) {
        return rc;
    }
    ssize_t n = pwrite(h->fd, buf, len, at);
    if (n > 0 && rules_flip(fs_get()->rules, OP_WRITE, h->path, at, (size_t)n, &where)) {
        flip_on_disk(h->path, where);
    }
    return n < 0 ? -errno : (int)n;
}

static int do_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
    int rc = before(OP_FSYNC, path, fi, NULL);
    if (rc == 0 && handle_get(fi)->number >= 0) {
        smb_synced(fs_get()->smb, handle_get(fi)->number);
    }
    return rc != 0          ? rc
           : data_only != 0 ? result(fdatasync(handle_get(fi)->fd))
                            : result(fsync(handle_get(fi)->fd));
}

static int do_fallocate(const char *path, int mode, off_t at, off_t len, struct fuse_file_info *fi)
{
    int rc = before(OP_ALLOC, path, fi, NULL);
    struct stat st;
    if (rc == 0 && smb_on(SMB_PLAIN)) { /* nothing is reserved */
        bool grows = mode == 0 && fstat(handle_get(fi)->fd, &st) == 0 && at + len > st.st_size;
        return grows ? result(ftruncate(handle_get(fi)->fd, at + len)) : 0;
    }
    return rc != 0 ? rc : result(fallocate(handle_get(fi)->fd, mode, at, len));
}

void ops_files(struct fuse_operations *ops)
{
    ops->open = do_open;
    ops->create = do_create;
    ops->read = do_read;
    ops->write = do_write;
    ops->flush = do_flush;
    ops->release = do_release;
    ops->flock = do_flock;
    ops->fsync = do_fsync;
    ops->fallocate = do_fallocate;
    ops->fsyncdir = do_fsync;
}
