/*
 * folders.c - the folders of a part: made before the first file, given their modes and times after
 * the last one (a file made inside would change the time again, a read-only folder refuse it).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/copy/engine/internal.h"

/* A folder that anybody may not enter, ours to write: made, or left by an earlier attempt. */
static int make_dir(int dir, const char *name)
{
    if (mkdirat(dir, name, 0700) == 0) {
        return 0;
    }
    struct stat st;
    if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return remove_tree(dir, name) == 0 ? mkdirat(dir, name, 0700) : -1;
    }
    return fchmodat(dir, name, 0700, 0);
}

static const struct entry *source_entry(const struct copy *c, const struct member *m,
                                        const char *rel)
{
    for (size_t i = m->first, end = m->first + m->count; i < end; i++) {
        if (strcmp(c->files.entries[i].rel, rel) == 0) {
            return &c->files.entries[i];
        }
    }
    return NULL;
}

/* An adopted folder may hold what the source no longer has, or has as another kind of file. */
static int remove_strangers(struct copy *c, struct member *m, struct err *err)
{
    struct scan_root root = {.dir = c->target_fd, .name = m->part, .at_target = true};
    struct listing have = {0};
    int rc = scan_member(&root, &have, err);
    size_t expected = m->first;
    for (size_t i = 0; rc == 0 && i < have.n; i++) {
        /* Both lists have the same order: nearly always the next one fits. */
        const struct entry *is = &have.entries[i];
        const struct entry *want =
            expected < m->first + m->count ? &c->files.entries[expected] : NULL;
        if (want == NULL || strcmp(want->rel, is->rel) != 0) {
            want = source_entry(c, m, is->rel);
        }
        if (want != NULL && want->is_dir == is->is_dir) {
            expected = (size_t)(want - c->files.entries) + 1;
        } else if (remove_tree(m->part_fd, is->rel) != 0) {
            rc = target_err(c, NULL, "clear leftovers in", err);
        }
    }
    scan_fini(&have);
    return rc;
}

static int make_all(struct copy *c, struct member *m, struct err *err)
{
    struct stat st;
    bool adopted = fstatat(c->target_fd, m->part, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (make_dir(c->target_fd, m->part) != 0) {
        return target_err(c, &c->files.entries[m->first], "make a folder for", err);
    }
    m->part_fd = openat(c->target_fd, m->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (m->part_fd < 0) {
        return target_err(c, &c->files.entries[m->first], "open the folder of", err);
    }
    for (size_t i = m->first + 1; i < m->first + m->count; i++) {
        const struct entry *e = &c->files.entries[i];
        if (e->is_dir && make_dir(m->part_fd, e->rel) != 0) {
            return target_err(c, e, "make a folder for", err);
        }
    }
    return adopted ? remove_strangers(c, m, err) : 0;
}

int folders_make(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        struct member *m = &c->members[i];
        if (m->is_dir && !m->there && make_all(c, m, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int finish(struct copy *c, const struct entry *e, struct err *err)
{
    const struct member *m = &c->members[e->member];
    const char *name = *e->rel == '\0' ? "." : e->rel;
    int fd = openat(m->part_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? -1 : apply_metadata(c, fd, e);
    if (rc != 0) {
        target_err(c, e, "finish the folder", err);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

/* Deepest first: setting a folder's mode or time touches its parent no more. One flush for all. */
int folders_finish(struct copy *c, struct err *err)
{
    bool any = false;
    for (size_t i = c->files.n; i-- > 0;) {
        const struct entry *e = &c->files.entries[i];
        if (!e->is_dir || c->members[e->member].there) {
            continue;
        }
        if (finish(c, e, err) != 0) {
            return -1;
        }
        any = true;
    }
    return any ? flush_all(c, err) : 0;
}
