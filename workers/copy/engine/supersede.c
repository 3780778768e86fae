/*
 * supersede.c - an acquisition went on after it had seemed to end, and its early copy has been
 * published. That copy, and nothing else, makes way for the new one: what has the final name must
 * consist of exactly the files that one early copy recorded, by size and hash, read again from the
 * disk; and it must not have been touched between that and the moment of replacing it.
 *
 * An early copy with a file that the source has no more does not go: it is renamed aside, for what
 * somebody deletes at the instrument must not vanish from the backup.
 *
 * Two names are swapped in one call, and the old content, which now bears the part's name, is
 * removed with the other leftovers once the folder is flushed. Where names cannot be swapped, a
 * file's rename replaces in one call as well; a folder steps aside to ".<name>.trawl-old" first. An
 * attempt that dies just then leaves both, and the next one puts the old one back before it begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "workers/copy/engine/internal.h"

struct record { /* of one early copy */
    const struct copy_superseded *files;
    size_t n;
};

struct proof {
    struct copy *copy;
    const struct member *member;
    const struct listing *there;
    struct record record;
    const struct copy_superseded **want; /* beside there; NULL for a folder */
    atomic_size_t next;
    atomic_bool other; /* something is not what was recorded */
};

static int by_path(const void *key, const void *one)
{
    return strcmp(key, ((const struct copy_superseded *)one)->path);
}

static char *path_of(const struct member *m, const struct entry *e, struct err *err)
{
    char *path;
    if (asprintf(&path, "%s%s%s", m->names->to, *e->rel == '\0' ? "" : "/", e->rel) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return path;
}

static size_t count_recorded(const struct record *r, const char *to)
{
    size_t n = 0, len = strlen(to);
    for (size_t i = 0; i < r->n; i++) {
        const char *path = r->files[i].path;
        n += strncmp(path, to, len) == 0 && (path[len] == '\0' || path[len] == '/');
    }
    return n;
}

/* --- is it what was recorded? --- */

/* 1 when names and sizes are those of the record, 0 when not, -1 when memory is short. */
static int match_names(struct proof *p, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < p->there->n; i++) {
        const struct entry *e = &p->there->entries[i];
        if (e->is_dir) {
            continue;
        }
        AUTO(free) char *path = path_of(p->member, e, err);
        if (path == NULL) {
            return -1;
        }
        p->want[i] = bsearch(path, p->record.files, p->record.n, sizeof *p->record.files, by_path);
        if (p->want[i] == NULL || p->want[i]->size != e->id.size) {
            return 0;
        }
        n++;
    }
    return n > 0 && n == count_recorded(&p->record, p->member->names->to) ? 1 : 0;
}

static int hash_open(struct proof *p, struct target *t, const struct entry *e, struct hash_hex *hex,
                     struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(HASH_NONE, err);
    AUTO(buffers_free) struct buffers *buf = buffers_new(1, err);
    if (h == NULL || buf == NULL) {
        return -1;
    }
    for (int64_t at = 0; at < e->id.size && !atomic_load(&p->copy->stop);) {
        ssize_t n = target_read(t, buf->data, target_want(e->id.size - at), at);
        if (n < 0) {
            return target_err(p->copy, &p->copy->files.entries[p->member->first],
                              "read the earlier copy of", err);
        }
        if (n == 0) {
            break;
        }
        hasher_add(h, buf->data, (size_t)n);
        atomic_fetch_add(&p->copy->readback, n);
        at += n;
    }
    hasher_hex(h, hex);
    return 0;
}

static int hash_one(struct proof *p, size_t i, struct err *err)
{
    const struct entry *e = &p->there->entries[i];
    AUTO(free) char *path = path_of(p->member, e, err);
    struct target t = {.fd = -1};
    struct hash_hex hex;
    if (path == NULL) {
        return -1;
    }
    if (target_open(&t, !p->copy->plan->buffered, (struct place){p->copy->target_fd, path},
                    O_RDONLY) != 0) {
        return target_err(p->copy, &p->copy->files.entries[p->member->first],
                          "open the earlier copy of", err);
    }
    int rc = hash_open(p, &t, e, &hex, err);
    target_close(&t);
    if (rc == 0 && !atomic_load(&p->copy->stop) && strcmp(hex.xxh3, p->want[i]->xxh3) != 0) {
        atomic_store(&p->other, true);
        atomic_store(&p->copy->stop, true); /* the others need not go on */
    }
    return rc;
}

