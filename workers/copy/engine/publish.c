/*
 * publish.c - the final names. Each member gets its name by one rename that cannot overwrite; of a
 * set the main file comes last, so whoever waits for it finds the others there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/path.h"
#include "workers/copy/engine/internal.h"

#define ASIDE_MAX 10000

/*
 * Rename that fails with EEXIST when there is something already. Where the file system cannot say
 * so in one call (NFS), a file gets a second name and loses the first; a folder's rename refuses a
 * folder that is not empty by itself.
 */
int rename_new(int dir, const char *from, const char *to, bool is_dir)
{
    if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
        return -1;
    }
    if (!is_dir && linkat(dir, from, dir, to, 0) == 0) {
        return unlinkat(dir, from, 0);
    }
    if (!is_dir && errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -1;
    }
    if (faccessat(dir, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(dir, from, dir, to);
}

/* Other content stands there and an operator allowed to move it: <name>.<n>.alphakraken.bkp. */
static int move_aside(struct copy *c, const struct member *m, struct err *err)
{
    char aside[2 * COPY_NAME_ROOM];
    struct stat st;
    if (fstatat(c->target_fd, m->names->to, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : target_err(c, &c->files.entries[m->first], "look for", err);
    }
    for (int n = 1; n < ASIDE_MAX; n++) {
        snprintf(aside, sizeof aside, "%s.%d.alphakraken.bkp", m->names->to, n);
        if (rename_new(c->target_fd, m->names->to, aside, S_ISDIR(st.st_mode)) == 0) {
            return 0;
        }
        if (errno != EEXIST && errno != ENOTEMPTY) {
            break;
        }
    }
    return target_err(c, &c->files.entries[m->first], "rename aside", err);
}

static int publish(struct copy *c, struct member *m, struct err *err)
{
    if (m->superseded) {
        return superseded_replace(c, m, err);
    }
    if (m->exists && move_aside(c, m, err) != 0) {
        return -1;
    }
    if (rename_new(c->target_fd, m->part, m->names->to, m->is_dir) == 0) {
        return 0;
    }
    if (errno != EEXIST && errno != ENOTEMPTY) {
        return target_err(c, &c->files.entries[m->first], "give its name to", err);
    }
    /* Somebody was faster: the same content is as good as ours. */
    if (existing_equal(c, m, err) != 0) {
        return -1;
    }
    if (m->there) {
        return remove_tree(c->target_fd, m->part) == 0
                   ? 0
                   : target_err(c, &c->files.entries[m->first], "clear the part of", err);
    }
    return ERR(err, ERR_TRANSIENT, EEXIST, "%s was published by somebody else meanwhile",
               m->names->to);
}

static bool is_main(const struct copy *c, const struct member *m)
{
    return c->plan->main != NULL && strcmp(m->names->to, c->plan->main) == 0;
}

static int publish_those(struct copy *c, bool main, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        struct member *m = &c->members[i];
        if (!m->there && is_main(c, m) == main && publish(c, m, err) != 0) {
            return -1;
        }
    }
    if (!c->plan->no_sync && fsync(c->target_fd) != 0 && errno != EINVAL) {
        return target_err(c, NULL, "flush the folder", err);
    }
    return 0;
}

int publish_all(struct copy *c, struct err *err)
{
    if (publish_those(c, false, err) != 0 || publish_those(c, true, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->plan->n_members; i++) {
        if (leftover_clear(c, c->members[i].key, c->plan->fence, err) != 0 ||
            superseded_clear(c, &c->members[i], err) != 0) {
            return -1;
        }
        c->members[i].has_part = false;
    }
    return 0;
}
