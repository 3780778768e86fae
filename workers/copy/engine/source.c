/* source.c - whether the source still is what was listed, and what to say when it is not. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs.h"
#include "workers/copy/engine/internal.h"

int source_err(const struct copy *c, const struct entry *e, const char *what, struct err *err)
{
    int code = errno;
    char shown[COPY_SHOWN_ROOM];
    entry_shown(c, e, shown);
    if (code == ENOENT || code == ENOTDIR) {
        return ERR(err, ERR_INVALID, code, "source vanished: %s", shown);
    }
    return ERR(err, fs_errno_kind(code), code, "source: %s %s: %s", what, shown, strerror(code));
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* How b differs from a; NULL when it does not. */
static const char *identity_differs(const struct identity *a, const struct identity *b)
{
    if (b->size != a->size) {
        return b->size > a->size ? "grew" : "shrank";
    }
    if (b->ino != a->ino) {
        return "was replaced";
    }
    return same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime) ? NULL : "was written";
}

static int changed(const struct copy *c, const struct entry *e, const struct identity *now,
                   struct err *err)
{
    const char *how = identity_differs(&e->id, now);
    if (how == NULL) {
        return 0;
    }
    char shown[COPY_SHOWN_ROOM];
    return ERR(err, ERR_INVALID, 0, "source changed: %s %s (%lld, now %lld bytes)",
               entry_shown(c, e, shown), how, (long long)e->id.size, (long long)now->size);
}

int source_same(const struct copy *c, const struct entry *e, int fd, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return source_err(c, e, "look at", err);
    }
    struct identity now = identity_of(&st);
    return changed(c, e, &now, err);
}

static int compare_member(const struct copy *c, const struct member *m, const struct listing *now,
                          struct err *err)
{
    char shown[COPY_SHOWN_ROOM];
    for (size_t i = 0; i < m->count || i < now->n; i++) {
        const struct entry *was = i < m->count ? &c->files.entries[m->first + i] : NULL;
        const struct entry *is = i < now->n ? &now->entries[i] : NULL;
        int order = was == NULL ? 1 : is == NULL ? -1 : strcmp(was->rel, is->rel);
        if (order != 0) {
            return ERR(err, ERR_INVALID, 0, "source changed: %s %s",
                       entry_shown(c, order < 0 ? was : is, shown),
                       order < 0 ? "is gone" : "is new");
        }
        if (was->is_dir != is->is_dir || (!was->is_dir && changed(c, was, &is->id, err) != 0)) {
            return ERR(err, ERR_INVALID, 0, "source changed: %s is another kind of file",
                       entry_shown(c, was, shown));
        }
    }
    return 0;
}

int source_recheck(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        const struct member *m = &c->members[i];
        struct scan_root root = {
            .dir = c->source_fd, .name = m->names->from, .member = (uint32_t)i};
        struct listing now = {0};
        int rc = scan_member(&root, &now, err);
        rc = rc == 0 ? compare_member(c, m, &now, err) : rc;
        scan_fini(&now);
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}
