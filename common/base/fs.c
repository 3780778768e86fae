/*
 * fs_walk descends by descriptor (openat, O_NOFOLLOW), so a folder that is swapped for a symbolic
 * link under our feet cannot lead out of the root. It sorts a folder's names as if a sub-folder's
 * ended in '/': that is the byte order of the whole paths.
 */
#include "common/base/fs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

#define WALK_DEPTH_MAX 64 /* one open descriptor a level */

AUTO_DEFINE(DIR, closedir);

#define FS_ERR(err, ...) ERR((err), fs_errno_kind(errno), errno, __VA_ARGS__)

enum err_kind fs_errno_kind(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case ESTALE:
    case ENODEV:
    case ENXIO:
    case ENOTCONN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ETIMEDOUT:
    case ECONNREFUSED:
        return ERR_HOLD;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case EEXIST:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL:
    case EXDEV:
    case EFBIG:
    case EILSEQ:
        return ERR_INVALID;
    default:
        return ERR_TRANSIENT; /* EIO too: one bad sector must not hold a file for ever */
    }
}

bool fs_is_held(int code)
{
    return code == EACCES || code == EPERM || code == EBUSY || code == ETXTBSY || code == EAGAIN;
}

enum err_kind fs_share_kind(int code)
{
    switch (code) {
    case EACCES: /* CIFS says so for a sharing violation and for a lock */
    case EINVAL: /* and for a file of which it holds a handle of a client that was killed */
    case EPERM:
    case EBUSY:
    case ETXTBSY:
    case EAGAIN:
    case EINTR:
    case EDEADLK:
    case ENOLCK:
    case ENOLINK:
    case ENETRESET:
    case ECONNABORTED:
    case ECONNRESET:
    case EPIPE:
    case ESHUTDOWN:
    case ENOKEY: /* the server asks again who we are */
    case EKEYEXPIRED:
    case EKEYREVOKED:
    case EKEYREJECTED:
        return ERR_HOLD;
    default:
        return fs_errno_kind(code);
    }
}

int fs_share_failed(struct err *err)
{
    bool ours = err->kind == ERR_INVALID || err->kind == ERR_TRANSIENT || err->kind == ERR_HOLD;
    if (ours && err->code > 0 && err->code != EROFS && fs_share_kind(err->code) == ERR_HOLD) {
        err->kind = ERR_HOLD;
        err->code = ERR_CODE_SOURCE_BUSY;
    }
    return -1;
}

static int make_dir(const char *path, struct err *err)
{
    if (mkdir(path, 0775) == 0) {
        return 0;
    }
    int code = errno;
    struct stat st;
    if (stat(path, &st) == 0) { /* a read-only parent says EROFS for a folder that is there, too */
        return S_ISDIR(st.st_mode) ? 0 : ERR(err, ERR_INVALID, ENOTDIR, "%s is no folder", path);
    }
    errno = code;
    return FS_ERR(err, "make folder %s: %m", path);
}

int fs_mkdirs(const char *path, struct err *err)
{
    if (*path == '\0') {
        return ERR(err, ERR_INVALID, ENOENT, "no folder is named");
    }
    AUTO(free) char *part = strdup(path);
    if (part == NULL) {
        return err_no_memory(err);
    }
    for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (make_dir(part, err) != 0) {
            return -1;
        }
        *at = '/';
    }
    return make_dir(path, err);
}

int fs_fsync_dir(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP ? 0 : -1;
}

int fs_sync_dir(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FS_ERR(err, "open folder %s: %m", path);
    }
    int rc = fs_fsync_dir(fd) == 0 ? 0 : FS_ERR(err, "sync folder %s: %m", path);
    close(fd);
    return rc;
}

/* Read until the end or until room is full; *used = what there is. */
static int read_up_to(int fd, char *buf, size_t room, size_t *used)
{
    while (*used < room) {
        ssize_t n = read(fd, buf + *used, room - *used);
        if (n == 0) {
            return 0;
        }
        if (n > 0) {
            *used += (size_t)n;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static char *read_fd(int fd, const char *path, size_t max, size_t *used, struct err *err)
{
    AUTO(free) char *buf = NULL;
    size_t room = max < 4096 ? max : 4096;
    for (;;) { /* one byte more than max, to see "too large"; one for the NUL */
        char *more = realloc(buf, room + 2);
        if (more == NULL) {
            err_no_memory(err);
            return NULL;
        }
        buf = more;
        if (read_up_to(fd, buf, room + 1, used) != 0) {
            FS_ERR(err, "read %s: %m", path);
            return NULL;
        }
        if (*used <= room) {
            buf[*used] = '\0';
            return TAKE(buf);
        }
        if (room == max) {
            ERR(err, ERR_INVALID, EFBIG, "%s is larger than %zu bytes", path, max);
            return NULL;
        }
        room = room > max / 2 ? max : 2 * room;
    }
}

char *fs_read(const char *path, size_t max, size_t *len, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        FS_ERR(err, "open %s: %m", path);
        return NULL;
    }
    size_t used = 0;
    char *text = read_fd(fd, path, max, &used, err);
    close(fd);
    if (text != NULL && len != NULL) {
        *len = used;
    }
    return text;
}

int fs_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            return FS_ERR(err, "write: %m");
        }
    }
    return 0;
}

static int write_and_sync(int fd, const void *data, size_t len, struct err *err)
{
    int rc = fs_write_all(fd, data, len, err);
    if (rc == 0 && fsync(fd) != 0) {
        rc = FS_ERR(err, "fsync: %m");
    }
    if (close(fd) != 0 && rc == 0) {
        rc = FS_ERR(err, "close: %m");
    }
    return rc;
}

