/*
 * faultfs.c - a FUSE file system that passes everything on to a folder, and does wrong as told.
 *
 *     faultfs -o control=FILE[,casefold] FOLDER MOUNTPOINT      (stays in the foreground)
 *
 * rules.h says what the control file may hold. Nothing is cached by name or attribute, so a rule
 * acts at once; the page cache of data works as on a real network file system, and O_DIRECT reaches
 * us. Backing files are opened without it, as our buffers are not aligned. With casefold a name
 * finds a file that differs from it only in ASCII case, as on a share of Windows.
 * More than 500 lines, because it is one table of small operations that share one state.
 */
#define FUSE_USE_VERSION 314
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/faultfs/rules.h"

struct fs {
    int root;
    struct rules *rules;
    int casefold;
    char *control, *folder;
};

struct handle {
    int fd;
    DIR *dir;
    bool direct; /* past the page cache, which takes a short read for the end of the file */
    char path[];
};

static struct fs *fs_get(void)
{
    return fuse_get_context()->private_data;
}

static struct handle *handle_get(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh; /* NOLINT: FUSE keeps our pointer as a number */
}

static int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

/* --- names --- */

/* Replace the name of length len at `at` by what the folder has in another case. */
static void fold_name(int root, char *path, char *at, size_t len)
{
    char after = at[len], name[256];
    struct stat st;
    at[len] = '\0';
    if (len < sizeof name && fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        memcpy(name, at, len + 1);
        char first = *at;
        *at = '\0';
        int fd = openat(root, at == path ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *at = first;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        for (const struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
            if (strcasecmp(d->d_name, name) == 0) {
                memcpy(at, d->d_name, len);
                break;
            }
        }
        if (dir != NULL) {
            closedir(dir);
        } else if (fd >= 0) {
            close(fd);
        }
    }
    at[len] = after;
}

struct name {
    char at[4096];
};

/* FUSE's path as one below the root; "" stands for the root in globs, "." in calls. */
static const char *find(const char *path, struct name *n)
{
    const struct fs *fs = fs_get();
    snprintf(n->at, sizeof n->at, "%s", path + 1);
    for (char *at = n->at; fs->casefold && *at != '\0';) {
        size_t len = strcspn(at, "/");
        fold_name(fs->root, n->at, at, len);
        at += len + (at[len] == '/');
    }
    return n->at[0] == '\0' ? "." : n->at;
}

static int before(enum op op, const char *path, const struct fuse_file_info *fi, size_t *len)
{
    const char *name = fi != NULL && fi->fh != 0 ? handle_get(fi)->path
                       : path != NULL            ? path + 1
                                                 : "";
    return rules_before(fs_get()->rules, op, name, len);
}

/* --- attributes --- */

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
    rc = fd < 0 ? -errno : result(ftruncate(fd, size));
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
    return fi != NULL ? result(futimens(handle_get(fi)->fd, tv))
                      : result(utimensat(fs_get()->root, find(path, &n), tv, AT_SYMLINK_NOFOLLOW));
}

static int do_statfs(const char *path, struct statvfs *out)
{
    int64_t bytes;
    int rc = before(OP_STATFS, path, NULL, NULL);
    if (rc != 0 || fstatvfs(fs_get()->root, out) != 0) {
        return rc != 0 ? rc : -errno;
    }
    if (rules_free_bytes(fs_get()->rules, &bytes)) {
        out->f_bavail = out->f_bfree = (fsblkcnt_t)bytes / out->f_frsize;
    }
    return 0;
}

/* What was made belongs to whoever asked for it; its group is as ours would be. */
static int give_away(const char *path)
{
    return fchownat(fs_get()->root, path, fuse_get_context()->uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW);
}

/* --- folders --- */

static int do_mkdir(const char *path, mode_t mode)
{
    struct name n;
    int rc = before(OP_CREATE, path, NULL, NULL);
    if (rc != 0) {
        return rc;
    }
    rc = result(mkdirat(fs_get()->root, find(path, &n), mode));
    return rc != 0 ? rc : result(give_away(find(path, &n)));
}

static int remove_name(const char *path, int flags)
{
    struct name n;
    int rc = before(OP_REMOVE, path, NULL, NULL);
    return rc != 0 ? rc : result(unlinkat(fs_get()->root, find(path, &n), flags));
}

static int do_unlink(const char *path)
{
    return remove_name(path, 0);
}

static int do_rmdir(const char *path)
{
    return remove_name(path, AT_REMOVEDIR);
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
    struct name a, b;
    int rc = before(OP_RENAME, to, NULL, NULL);
    if (rc != 0) {
        return rc;
    }
    const char *source = find(from, &a), *target = find(to, &b);
    if ((flags & RENAME_NOREPLACE) != 0 && strcmp(source, target) == 0) {
        target = to + 1; /* only the case is to change */
    }
    return result(renameat2(fs_get()->root, source, fs_get()->root, target, flags));
}

static int do_link(const char *from, const char *to)
{
    struct name a, b;
    int rc = before(OP_CREATE, to, NULL, NULL);
    int root = fs_get()->root;
    return rc != 0 ? rc : result(linkat(root, find(from, &a), root, find(to, &b), 0));
}

static int keep(const char *path, int fd, DIR *dir, struct fuse_file_info *fi)
{
    struct handle *h = malloc(sizeof *h + strlen(path));
    if (h == NULL) {
        return -ENOMEM;
    }
    h->fd = fd;
    h->dir = dir;
    h->direct = false;
    memcpy(h->path, path + 1, strlen(path));
    fi->fh = (uintptr_t)h;
    return 0;
}

