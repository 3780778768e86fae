/*
 * leftover.c - parts and journals that earlier attempts left in the target's folder.
 *
 * A retry has a newer fence. It takes the newest part over by renaming its journal, unless a
 * process still holds one of the journals: then it begins afresh and leaves those alone until its
 * own copy is published. The part keeps the name that its first writer gave it: an SMB server may
 * still have it open for the dead one, and then refuses it under any other name. A part that cannot
 * be opened is left as well: a fresh one costs bytes, nothing else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "workers/copy/engine/internal.h"

AUTO_DEFINE(DIR, closedir);

struct found {
    int64_t fence; /* -1: none */
    char name[COPY_NAME_ROOM];
};

struct leftovers {
    struct found part, journal; /* the newest */
    int journal_fd;             /* of that journal, locked by us */
    bool own;                   /* this attempt has begun a journal before */
    bool alive;                 /* somebody holds one of the journals */
    bool newer;                 /* a newer attempt has begun */
};

typedef int leftover_fn(struct copy *c, const char *name, const struct part_id *id, void *ctx);

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
        struct part_id id;
        if (part_parse(d->d_name, key, &id) && fn(c, d->d_name, &id, ctx) != 0) {
            return -1;
        }
    }
}

static void found_set(struct found *f, const char *name, int64_t fence)
{
    f->fence = fence;
    snprintf(f->name, sizeof f->name, "%s", name);
}

static void look_at_journal(struct copy *c, const char *name, int64_t fence, struct leftovers *l)
{
    int fd = openat(c->target_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        l->alive = l->alive || errno != ENOENT;
        return;
    }
    /* Without locks nobody can be known to be dead. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !journal_lock_is_proof(c, fd)) {
        l->alive = true;
    } else if (fence > l->journal.fence) {
        found_set(&l->journal, name, fence);
        int old = l->journal_fd;
        l->journal_fd = fd;
        fd = old;
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int look_at(struct copy *c, const char *name, const struct part_id *id, void *ctx)
{
    struct leftovers *l = ctx;
    if (id->fence > c->plan->fence) {
        l->newer = true;
    } else if (id->is_journal && id->fence == c->plan->fence) {
        l->own = true;
    } else if (id->is_journal) {
        look_at_journal(c, name, id->fence, l);
    } else if (id->fence > l->part.fence && !(id->dotted && c->traits.smb)) {
        found_set(&l->part, name, id->fence);
    }
    return 0;
}

static bool opens(struct copy *c, int dir, const char *name)
{
    struct target t = {.fd = -1};
    bool open = target_open(&t, !c->plan->buffered, (struct place){dir, name}, O_RDWR) == 0;
    target_close(&t);
    return open;
}

static bool all_open(struct copy *c, const char *name)
{
    struct err ignored = {0};
    struct listing have = {0};
    const struct scan_root root = {.dir = c->target_fd, .name = name, .at_target = true};
    int dir = openat(c->target_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool good = dir >= 0 && scan_member(&root, &have, &ignored) == 0;
    for (size_t i = 0; good && i < have.n; i++) {
        good = have.entries[i].is_dir || opens(c, dir, have.entries[i].rel);
    }
    scan_fini(&have);
    if (dir >= 0) {
        close(dir);
    }
    return good;
}

static bool is_usable(struct copy *c, const struct member *m, const char *part)
{
    return m->is_dir ? all_open(c, part) : opens(c, c->target_fd, part);
}

/* Also what this attempt has begun before, or taken over: then its journal says so. */
static bool adopt(struct copy *c, struct member *m, struct leftovers *l)
{
    char own[COPY_NAME_ROOM];
    bool complete = l->part.fence >= 0 && (l->own || l->journal.fence >= 0);
    if (l->alive || !complete || !is_usable(c, m, l->part.name)) {
        return false;
    }
    part_journal(c, m->key, own);
    if (!l->own && renameat(c->target_fd, l->journal.name, c->target_fd, own) != 0) {
        return false;
    }
    memcpy(m->part, l->part.name, sizeof m->part);
    return true;
}

int leftover_adopt(struct copy *c, struct member *m, struct err *err)
{
    struct leftovers l = {.part = {.fence = -1}, .journal = {.fence = -1}, .journal_fd = -1};
    bool adopted = false;
    part_name(c, m->key, m->part);
    if (each_leftover(c, m->key, look_at, &l) != 0) {
        target_err(c, NULL, "look for leftovers in", err);
    } else if (l.newer) {
        ERR(err, ERR_FENCED, 0, "a newer attempt has begun to copy %s", m->names->to);
    } else {
        adopted = adopt(c, m, &l);
        m->adopted = adopted || l.part.fence == c->plan->fence;
    }
    if (l.journal_fd >= 0 && (!adopted || l.own)) {
        close(l.journal_fd);
        l.journal_fd = -1;
    }
    if (err->kind != ERR_NONE || (m->journal = journal_open(c, m, l.journal_fd, err)) == NULL) {
        return -1;
    }
    m->has_part = true;
    return l.alive || leftover_clear_older(c, m, err) >= 0 ? 0 : -1;
}

int leftover_part_err(struct copy *c, const struct entry *e, const char *what, struct err *err)
{
    int code = errno;
    char shown[COPY_SHOWN_ROOM];
    const struct member *m = &c->members[e->member];
    bool stuck = code == EINVAL || code == EIO || code == ESTALE || fs_is_held(code);
    if (!m->adopted || !stuck) {
        return target_err(c, e, what, err);
    }
    journal_give_up(c, m);
    return ERR(err, ERR_TRANSIENT, code,
               "target %s: %s %s, which an earlier attempt has left: %s; the next begins afresh",
               c->target_path, what, entry_shown(c, e, shown), strerror(code));
}

/* --- removing --- */

struct clearing {
    int64_t upto;
    const char *spare;
    bool held; /* something stays that somebody has open */
};

static int clear_one(struct copy *c, const char *name, const struct part_id *id, void *ctx)
{
    struct clearing *k = ctx;
    if (id->fence > k->upto || (k->spare != NULL && strcmp(name, k->spare) == 0) ||
        remove_tree(c->target_fd, name) == 0) {
        return 0;
    }
    bool held = fs_is_held(errno) || errno == ENOTEMPTY;
    k->held = k->held || held;
    return held ? 0 : -1;
}

static int clear(struct copy *c, const char *key, struct clearing *k, struct err *err)
{
    if (each_leftover(c, key, clear_one, k) != 0) {
        return target_err(c, NULL, "clear leftovers in", err);
    }
    return k->held ? 1 : 0;
}

int leftover_clear(struct copy *c, const char *key, struct err *err)
{
    return clear(c, key, &(struct clearing){.upto = c->plan->fence}, err);
}

int leftover_clear_older(struct copy *c, const struct member *m, struct err *err)
{
    return clear(c, m->key, &(struct clearing){.upto = c->plan->fence - 1, .spare = m->part}, err);
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