/* The process's umask gives the mode. */
int fs_write_at(int dir, const char *tmp, const char *name, const void *data, size_t len,
                struct err *err)
{
    int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0664);
    if (fd < 0) {
        return FS_ERR(err, "create %s: %m", tmp);
    }
    int rc = write_and_sync(fd, data, len, err);
    if (rc == 0 && renameat(dir, tmp, dir, name) != 0) {
        rc = FS_ERR(err, "rename to %s: %m", name);
    }
    if (rc != 0) {
        unlinkat(dir, tmp, 0);
        return rc;
    }
    return fs_fsync_dir(dir) == 0 ? 0 : FS_ERR(err, "fsync the folder of %s: %m", name);
}

static int open_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO(free)
    char *dir = slash == NULL || slash == path ? strdup(slash == NULL ? "." : "/")
                                               : strndup(path, (size_t)(slash - path));
    return dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int fs_write(const char *path, const void *data, size_t len, struct err *err)
{
    char tmp[32];
    snprintf(tmp, sizeof tmp, ".trawl-%016llx.tmp", (unsigned long long)mono_random(INT64_MAX));
    const char *slash = strrchr(path, '/');
    int dir = open_dir_of(path);
    if (dir < 0) {
        return FS_ERR(err, "open the folder of %s: %m", path);
    }
    int rc = fs_write_at(dir, tmp, slash == NULL ? path : slash + 1, data, len, err);
    close(dir);
    return rc == 0 ? 0 : err_context(err, "%s", path);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int fs_each_name(const char *path, fs_name_fn *fn, void *ctx, struct err *err)
{
    AUTO(closedir) DIR *dir = opendir(path);
    if (dir == NULL) {
        return FS_ERR(err, "open folder %s: %m", path);
    }
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            return errno == 0 ? 0 : FS_ERR(err, "read folder %s: %m", path);
        }
        if (!is_dots(d->d_name) && fn(ctx, d->d_name, err) != 0) {
            return -1;
        }
    }
}

struct entry {
    char *name; /* a folder's ends in '/' */
    bool is_dir;
    int64_t size;
};
struct listing {
    struct entry *entries;
    size_t n, room;
};
struct walk {
    fs_file_fn *fn;
    void *ctx;
    const char *root;
};

static void listing_fini(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->entries[i].name);
    }
    free(l->entries);
}

static int listing_add(struct listing *l, const char *name, const struct stat *st, struct err *err)
{
    if (l->n == l->room) {
        size_t room = l->room == 0 ? 16 : 2 * l->room;
        struct entry *more = realloc(l->entries, room * sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        l->entries = more;
        l->room = room;
    }
    struct entry *e = &l->entries[l->n];
    *e = (struct entry){.is_dir = S_ISDIR(st->st_mode), .size = st->st_size};
    if (asprintf(&e->name, "%s%s", name, e->is_dir ? "/" : "") < 0) {
        return err_no_memory(err);
    }
    l->n++;
    return 0;
}

/* The folders and regular files of dir. A name that is gone again before we looked is left out. */
static int listing_read(struct listing *l, DIR *dir, const char *shown, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            return errno == 0 ? 0 : FS_ERR(err, "read folder %s: %m", shown);
        }
        struct stat st;
        if (is_dots(d->d_name)) {
            continue;
        }
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) {
                return FS_ERR(err, "look at %s/%s: %m", shown, d->d_name);
            }
        } else if ((S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) &&
                   listing_add(l, d->d_name, &st, err) != 0) {
            return -1;
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int walk_dir(const struct walk *w, int fd, const char *prefix, int depth, struct err *err);

static int walk_entry(const struct walk *w, DIR *dir, const char *path, const struct entry *e,
                      int depth, struct err *err)
{
    if (!e->is_dir) {
        return w->fn(w->ctx, path, e->size, err);
    }
    if (depth >= WALK_DEPTH_MAX) {
        return ERR(err, ERR_INVALID, ELOOP, "%s/%s is too deep", w->root, path);
    }
    AUTO(free) char *name = strndup(e->name, strlen(e->name) - 1);
    if (name == NULL) {
        return err_no_memory(err);
    }
    int fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : FS_ERR(err, "open folder %s/%s: %m", w->root, path);
    }
    return walk_dir(w, fd, path, depth + 1, err);
}

/* Owns fd. prefix is "" or ends in '/'. */
static int walk_dir(const struct walk *w, int fd, const char *prefix, int depth, struct err *err)
{
    AUTO(closedir) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        FS_ERR(err, "open folder %s/%s: %m", w->root, prefix);
        close(fd);
        return -1;
    }
    struct listing l = {0};
    int rc = listing_read(&l, dir, w->root, err);
    if (l.n > 0) {
        qsort(l.entries, l.n, sizeof *l.entries, by_name);
    }
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s%s", prefix, l.entries[i].name) < 0) {
            rc = err_no_memory(err);
        } else {
            rc = walk_entry(w, dir, path, &l.entries[i], depth, err);
            free(path);
        }
    }
    listing_fini(&l);
    return rc;
}

int fs_walk(const char *root, fs_file_fn *fn, void *ctx, struct err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FS_ERR(err, "open folder %s: %m", root);
    }
    const struct walk w = {.fn = fn, .ctx = ctx, .root = root};
    return walk_dir(&w, fd, "", 0, err);
}
