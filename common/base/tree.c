/*
 * tree.c - everything below a name. tree_add descends from an open folder: it lists the names of
 * one folder, sorts them, appends each and goes into those that are folders. Each level holds one
 * descriptor, at most DEPTH_MAX. A name that is gone between the listing and the look is left out;
 * what is neither a file nor a folder is listed as TREE_OTHER.
 */
#include "common/base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/own.h"
#include "common/base/path.h"
#include "common/base/utf8.h"

#define DEPTH_MAX 64 /* one open descriptor a level */

AUTO_DEFINE(DIR, closedir);

struct names {
    char **at;
    size_t n;
};

static int fail(const char *what, const char *path, struct err *err)
{
    char shown[TREE_SHOWN];
    int code = errno;
    return ERR(err, fs_errno_kind(code), code, "%s %s: %s", what, tree_shown(path, shown),
               strerror(code));
}

const char *tree_shown(const char *path, char buf[static TREE_SHOWN])
{
    AUTO(free) char *escaped = path_escape(path);
    const char *text = escaped != NULL ? escaped : "?";
    size_t len = strlen(text);
    if (len < TREE_SHOWN) {
        memcpy(buf, text, len + 1);
    } else { /* the end helps more than the middle */
        snprintf(buf, TREE_SHOWN, "%.70s...%s", text, text + len - 80);
        utf8_mend(buf);
    }
    return buf;
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct tree_entry *append(struct tree *t, const char *path, const struct stat *st,
                                 struct err *err)
{
    if (t->n == t->room) {
        size_t room = t->room == 0 ? 16 : 2 * t->room;
        struct tree_entry *more = reallocarray(t->entries, room, sizeof *more);
        if (more == NULL) {
            err_no_memory(err);
            return NULL;
        }
        t->entries = more;
        t->room = room;
    }
    struct tree_entry *e = &t->entries[t->n];
    *e = (struct tree_entry){
        .path = strdup(path),
        .kind = S_ISREG(st->st_mode)   ? TREE_FILE
                : S_ISDIR(st->st_mode) ? TREE_DIR
                                       : TREE_OTHER,
        .mode = st->st_mode,
        .size = st->st_size,
        .mtime_ns = ns_of(&st->st_mtim),
        .ctime_ns = ns_of(&st->st_ctim),
    };
    if (e->path == NULL) {
        err_no_memory(err);
        return NULL;
    }
    t->n++;
    return e;
}

static void names_clear(struct names *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->at[i]);
    }
    free(l->at);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(struct names *l, DIR *dir, const char *path, struct err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            return errno == 0 ? 0 : fail("read folder", path, err);
        }
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
            continue;
        }
        char **more = l->n % 64 != 0 ? l->at : reallocarray(l->at, l->n + 64, sizeof *more);
        char *name = strdup(d->d_name);
        if (more == NULL || name == NULL) {
            free(name);
            return err_no_memory(err);
        }
        l->at = more;
        l->at[l->n++] = name;
    }
}

struct spot { /* a name in an open folder, and how deep that is */
    int dir;
    const char *name;
    int depth;
};

static int add(struct tree *t, struct spot at, const char *path, struct err *err);

static int add_names(struct tree *t, DIR *dir, const char *path, int depth, struct err *err)
{
    struct names l = {0};
    int rc = names_read(&l, dir, path, err);
    if (l.n > 0) {
        qsort(l.at, l.n, sizeof *l.at, by_name);
    }
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        char *below = NULL;
        if (asprintf(&below, "%s/%s", path, l.at[i]) < 0) {
            rc = err_no_memory(err);
            break;
        }
        rc = add(t, (struct spot){dirfd(dir), l.at[i], depth}, below, err);
        free(below);
    }
    names_clear(&l);
    return rc;
}

static int add(struct tree *t, struct spot at, const char *path, struct err *err)
{
    struct stat st;
    if (fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : fail("look at", path, err);
    }
    if (append(t, path, &st, err) == NULL || !S_ISDIR(st.st_mode)) {
        return err->kind == ERR_NONE ? 0 : -1;
    }
    if (at.depth >= DEPTH_MAX) {
        errno = ELOOP;
        return fail("too deep:", path, err);
    }
    int fd = openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        fail("open folder", path, err);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return add_names(t, dir, path, at.depth + 1, err);
}

int tree_add(struct tree *t, const char *root, const char *name, struct err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail("open folder", root, err);
    }
    int rc = add(t, (struct spot){fd, name, 0}, name, err);
    close(fd);
    return rc;
}

void tree_clear(struct tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->entries[i].path);
    }
    free(t->entries);
    *t = (struct tree){0};
}

static bool same(const struct tree_entry *a, const struct tree_entry *b)
{
    if (a->kind != b->kind || strcmp(a->path, b->path) != 0) {
        return false;
    }
    return a->kind == TREE_DIR ||
           (a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++) {
        equal = same(&a->entries[i], &b->entries[i]);
    }
    return equal;
}

int tree_parent(const char *root, const char *relative, const char **base)
{
    int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *at = relative;
    for (const char *slash; dir >= 0 && (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        char part[NAME_MAX + 1];
        size_t len = (size_t)(slash - at);
        int next = -1;
        errno = ENAMETOOLONG;
        if (len < sizeof part) {
            memcpy(part, at, len);
            part[len] = '\0';
            next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        int code = errno;
        close(dir);
        errno = code;
        dir = next;
    }
    *base = at;
    return dir;
}
