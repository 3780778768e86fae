/*
 * faultfs.c - a FUSE file system that passes everything on to a folder, and does wrong as told.
 *
 *     faultfs -o control=FILE[,WORD...] FOLDER MOUNTPOINT      (stays in the foreground)
 *
 * rules.h says what the control file may hold, smb.h which words make it a share of Windows' kind;
 * with "cifs" it is mounted as fuse.cifs. Nothing is cached by name or attribute, so a rule acts at
 * once; the page cache of data works as on a real network file system (not with locks: what is
 * locked must not come from it), and O_DIRECT reaches us. Backing files are opened without it, as
 * our buffers are not aligned. Here are names, folders and the start.
 */
#include "tests/faultfs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fs *fs_get(void)
{
    return fuse_get_context()->private_data;
}

struct handle *handle_get(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh; /* NOLINT: FUSE keeps our pointer as a number */
}

int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

/* --- names --- */

const char *find(const char *path, struct name *n)
{
    return names_find(&fs_get()->naming, path, n);
}

const char *find_any(const char *path, const struct fuse_file_info *fi, struct name *n)
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
        rc = op == OP_STAT ? 0 : op == OP_RENAME ? -EACCES : -ENOENT;
    }
    return rc;
}

int before(enum op op, const char *path, const struct fuse_file_info *fi, size_t *len)
{
    const char *name = fi != NULL && fi->fh != 0 ? handle_get(fi)->path
                       : path != NULL            ? path + 1
                                                 : "";
    int rc = rules_before(fs_get()->rules, op, name, len);
    return rc == 0 && fi == NULL && path != NULL ? refusal(op, path) : rc;
}

bool smb_on(unsigned switches)
{
    return fs_get()->smb != NULL && smb_has(fs_get()->smb, switches);
}

bool is_fixed(const char *found)
{
    return smb_on(SMB_MODES) && (smb_attributes(fs_get()->smb, found) & SMB_READ_ONLY) != 0;
}

int keep(const char *path, int fd, DIR *dir, struct fuse_file_info *fi)
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
    if (flags == 0 && fs_get()->smb != NULL) {
        smb_before_unlink(fs_get()->smb, find(path, &n));
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
    if (strcmp(source, target) == 0 && smb_on(SMB_CASEFOLD)) {
        return 0; /* the client finds one file, and nothing to do */
    }
    if (strcmp(source, target) == 0) {
        target = names_new(&fs_get()->naming, to, &b); /* only the case is to change */
    }
    if (smb_on(SMB_REPLACE)) {
        if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0) {
            return -EINVAL;
        }
        flags = 0; /* the client has looked; the server is asked to replace */
    }
    rc = fs_get()->smb != NULL ? smb_before_rename(fs_get()->smb, source, target) : 0;
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
    return smb_on(SMB_PLAIN) ? -EPERM : -ENOSYS;
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

static struct fuse_operations operations(void)
{
    struct fuse_operations ops = {
        .init = do_init,
        .mkdir = do_mkdir,
        .unlink = do_unlink,
        .rmdir = do_rmdir,
        .rename = do_rename,
        .link = do_link,
        .symlink = do_symlink,
        .mknod = do_mknod,
        .opendir = do_opendir,
        .readdir = do_readdir,
        .releasedir = do_releasedir,
    };
    ops_attributes(&ops);
    ops_files(&ops);
    return ops;
}

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
    const struct fuse_operations ops = operations();
    int rc = fuse_main(args.argc, args.argv, &ops, &fs);
    fuse_opt_free_args(&args);
    free(fs.folder);
    free(fs.control);
    free(fs.server);
    free(fs.share);
    return rc;
}
