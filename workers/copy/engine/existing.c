/*
 * existing.c - never overwrite: what has a final name already is hashed. The same content means
 * that the member is done; other content is an error with both hashes, unless it is that of the
 * earlier copy (supersede.c) or an operator allowed to rename it aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/path.h"
#include "workers/copy/engine/internal.h"

struct compare {
    struct copy *copy;
    const struct member *member;
    atomic_size_t next;
    pthread_mutex_t lock;
    char difference[200]; /* lock; "" while all is equal */
};

static void differ(struct compare *cmp, const struct entry *e, const char *how)
{
    char shown[COPY_SHOWN_ROOM];
    pthread_mutex_lock(&cmp->lock);
    if (cmp->difference[0] == '\0') {
        snprintf(cmp->difference, sizeof cmp->difference, "%.90s %s",
                 entry_shown(cmp->copy, e, shown), how);
    }
    pthread_mutex_unlock(&cmp->lock);
    atomic_store(&cmp->copy->stop, true);
}

static int hash_source(struct copy *c, int fd, unsigned char *buf, struct hasher *h)
{
    for (int64_t at = 0; !atomic_load(&c->stop); at += (int64_t)COPY_BLOCK) {
        crew_throttle(c, COPY_BLOCK);
        ssize_t n = read_full(fd, buf, COPY_BLOCK, at);
        if (n < 0) {
            return -1;
        }
        hasher_add(h, buf, (size_t)n);
        atomic_fetch_add(&c->read, n);
        if ((size_t)n < COPY_BLOCK) {
            break;
        }
    }
    return 0;
}

/* size: of the source; the target may be longer. */
static int hash_target(struct copy *c, struct target *t, int64_t size, unsigned char *buf,
                       struct hasher *h)
{
    for (int64_t at = 0; !atomic_load(&c->stop);) {
        size_t want = target_want(size - at);
        ssize_t n = target_read(t, buf, want, at);
        if (n < 0) {
            return -1;
        }
        hasher_add(h, buf, (size_t)n);
        atomic_fetch_add(&c->readback, n);
        at += n;
        if ((size_t)n < want) {
            break;
        }
    }
    return 0;
}

/* Hash both sides of one file; e->hash is the source's. */
static int compare_open(struct compare *cmp, struct entry *e, int source, struct target *t,
                        struct err *err)
{
    struct copy *c = cmp->copy;
    AUTO(hasher_free)
    struct hasher *ours = hasher_new_etag(c->plan->digest, c->plan->etag_part_bytes, err);
    AUTO(hasher_free) struct hasher *theirs = hasher_new(HASH_NONE, err);
    AUTO(buffers_free) struct buffers *buf = buffers_new(1, err);
    struct hash_hex there;
    if (ours == NULL || theirs == NULL || buf == NULL) {
        return -1;
    }
    if (hash_source(c, source, buf->data, ours) != 0) {
        return source_err(c, e, "read", err);
    }
    if (hash_target(c, t, e->id.size, buf->data, theirs) != 0) {
        return target_err(c, e, "read the existing", err);
    }
    hasher_hex(ours, &e->hash);
    hasher_hex(theirs, &there);
    if (!atomic_load(&c->stop) && strcmp(e->hash.xxh3, there.xxh3) != 0) {
        char how[100];
        snprintf(how, sizeof how, "(source %s, target %s)", e->hash.xxh3, there.xxh3);
        differ(cmp, e, how);
    }
    return 0;
}

static int compare_file(struct compare *cmp, struct entry *e, struct err *err)
{
    struct copy *c = cmp->copy;
    struct place from = entry_source(c, e);
    AUTO(free) char *path = entry_target(c, e, err);
    if (path == NULL) {
        return -1;
    }
    int source = openat(from.dir, from.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) {
        return source_err(c, e, "open", err);
    }
    struct target t = {.fd = -1};
    int rc = target_open(&t, !c->plan->buffered, (struct place){c->target_fd, path}, O_RDONLY) != 0
                 ? target_err(c, e, "open the existing", err)
                 : compare_open(cmp, e, source, &t, err);
    target_close(&t);
    close(source);
    return rc;
}

