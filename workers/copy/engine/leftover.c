/*
 * leftover.c - parts and journals that earlier attempts left in the target's folder.
 *
 * A retry has a newer fence. It takes the newest part over by renaming it (first the journal, then
 * the part; dying in between leaves names that the next attempt sorts out the same way), unless a
 * process still holds one of the journals: then it begins afresh and leaves those alone until its
 * own copy is published.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "workers/copy/engine/internal.h"

AUTO_DEFINE(DIR, closedir);

struct leftovers {
    int64_t part, journal; /* the newest older fence that left one; -1: none */
    int journal_fd;        /* of that journal, locked by us */
    bool alive;            /* somebody holds one of the journals */
    bool newer;            /* a newer attempt has begun */
};

typedef int leftover_fn(struct copy *c, const char *name, int64_t fence, bool is_journal,
                        void *ctx);

/* Calls fn for every part and journal of the key. */
static int each_leftover(struct copy *c, const char *key, leftover_fn *fn, void *ctx)
{
    int fd = openat(c->target_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        return -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            return errno == 0 ? 0 : -1;
        }
        int64_t fence;
        bool is_journal;
        if (part_parse(d->d_name, key, &fence, &is_journal) &&
            fn(c, d->d_name, fence, is_journal, ctx) != 0) {
            return -1;
        }
    }
}

static void look_at_journal(struct copy *c, const char *name, int64_t fence, struct leftovers *l)
{
    int fd = openat(c->target_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        l->alive = l->alive || errno != ENOENT;
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) { /* without locks nobody can be known to be dead */
        l->alive = true;
    } else if (fence > l->journal) {
        l->journal = fence;
        int old = l->journal_fd;
        l->journal_fd = fd;
        fd = old;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int look_at(struct copy *c, const char *name, int64_t fence, bool is_journal, void *ctx)
{
    struct leftovers *l = ctx;
    if (fence > c->plan->fence) {
        l->newer = true;
    } else if (fence == c->plan->fence) {
        return 0;
    } else if (is_journal) {
        look_at_journal(c, name, fence, l);
    } else if (fence > l->part) {
        l->part = fence;
    }
    return 0;
}

/* rename without overwriting; a name of our own fence that is there already wins. */
static int take_over(struct copy *c, const char *old, const char *own)
{
    if (faccessat(c->target_fd, own, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(c->target_fd, old, c->target_fd, own);
}

static int adopt(struct copy *c, struct member *m, struct leftovers *l)
{
    char old[COPY_NAME_ROOM], own[COPY_NAME_ROOM];
    if (l->alive || l->journal < 0) {
        return -1;
    }
    part_journal(m->key, l->journal, old);
    part_journal(m->key, c->plan->fence, own);
    if (take_over(c, old, own) != 0) {
        return -1;
    }
    if (l->part >= 0) {
        part_name(m->key, l->part, old);
        return take_over(c, old, m->part) == 0 || errno == EEXIST ? 0 : -1;
    }
    return 0;
}

int leftover_adopt(struct copy *c, struct member *m, struct err *err)
{
    struct leftovers l = {.part = -1, .journal = -1, .journal_fd = -1};
    part_name(m->key, c->plan->fence, m->part);
    if (each_leftover(c, m->key, look_at, &l) != 0) {
        target_err(c, NULL, "look for leftovers in", err);
    } else if (l.newer) {
        ERR(err, ERR_FENCED, 0, "a newer attempt has begun to copy %s", m->names->to);
    }
    if (err->kind != ERR_NONE) {
        if (l.journal_fd >= 0) {
            close(l.journal_fd);
        }
        return -1;
    }
    if (adopt(c, m, &l) != 0 && l.journal_fd >= 0) {
        close(l.journal_fd);
        l.journal_fd = -1;
    }
    m->journal = journal_open(c, m, l.journal_fd, err);
    if (m->journal == NULL) {
        return -1;
    }
    m->has_part = true;
    return l.alive ? 0 : leftover_clear(c, m->key, c->plan->fence - 1, err);
}

static int clear_one(struct copy *c, const char *name, int64_t fence, bool is_journal, void *ctx)
{
    const int64_t *upto = ctx;
    (void)is_journal;
    return fence > *upto ? 0 : remove_tree(c->target_fd, name);
}

int leftover_clear(struct copy *c, const char *key, int64_t upto_fence, struct err *err)
{
    if (each_leftover(c, key, clear_one, &upto_fence) != 0) {
        return target_err(c, NULL, "clear leftovers in", err);
    }
    return 0;
}

static int remove_below(int fd)
{
    AUTO(closedir) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            return errno == 0 ? 0 : -1;
        }
        bool dots = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
        if (!dots && remove_tree(dirfd(dir), d->d_name) != 0) {
            return -1;
        }
    }
}

int remove_tree(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return -1;
    }
    if (fchmodat(dir, name, 0700, 0) != 0 && errno != EPERM) { /* read-only: it lets nothing go */
        return -1;
    }
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || remove_below(fd) != 0) {
        return -1;
    }
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}