static int hash_some(void *ctx, struct err *err)
{
    struct proof *p = ctx;
    while (!atomic_load(&p->copy->stop)) {
        size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->there->n) {
            break;
        }
        if (p->want[i] != NULL && hash_one(p, i, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int match_hashes(struct proof *p, struct err *err)
{
    unsigned most = p->copy->plan->file_threads;
    const struct crew_job job = {
        .run = hash_some, .ctx = p, .threads = p->there->n < most ? (unsigned)p->there->n : most};
    if (crew_run(p->copy, &job, err) != 0) {
        return -1;
    }
    return atomic_load(&p->other) ? 0 : 1;
}

static bool same_shape(const struct copy *c, const struct member *m, const struct listing *there)
{
    bool same = there->n == m->count;
    for (size_t i = 0; same && i < there->n; i++) {
        const struct entry *a = &c->files.entries[m->first + i], *b = &there->entries[i];
        same = strcmp(a->rel, b->rel) == 0 && a->is_dir == b->is_dir &&
               (a->is_dir || a->id.size == b->id.size);
    }
    return same;
}

static int list_there(struct copy *c, const struct member *m, struct listing *out, struct err *err)
{
    const struct scan_root root = {.dir = c->target_fd,
                                   .name = m->names->to,
                                   .member = (uint32_t)(m - c->members),
                                   .at_target = true};
    return scan_member(&root, out, err);
}

static struct record next_record(const struct copy_plan *p, size_t from)
{
    struct record r = {.files = p->supersedes + from};
    while (from + r.n < p->n_supersedes && r.files[r.n].copy == r.files[0].copy) {
        r.n++;
    }
    return r;
}

static int matches(struct copy *c, struct member *m, struct record r, struct err *err)
{
    AUTO(free) const struct copy_superseded **want = calloc(m->old.n + 1, sizeof *want);
    if (want == NULL) {
        return err_no_memory(err);
    }
    struct proof p = {.copy = c, .member = m, .there = &m->old, .record = r, .want = want};
    int rc = match_names(&p, err);
    return rc == 1 ? match_hashes(&p, err) : rc;
}

int superseded_is(struct copy *c, struct member *m, bool *alike, struct err *err)
{
    scan_fini(&m->old);
    m->old = (struct listing){0};
    if (list_there(c, m, &m->old, err) != 0) {
        return -1;
    }
    *alike = same_shape(c, m, &m->old);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < c->plan->n_supersedes;) {
        struct record r = next_record(c->plan, at);
        rc = matches(c, m, r, err);
        at += r.n;
    }
    return rc;
}

bool superseded_has_more(const struct copy *c, const struct member *m)
{
    const struct entry *now = &c->files.entries[m->first];
    size_t next = 0;
    for (size_t i = 0; i < m->old.n; i++) {
        const struct entry *old = &m->old.entries[i];
        size_t k = 0; /* both lists have the same order: nearly always the next one fits */
        while (k < m->count && strcmp(now[(next + k) % m->count].rel, old->rel) != 0) {
            k++;
        }
        const struct entry *found = &now[(next + k) % m->count];
        if (!old->is_dir && (k == m->count || found->is_dir)) {
            return true;
        }
        next = (next + k + 1) % m->count;
    }
    return false;
}

/* --- replacing it --- */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Nobody has touched the files since they were hashed. */
static int still_old(struct copy *c, struct member *m, struct err *err)
{
    struct listing now = {0};
    int rc = list_there(c, m, &now, err);
    bool same = rc == 0 && now.n == m->old.n;
    for (size_t i = 0; same && i < now.n; i++) {
        const struct entry *a = &m->old.entries[i], *b = &now.entries[i];
        same = strcmp(a->rel, b->rel) == 0 && a->is_dir == b->is_dir && a->id.ino == b->id.ino &&
               (a->is_dir || (a->id.size == b->id.size && same_time(a->id.mtime, b->id.mtime) &&
                              same_time(a->id.ctime, b->id.ctime)));
    }
    scan_fini(&now);
    if (rc == 0 && !same) {
        rc = ERR(err, ERR_TRANSIENT, EEXIST, "the earlier copy of %.150s was changed meanwhile",
                 m->names->to);
    }
    return rc;
}

static bool cannot(int code)
{
    return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
}

static int step_aside(struct copy *c, const struct member *m)
{
    char old[COPY_NAME_ROOM];
    part_old(m->key, !c->traits.smb, old);
    if (target_rename_new(c, m->names->to, old) != 0) {
        return -1;
    }
    if (target_rename_new(c, m->part, m->names->to) == 0) {
        return 0;
    }
    int code = errno; /* the next attempt would put it back, too; so it has its name the sooner */
    (void)!target_rename_new(c, old, m->names->to);
    errno = code;
    return -1;
}

static int replace(struct copy *c, const struct member *m)
{
    int dir = c->target_fd;
    if (!c->plan->no_exchange) {
        if (renameat2(dir, m->part, dir, m->names->to, RENAME_EXCHANGE) == 0) {
            return 0;
        }
        if (!cannot(errno)) {
            return -1;
        }
    }
    if (!m->is_dir && !m->old.entries[0].is_dir) {
        return renameat(dir, m->part, dir, m->names->to);
    }
    return step_aside(c, m);
}

int superseded_replace(struct copy *c, struct member *m, struct err *err)
{
    if (still_old(c, m, err) != 0) {
        return -1;
    }
    int64_t until = mono_ms() + COPY_PATIENCE_MS;
    int rc;
    while ((rc = replace(c, m)) != 0 && crew_again(c, errno, until)) {
    }
    return rc == 0 ? 0
                   : target_err(c, &c->files.entries[m->first], "replace the earlier copy of", err);
}

/* --- what an attempt left that died in between --- */

/* In either form of the name, by any earlier attempt. */
int superseded_restore(struct copy *c, struct member *m, struct err *err)
{
    char old[COPY_NAME_ROOM];
    for (int dotted = 0; dotted < 2; dotted++) {
        part_old(m->key, dotted != 0, old);
        if (target_rename_new(c, old, m->names->to) == 0) {
            return 1;
        }
        if (errno != ENOENT) {
            return target_err(c, &c->files.entries[m->first],
                              "give its name back to the earlier copy of", err);
        }
    }
    return 0;
}

int superseded_clear(struct copy *c, const struct member *m, struct err *err)
{
    char old[COPY_NAME_ROOM];
    for (int dotted = 0; dotted < 2; dotted++) {
        part_old(m->key, dotted != 0, old);
        if (remove_tree(c->target_fd, old) != 0) {
            return target_err(c, &c->files.entries[m->first], "remove the earlier copy of", err);
        }
    }
    return 0;
}