static int do_opendir(const char *path, struct fuse_file_info *fi)
{
    struct name n;
    int rc = before(OP_LIST, path, NULL, NULL);
    if (rc != 0) {
        return rc;
    }
    int fd = openat(fs_get()->root, find(path, &n), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    return dir == NULL ? -errno : keep(path, fd, dir, fi);
}

static int do_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
    struct handle *h = handle_get(fi);
    int rc = before(OP_LIST, path, fi, NULL);
    (void)at;
    (void)flags;
    if (rc != 0) {
        return rc;
    }
    rewinddir(h->dir);
    for (const struct dirent *d; (d = readdir(h->dir)) != NULL;) {
        struct name n;
        bool dots = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
        snprintf(n.at, sizeof n.at, "%s%s%s", h->path, *h->path == '\0' ? "" : "/", d->d_name);
        if (!dots && rules_before(fs_get()->rules, OP_STAT, n.at, NULL) == -ENOENT) {
            continue; /* "empty" hides names */
        }
        if (fill(buf, d->d_name, NULL, 0, 0) != 0) {
            break;
        }
    }
    return 0;
}

static int do_releasedir(const char *path, struct fuse_file_info *fi)
{
    struct handle *h = handle_get(fi);
    (void)path;
    closedir(h->dir);
    free(h);
    return 0;
}

/* --- files --- */

static int open_file(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    struct name n;
    int flags = (fi->flags & ~(O_DIRECT | O_APPEND | O_NOFOLLOW)) | O_CLOEXEC;
    int fd = openat(fs_get()->root, find(path, &n), flags, mode);
    int rc = fd < 0 ? -errno : keep(path, fd, NULL, fi);
    fi->direct_io = rules_shorten(fs_get()->rules, path + 1);
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

static int do_release(const char *path, struct fuse_file_info *fi)
{
    struct handle *h = handle_get(fi);
    (void)path;
    close(h->fd);
    free(h);
    return 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    int rc = before(OP_CREATE, path, NULL, NULL);
    fi->flags |= O_CREAT;
    rc = rc != 0 ? rc : open_file(path, mode, fi);
    if (rc == 0 && fchown(handle_get(fi)->fd, fuse_get_context()->uid, (gid_t)-1) != 0) {
        rc = -errno;
        do_release(path, fi);
    }
    return rc;
}

static int do_read(const char *path, char *buf, size_t len, off_t at, struct fuse_file_info *fi)
{
    int64_t where;
    size_t some = len;
    int rc = before(OP_READ, path, fi, &some);
    if (rc != 0) {
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
    ssize_t n = pwrite(h->fd, buf, len, at);
    if (n > 0 && rules_flip(fs_get()->rules, OP_WRITE, h->path, at, (size_t)n, &where)) {
        flip_on_disk(h->path, where);
    }
    return n < 0 ? -errno : (int)n;
}

static int do_fsync(const char *path, int data_only, struct fuse_file_info *fi)
{
    int rc = before(OP_FSYNC, path, fi, NULL);
    return rc != 0          ? rc
           : data_only != 0 ? result(fdatasync(handle_get(fi)->fd))
                            : result(fsync(handle_get(fi)->fd));
}

static int do_fallocate(const char *path, int mode, off_t at, off_t len, struct fuse_file_info *fi)
{
    int rc = before(OP_ALLOC, path, fi, NULL);
    return rc != 0 ? rc : result(fallocate(handle_get(fi)->fd, mode, at, len));
}

/* --- start --- */

static void *do_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
    conn->max_write = 128 << 10; /* counters of bytes then act where they should */
    conn->max_background = conn->congestion_threshold = 1024; /* many may hang, others go on */
    cfg->use_ino = 1;
    cfg->nullpath_ok = 1;
    cfg->hard_remove = 1;
    cfg->entry_timeout = cfg->attr_timeout = cfg->negative_timeout = 0;
    return fs_get();
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .mkdir = do_mkdir,
    .unlink = do_unlink,
    .rmdir = do_rmdir,
    .rename = do_rename,
    .link = do_link,
    .chmod = do_chmod,
    .chown = do_chown,
    .truncate = do_truncate,
    .open = do_open,
    .create = do_create,
    .read = do_read,
    .write = do_write,
    .statfs = do_statfs,
    .release = do_release,
    .fsync = do_fsync,
    .fsyncdir = do_fsync,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .releasedir = do_releasedir,
    .utimens = do_utimens,
    .fallocate = do_fallocate,
};

static const struct fuse_opt options[] = {
    {"control=%s", offsetof(struct fs, control), 1},
    {"casefold", offsetof(struct fs, casefold), 1},
    FUSE_OPT_END,
};

/* The first word that is no option is the folder. */
static int take_word(void *data, const char *word, int key, struct fuse_args *out)
{
    struct fs *fs = data;
    (void)out;
    if (key == FUSE_OPT_KEY_NONOPT && fs->folder == NULL) {
        fs->folder = strdup(word);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct fs fs = {.root = -1};
    umask(0);
    if (fuse_opt_parse(&args, &fs, options, take_word) != 0 || fs.folder == NULL ||
        fs.control == NULL) {
        fputs("usage: faultfs -o control=FILE[,casefold] FOLDER MOUNTPOINT\n", stderr);
        return 2;
    }
    fs.root = open(fs.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fs.rules = rules_new(fs.control);
    if (fs.root < 0 || fs.rules == NULL) {
        fprintf(stderr, "faultfs: %s: %s\n", fs.folder, strerror(errno));
        return 1;
    }
    fuse_opt_add_arg(&args, "-f"); /* who hangs keeps a thread: there are enough of them */
    fuse_opt_add_arg(&args,
                     "-omax_threads=400,max_idle_threads=400,allow_other,default_permissions");
    int rc = fuse_main(args.argc, args.argv, &operations, &fs);
    fuse_opt_free_args(&args);
    free(fs.folder);
    free(fs.control);
    return rc;
}
