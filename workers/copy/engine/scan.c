/*
 * scan.c - the list of what a member consists of, and whether the source still is what was listed.
 *
 * Descends by descriptor (openat, O_NOFOLLOW): a folder that is swapped for a symbolic link under
 * our feet cannot lead out of the root. Originals have no symbolic links and no special files;
 * meeting one is an error that names it, because leaving it out would make an incomplete backup.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "workers/copy/engine/internal.h"

#define SCAN_DEPTH_MAX 64 /* one open descriptor a level */

AUTO_DEFINE(DIR, closedir);

struct names {
    char **at;
    size_t n, room;
};

struct scan {
    const struct scan_root *root;
    struct listing *out;
    int depth;
};

static int scan_fail(const struct scan *s, const char *rel, const char *what, struct err *err)
{
    int code = errno;
    AUTO(free) char *name = path_escape(s->root->name);
    AUTO(free) char *below = path_escape(rel);
    const char *slash = *rel == '\0' ? "" : "/";
    bool missing = code == ENOENT || code == ENOTDIR, gone = missing && !s->root->at_target;
    enum err_kind kind = gone ? ERR_INVALID : missing ? ERR_TRANSIENT : fs_share_kind(code);
    ERR(err, kind, code, "%s%s %s%s%s: %s",
        gone                 ? "source vanished: "
        : s->root->at_target ? "target: "
                             : "source: ",
        what, name != NULL ? name : "?", slash, below != NULL ? below : "?", strerror(code));
    return s->root->at_target ? -1 : fs_share_failed(err);
}

bool scan_is_listed(int dir, const char *name)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(closedir) DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (names == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    const struct dirent *d;
    do {
        d = readdir(names);
    } while (d != NULL && strcmp(d->d_name, name) != 0);
    return d != NULL;
}

/* It was listed a moment ago. */
static int scan_failed_at(const struct scan *s, int dir, const char *name, const char *rel,
                          const char *what, struct err *err)
{
    if (s->root->at_target || (errno != ENOENT && errno != ENOTDIR)) {
        return scan_fail(s, rel, what, err);
    }
    if (scan_is_listed(dir, name)) {
        errno = EBUSY;
        return scan_fail(s, rel, "its folder lists it, but it is not there yet:", err);
    }
    if (*rel == '\0') {
        errno = ENOENT;
        return scan_fail(s, rel, what, err);
    }
    AUTO(free) char *top = path_escape(s->root->name);
    AUTO(free) char *below = path_escape(rel);
    return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED, "source changed: %s/%s is gone",
               top != NULL ? top : "?", below != NULL ? below : "?");
}

struct identity identity_of(const struct stat *st)
{
    return (struct identity){
        .ino = st->st_ino,
        .size = st->st_size,
        .mtime = st->st_mtim,
        .ctime = st->st_ctim,
        .atime = st->st_atim,
        .mode = st->st_mode & 07777,
    };
}

static int listing_add(const struct scan *s, const char *rel, const struct stat *st,
                       struct err *err)
{
    struct listing *l = s->out;
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
    *e = (struct entry){.rel = strdup(rel),
                        .member = s->root->member,
                        .is_dir = S_ISDIR(st->st_mode),
                        .id = identity_of(st)};
    if (e->rel == NULL) {
        return err_no_memory(err);
    }
    l->n++;
    return 0;
}

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->at[i]);
    }
    free(names->at);
}

static int names_add(struct names *names, const char *name)
{
    if (names->n == names->room) {
        size_t room = names->room == 0 ? 64 : 2 * names->room;
        char **more = realloc(names->at, room * sizeof *more);
        if (more == NULL) {
            return -1;
        }
        names->at = more;
        names->room = room;
    }
    names->at[names->n] = strdup(name);
    return names->at[names->n] == NULL ? -1 : (names->n++, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(const struct scan *s, DIR *dir, const char *rel, struct names *names,
                      struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL && errno != 0) {
            return scan_fail(s, rel, "read folder", err);
        }
        if (d == NULL) {
            break;
        }
        bool dots = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
        if (!dots && names_add(names, d->d_name) != 0) {
            return err_no_memory(err);
        }
    }
    if (names->n > 0) {
        qsort(names->at, names->n, sizeof *names->at, by_name);
    }
    return 0;
}

static int scan_at(struct scan *s, int dir, const char *name, const char *rel, struct err *err);

/* Owns fd. */
static int scan_dir(struct scan *s, int fd, const char *rel, struct err *err)
{
    AUTO(closedir) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        scan_fail(s, rel, "open folder", err);
        close(fd);
        return -1;
    }
    if (s->depth >= SCAN_DEPTH_MAX) {
        errno = ELOOP;
        return scan_fail(s, rel, "folders too deep", err);
    }
    s->depth++;
    struct names names = {0};
    int rc = names_read(s, dir, rel, &names, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s%s%s", rel, *rel == '\0' ? "" : "/", names.at[i]) < 0) {
            rc = err_no_memory(err);
            break;
        }
        rc = scan_at(s, dirfd(dir), names.at[i], path, err);
        free(path);
    }
    names_fini(&names);
    s->depth--;
    return rc;
}

/* name is relative to dir; rel to the member. */
static int scan_at(struct scan *s, int dir, const char *name, const char *rel, struct err *err)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return scan_failed_at(s, dir, name, rel, "look at", err);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        AUTO(free) char *shown = path_escape(*rel == '\0' ? s->root->name : rel);
        return ERR(err, ERR_INVALID, ELOOP, "%s is %s: neither a file nor a folder, not copied",
                   shown != NULL ? shown : "?",
                   S_ISLNK(st.st_mode) ? "a symbolic link" : "a special file");
    }
    if (listing_add(s, rel, &st, err) != 0) {
        return -1;
    }
    if (S_ISREG(st.st_mode)) {
        return 0;
    }
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? scan_failed_at(s, dir, name, rel, "open folder", err)
                  : scan_dir(s, fd, rel, err);
}

int scan_member(const struct scan_root *root, struct listing *out, struct err *err)
{
    struct scan s = {.root = root, .out = out};
    return scan_at(&s, root->dir, root->name, "", err);
}

void scan_fini(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->entries[i].rel);
        free(l->entries[i].claims);
    }
    free(l->entries);
    *l = (struct listing){0};
}
