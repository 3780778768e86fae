/*
 * source.c - whether the source still is what was listed, and what to say when it is not.
 * source_err sorts out a path that cannot be used: listed but not there yet is HOLD, gone while a
 * member of the raw file is still there is "source changed", all of them gone is "source vanished".
 *
 * source_same compares an open file before it is read; source_recheck lists everything once more
 * after the last byte was written. Size or inode decide at once. Where only times have moved, the
 * file is read again and its content decides, because SMB servers write times late and scanners
 * touch files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/rehash.h"
#include "workers/copy/engine/internal.h"

static int changed(const struct copy *c, const struct entry *e, const char *how, struct err *err)
{
    char shown[COPY_SHOWN_ROOM];
    return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED, "source changed: %s %s",
               entry_shown(c, e, shown), how);
}

/* --- a path that cannot be used --- */

static bool member_is_there(const struct copy *c, size_t i)
{
    struct stat st;
    return fstatat(c->source_fd, c->members[i].names->from, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool any_is_there(const struct copy *c)
{
    bool there = false;
    for (size_t i = 0; i < c->plan->n_members && !there; i++) {
        there = member_is_there(c, i);
    }
    return there;
}

static bool is_listed(const struct copy *c, const struct entry *e)
{
    struct place at = entry_source(c, e);
    const char *slash = strrchr(at.name, '/');
    if (slash == NULL) {
        return scan_is_listed(at.dir, at.name);
    }
    AUTO(free) char *parent = strndup(at.name, (size_t)(slash - at.name));
    int dir = parent == NULL ? -1 : openat(at.dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool listed = dir >= 0 && scan_is_listed(dir, slash + 1);
    if (dir >= 0) {
        close(dir);
    }
    return listed;
}

int source_err(const struct copy *c, const struct entry *e, const char *what, struct err *err)
{
    int code = errno;
    char shown[COPY_SHOWN_ROOM];
    entry_shown(c, e, shown);
    bool gone = code == ENOENT || code == ENOTDIR;
    if (gone && is_listed(c, e)) {
        return ERR(err, ERR_HOLD, ERR_CODE_SOURCE_BUSY,
                   "source: %s %s: its folder lists it, but it is not there yet", what, shown);
    }
    if (gone) {
        return any_is_there(c) ? changed(c, e, "is gone", err)
                               : ERR(err, ERR_INVALID, code, "source vanished: %s", shown);
    }
    ERR(err, fs_errno_kind(code), code, "source: %s %s: %s", what, shown, strerror(code));
    return fs_share_failed(err);
}

int source_scan(struct copy *c, size_t i, struct listing *out, struct err *err)
{
    struct scan_root root = {
        .dir = c->source_fd, .name = c->members[i].names->from, .member = (uint32_t)i};
    if (scan_member(&root, out, err) == 0) {
        return 0;
    }
    bool vanished = err->kind == ERR_INVALID && (err->code == ENOENT || err->code == ENOTDIR);
    if (vanished && any_is_there(c)) {
        AUTO(free) char *name = path_escape(root.name);
        *err = (struct err){0};
        return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED, "source changed: %s is gone",
                   name != NULL ? name : "?");
    }
    return -1;
}

/* --- is it what was listed? --- */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* How b differs from a beside its times; NULL when it does not. */
static const char *identity_differs(const struct identity *a, const struct identity *b)
{
    return b->size > a->size   ? "grew"
           : b->size < a->size ? "shrank"
           : b->ino != a->ino  ? "was replaced"
                               : NULL;
}

static int changed_to(const struct copy *c, const struct entry *e, const char *verb,
                      const struct identity *now, struct err *err)
{
    char how[100];
    snprintf(how, sizeof how, "%s (%lld, now %lld bytes)", verb, (long long)e->id.size,
             (long long)now->size);
    return changed(c, e, how, err);
}

static bool times_moved(const struct identity *a, const struct identity *b)
{
    return !same_time(a->mtime, b->mtime) || !same_time(a->ctime, b->ctime);
}

int source_same(const struct copy *c, struct entry *e, int fd, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return source_err(c, e, "look at", err);
    }
    struct identity now = identity_of(&st);
    const char *how = identity_differs(&e->id, &now);
    if (how != NULL) {
        return changed_to(c, e, how, &now, err);
    }
    e->touched |= times_moved(&e->id, &now);
    e->id = now;
    return 0;
}

struct recheck {
    struct copy *copy;
    struct rehash *rehash; /* made when first needed */
};

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void on_read(void *ctx, int64_t bytes)
{
    struct copy *c = ctx;
    atomic_fetch_add(&c->read, bytes);
    crew_throttle(c, (size_t)bytes);
}

static int on_check(void *ctx, struct err *err)
{
    const struct copy *c = ctx;
    const struct copy_hooks *h = &c->plan->hooks;
    return h->check != NULL ? h->check(h->ctx, err) : 0;
}

static int read_again(struct recheck *r, const struct entry *e, struct rehash_seen *seen,
                      struct err *err)
{
    struct copy *c = r->copy;
    const struct rehash_hooks hooks = {.check = on_check, .read = on_read, .ctx = c};
    AUTO(free) char *path = NULL;
    if (r->rehash == NULL && (r->rehash = rehash_new(&hooks, err)) == NULL) {
        return -1;
    }
    if (asprintf(&path, "%s%s%s", c->members[e->member].names->from, *e->rel == '\0' ? "" : "/",
                 e->rel) < 0) {
        path = NULL;
        return err_no_memory(err);
    }
    const struct rehash_file at = {c->plan->source_root, path, HASH_NONE};
    return rehash_file(r->rehash, &at, seen, err);
}

/* Only its times have moved: its content decides, provided that they do not move meanwhile. */
static int settle(struct recheck *r, struct entry *e, const struct identity *now, struct err *err)
{
    struct copy *c = r->copy;
    struct rehash_seen seen;
    struct err why = {0};
    if (read_again(r, e, &seen, &why) != 0) {
        if (why.code == EAGAIN) {
            return changed_to(c, e, "was written", now, err);
        }
        if (why.code > 0 && why.code != ENOMEM) {
            errno = why.code;
            return source_err(c, e, "read again", err);
        }
        *err = why;
        return -1;
    }
    bool still = seen.mtime_ns == ns_of(&now->mtime) && seen.ctime_ns == ns_of(&now->ctime);
    if (!still || seen.size != now->size || strcmp(seen.hex.xxh3, e->hash.xxh3) != 0) {
        return changed_to(c, e, "was written", now, err);
    }
    e->id = *now;
    e->touched = false;
    return 0;
}

static int compare_entry(struct recheck *r, struct entry *was, const struct entry *is,
                         struct err *err)
{
    struct copy *c = r->copy;
    if (was->is_dir != is->is_dir) {
        return changed(c, was, "is another kind of file", err);
    }
    if (was->is_dir) {
        return 0;
    }
    const char *how = identity_differs(&was->id, &is->id);
    if (how != NULL) {
        return changed_to(c, was, how, &is->id, err);
    }
    return was->touched || times_moved(&was->id, &is->id) ? settle(r, was, &is->id, err) : 0;
}

static int compare_member(struct recheck *r, const struct member *m, const struct listing *now,
                          struct err *err)
{
    struct copy *c = r->copy;
    for (size_t i = 0; i < m->count || i < now->n; i++) {
        struct entry *was = i < m->count ? &c->files.entries[m->first + i] : NULL;
        const struct entry *is = i < now->n ? &now->entries[i] : NULL;
        int order = was == NULL ? 1 : is == NULL ? -1 : strcmp(was->rel, is->rel);
        if (order != 0) {
            return changed(c, order < 0 ? was : is, order < 0 ? "is gone" : "is new", err);
        }
        if (compare_entry(r, was, is, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int source_recheck(struct copy *c, struct err *err)
{
    struct recheck r = {.copy = c};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->plan->n_members; i++) {
        struct listing now = {0};
        rc = source_scan(c, i, &now, err);
        rc = rc == 0 ? compare_member(&r, &c->members[i], &now, err) : rc;
        scan_fini(&now);
    }
    rehash_free(r.rehash);
    return rc;
}
