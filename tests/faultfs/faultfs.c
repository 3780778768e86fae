/*
 * faultfs.c - a FUSE file system that passes everything on to a folder, and does wrong as told.
 *
 *     faultfs -o control=FILE[,WORD...] FOLDER MOUNTPOINT      (stays in the foreground)
 *
 * rules.h says what the control file may hold, smb.h which words make it a share of Windows' kind;
 * with "cifs" it is mounted as fuse.cifs. Nothing is cached by name or attribute, so a rule acts at
 * once; the page cache of data works as on a real network file system (not with locks: what is
 * locked must not come from it), and O_DIRECT reaches us. Backing files are opened without it, as
 * our buffers are not aligned.
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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/faultfs/names.h"
#include "tests/faultfs/rules.h"
#include "tests/faultfs/smb.h"

#define PF_SIGNALED 0x400UL /* linux/sched.h */

struct fs {
    int root;
    struct rules *rules;
    struct naming naming;
    struct smb *smb; /* NULL: a POSIX file system */
    struct smb_options options;
    char *control, *folder, *server, *share;
};

struct handle {
    int fd, number; /* number: at the server; -1 without one */
    DIR *dir;
    bool killed; /* by who closed it last */
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

/* FUSE's path as one below the root; "." for the root itself. */
static const char *find(const char *path, struct name *n)
{
    return names_find(&fs_get()->naming, path, n);
}

/* By handle or by path. A file's handle is followed over renames. */
static const char *find_any(const char *path, const struct fuse_file_info *fi, struct name *n)
{
    const struct handle *h = fi == NULL ? NULL : handle_get(fi);
    if (h == NULL) {
        return find(path, n);
    }
    if (h->number >= 0) {
        smb_path(fs_get()->smb, h->number, n->at, sizeof n->at);
        return n->at;
    }
    struct name slash;
    snprintf(slash.at, sizeof slash.at, "/%s", h->path);
    return find(slash.at, n);
}

/* What a server of Windows' kind says before it looks at what is wanted. */
static int refusal(enum op op, const char *path)
{
    const struct fs *fs = fs_get();
    struct name n;
    int rc = names_check(&fs->naming, path);
    if (rc == 0 && fs->smb != NULL && smb_is_pending(fs->smb, find(path, &n))) {
        rc = op == OP_CREATE || op == OP_RENAME ? -EACCES : -ENOENT;
    }
    return rc;
}

static int before(enum op op, const char *path, const struct fuse_file_info *fi, size_t *len)
{
    const char *name = fi != NULL && fi->fh != 0 ? handle_get(fi)->path
                       : path != NULL            ? path + 1
                                                 : "";
    int rc = rules_before(fs_get()->rules, op, name, len);
    return rc == 0 && fi == NULL && path != NULL ? refusal(op, path) : rc;
}

static bool smb_on(unsigned switches)
{
    return fs_get()->smb != NULL && smb_has(fs_get()->smb, switches);
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

/* A server lets nobody write to what is read-only, the superuser of a client included. */
static bool is_fixed(const char *found)
{
    return smb_on(SMB_MODES) && (smb_attributes(fs_get()->smb, found) & SMB_READ_ONLY) != 0;
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
    rc = result(mkdirat(fs_get()->root, find(path, &n), smb_on(SMB_MODES) ? 0755 : mode));
    return rc != 0 ? rc : result(give_away(find(path, &n)));
}

static int remove_name(const char *path, int flags)
{
    struct name n;
    int rc = before(OP_REMOVE, path, NULL, NULL);
    if (rc != 0 ||
        (flags == 0 && fs_get()->smb != NULL && smb_keep(fs_get()->smb, find(path, &n)))) {
        return rc;
    }
    return result(unlinkat(fs_get()->root, find(path, &n), flags));
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
    if (strcmp(source, target) == 0) {
        target = names_new(&fs_get()->naming, to, &b); /* only the case is to change */
    }
    if (smb_on(SMB_REPLACE)) {
        if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0) {
            return -EINVAL;
        }
        flags = 0; /* the client has looked; the server is asked to replace */
    }
    rc = fs_get()->smb != NULL ? smb_before_rename(fs_get()->smb, source) : 0;
    rc = rc != 0 ? rc : result(renameat2(fs_get()->root, source, fs_get()->root, target, flags));
    if (rc == 0 && fs_get()->smb != NULL) {
        smb_renamed(fs_get()->smb, source, target);
    }
    return rc;
}

static int do_link(const char *from, const char *to)
{
    struct name a, b;
    int rc = before(OP_CREATE, to, NULL, NULL);
    int root = fs_get()->root;
    return rc != 0 ? rc : result(linkat(root, find(from, &a), root, find(to, &b), 0));
}

/* Without links and fifos; what has no such switch passes nothing of the kind on, either. */
static int do_symlink(const char *target, const char *path)
{
    (void)target;
    (void)path;
    return smb_on(SMB_PLAIN) ? -EOPNOTSUPP : -ENOSYS;
}

static int do_mknod(const char *path, mode_t mode, dev_t device)
{
    (void)path;
    (void)mode;
    (void)device;
    return smb_on(SMB_PLAIN) ? -EOPNOTSUPP : -ENOSYS;
}

static int keep(const char *path, int fd, DIR *dir, struct fuse_file_info *fi)
{
    struct handle *h = malloc(sizeof *h + strlen(path));
    if (h == NULL) {
        return -ENOMEM;
    }
    *h = (struct handle){.fd = fd, .number = -1, .dir = dir};
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
        if (fill(buf, names_shown(&fs_get()->naming, d->d_name, &n), NULL, 0, 0) != 0) {
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

/* The server is asked, too; found is the file's name in the folder. */
static int open_at_server(const char *found, struct fuse_file_info *fi)
{
    struct handle *h = handle_get(fi);
    struct fs *fs = fs_get();
    bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
    if ((fi->flags & O_CREAT) == 0 && writes && is_fixed(found)) {
        return -EACCES;
    }
    int number = smb_open(fs->smb, found, h->fd, fi->flags);
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
    .symlink = do_symlink,
    .mknod = do_mknod,
    .chmod = do_chmod,
    .chown = do_chown,
    .truncate = do_truncate,
    .open = do_open,
    .create = do_create,
    .read = do_read,
    .write = do_write,
    .statfs = do_statfs,
    .flush = do_flush,
    .release = do_release,
    .flock = do_flock,
    .fsync = do_fsync,
    .fsyncdir = do_fsync,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .releasedir = do_releasedir,
    .utimens = do_utimens,
    .getxattr = do_getxattr,
    .setxattr = do_setxattr,
    .fallocate = do_fallocate,
};

static const struct fuse_opt options[] = {
    {"control=%s", offsetof(struct fs, control), 1},
    {"server=%s", offsetof(struct fs, server), 1},
    {"share=%s", offsetof(struct fs, share), 1},
    {"outlive_ms=%u", offsetof(struct fs, options.outlive_ms), 1},
    {"outlive_locks_ms=%u", offsetof(struct fs, options.outlive_locks_ms), 1},
    FUSE_OPT_END,
};

/* The first word that is no option is the folder; a server's switch is kept from FUSE. */
static int take_word(void *data, const char *word, int key, struct fuse_args *out)
{
    struct fs *fs = data;
    if (key == FUSE_OPT_KEY_NONOPT && fs->folder == NULL) {
        fs->folder = strdup(word);
        return 0;
    }
    if (key == FUSE_OPT_KEY_OPT && smb_switch(&fs->options.switches, word)) {
        return strcmp(word, "cifs") != 0
                   ? 0
                   : fuse_opt_add_arg(out, "-osubtype=cifs,fsname=//faultfs/share");
    }
    return 1;
}

static int start_server(struct fs *fs)
{
    char file[4096];
    struct smb_options *o = &fs->options;
    names_init();
    fs->naming = (struct naming){.root = fs->root,
                                 .casefold = (o->switches & SMB_CASEFOLD) != 0,
                                 .mapped = (o->switches & SMB_NAMES) != 0};
    if ((o->switches & ~(unsigned)(SMB_CASEFOLD | SMB_NAMES)) == 0) {
        return 0;
    }
    snprintf(file, sizeof file, "%s.server", fs->control);
    o->root = fs->root;
    o->file = fs->server != NULL ? fs->server : file;
    o->share_code = fs->share == NULL ? EBUSY : rules_code(fs->share);
    if (o->share_code == 0) {
        errno = EINVAL;
        return -1;
    }
    fs->smb = smb_new(o);
    return fs->smb == NULL ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct fs fs = {.root = -1, .options.outlive_ms = 5000};
    umask(0);
    if (fuse_opt_parse(&args, &fs, options, take_word) != 0 || fs.folder == NULL ||
        fs.control == NULL) {
        fputs("usage: faultfs -o control=FILE[,WORD...] FOLDER MOUNTPOINT\n", stderr);
        return 2;
    }
    fs.root = open(fs.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fs.rules = rules_new(fs.control);
    if (fs.root < 0 || fs.rules == NULL || start_server(&fs) != 0) {
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
    free(fs.server);
    free(fs.share);
    return rc;
}