static int compare_some(void *ctx, struct err *err)
{
    struct compare *cmp = ctx;
    struct copy *c = cmp->copy;
    while (!atomic_load(&c->stop)) {
        size_t i = atomic_fetch_add(&cmp->next, 1);
        if (i >= cmp->member->count) {
            break;
        }
        struct entry *e = &c->files.entries[cmp->member->first + i];
        if (!e->is_dir && compare_file(cmp, e, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The names and kinds of everything below both. */
static int compare_names(struct compare *cmp, struct err *err)
{
    struct copy *c = cmp->copy;
    const struct member *m = cmp->member;
    struct scan_root root = {.dir = c->target_fd,
                             .name = m->names->to,
                             .member = (uint32_t)(m - c->members),
                             .at_target = true};
    struct listing there = {0};
    int rc = scan_member(&root, &there, err);
    for (size_t i = 0; rc == 0 && (i < m->count || i < there.n); i++) {
        const struct entry *a = i < m->count ? &c->files.entries[m->first + i] : NULL;
        const struct entry *b = i < there.n ? &there.entries[i] : NULL;
        int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->rel, b->rel);
        if (order != 0) {
            differ(cmp, order < 0 ? a : b, order < 0 ? "is only at the source" : "is only there");
            break;
        }
        if (a->is_dir != b->is_dir) {
            differ(cmp, a, "is a folder on one side and a file on the other");
            break;
        }
    }
    scan_fini(&there);
    return rc;
}

/* 0 when equal, 1 when not (and cmp->difference says how), -1 when that could not be found out. */
static int compare_member(struct compare *cmp, struct err *err)
{
    struct copy *c = cmp->copy;
    const struct member *m = cmp->member;
    atomic_store(&c->stop, false);
    if (compare_names(cmp, err) != 0) {
        return -1;
    }
    if (cmp->difference[0] == '\0') {
        unsigned n = m->count < c->plan->file_threads ? (unsigned)m->count : c->plan->file_threads;
        const struct crew_job job = {.run = compare_some, .ctx = cmp, .threads = n};
        if (crew_run(c, &job, err) != 0) {
            return -1;
        }
    }
    return cmp->difference[0] == '\0' ? 0 : 1;
}

/* The same content under a name that only this target takes for ours: another raw file's. */
static int other_spelling(struct member *m, const char *name, struct err *err)
{
    AUTO(free) char *to = path_escape(m->names->to);
    AUTO(free) char *other = path_escape(name);
    m->there = false;
    return ERR(err, ERR_INVALID, EEXIST,
               "%.100s is there already, and the target takes %.100s for the same name: rename one "
               "of them",
               other != NULL ? other : "?", to != NULL ? to : "?");
}

int existing_equal(struct copy *c, struct member *m, struct err *err)
{
    bool alike = true;
    char other[COPY_NAME_ROOM];
    if (spelling_of_existing(c, m, other, err) != 0) {
        return -1;
    }
    int old = c->plan->n_supersedes > 0 ? superseded_is(c, m, &alike, err) : 0;
    if (old < 0) {
        return -1;
    }
    m->superseded = old == 1 && other[0] == '\0';
    m->has_more = m->superseded && superseded_has_more(c, m);
    if (m->superseded && !alike) { /* the usual case: it grew, and need not be read twice */
        return 0;
    }
    struct compare cmp = {.copy = c, .member = m};
    pthread_mutex_init(&cmp.lock, NULL);
    int rc = compare_member(&cmp, err);
    pthread_mutex_destroy(&cmp.lock);
    m->there = rc == 0;
    m->superseded = m->superseded && rc == 1;
    m->exists = rc == 1 && !m->superseded;
    if (m->exists && !c->plan->rename_aside) {
        AUTO(free) char *to = path_escape(m->names->to);
        AUTO(free) char *name = path_escape(other);
        return ERR(err, ERR_INVALID, EEXIST, "%.100s is there already with other content: %s%s%s",
                   to != NULL ? to : "?", cmp.difference, other[0] != '\0' ? "; its name is " : "",
                   name != NULL ? name : "?");
    }
    return rc < 0 ? -1 : m->there && other[0] != '\0' ? other_spelling(m, other, err) : 0;
}

static int check_one(struct copy *c, struct member *m, struct err *err)
{
    struct stat st;
    if (fstatat(c->target_fd, m->names->to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return existing_equal(c, m, err);
    }
    if (errno != ENOENT) {
        return target_err(c, &c->files.entries[m->first], "look for", err);
    }
    int back = superseded_restore(c, m, err);
    return back == 1 ? existing_equal(c, m, err) : back;
}

int existing_check(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        if (check_one(c, &c->members[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}
