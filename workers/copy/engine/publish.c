/*
 * publish.c - the final names. Each member gets its name by one rename that cannot overwrite; of a
 * set the main file comes last, so a program that waits for it finds the others there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "workers/copy/engine/internal.h"

#define ASIDE_MAX 10000

/* What has the name already is kept (an operator allowed to rename other content, or the earlier
 * copy has files that the source has no more): <name>.<n>.alphakraken.bkp. */
static int move_aside(struct copy *c, const struct member *m, struct err *err)
{
    char aside[2 * COPY_NAME_ROOM];
    struct stat st;
    if (fstatat(c->target_fd, m->names->to, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? 0 : target_err(c, &c->files.entries[m->first], "look for", err);
    }
    for (int n = 1; n < ASIDE_MAX; n++) {
        snprintf(aside, sizeof aside, "%s.%d.alphakraken.bkp", m->names->to, n);
        if (target_rename_new(c, m->names->to, aside) == 0) {
            log_warn("copy_kept_aside", KV("folder", c->target_path), KV("name", m->names->to),
                     KV("has_more", m->has_more));
            return 0;
        }
        if (errno != EEXIST && errno != ENOTEMPTY) {
            break;
        }
    }
    return target_err(c, &c->files.entries[m->first], "rename aside", err);
}

static int no_name(struct copy *c, const struct member *m, struct err *err)
{
    char shown[COPY_SHOWN_ROOM];
    int code = errno;
    return fs_is_held(code)
               ? ERR(err, ERR_HOLD, code,
                     "target %s: %s is whole, and cannot get its name while somebody "
                     "has it, or a file in it, open: %s",
                     c->target_path, entry_shown(c, &c->files.entries[m->first], shown),
                     strerror(code))
               : target_err(c, &c->files.entries[m->first], "give its name to", err);
}

static int publish(struct copy *c, struct member *m, struct err *err)
{
    if (m->superseded && !m->has_more) {
        return superseded_replace(c, m, err);
    }
    if ((m->exists || m->superseded) && move_aside(c, m, err) != 0) {
        return -1;
    }
    if (target_rename_new(c, m->part, m->names->to) == 0) {
        return 0;
    }
    if (errno != EEXIST && errno != ENOTEMPTY) {
        return no_name(c, m, err);
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

/* A copy whose mark is missing is a right copy. */
static void mark_last(const struct copy *c, const struct member *m)
{
    const struct entry *e = &c->files.entries[m->first];
    const struct fs_name final = {c->target_fd, m->names->to};
    if (is_marked_last(c, e) && fs_mark_read_only(&final, e->id.mode) != 0) {
        log_info("copy_not_read_only", KV("folder", c->target_path), KV("name", m->names->to));
    }
}

static bool is_main(const struct copy *c, const struct member *m)
{
    return c->plan->main != NULL && strcmp(m->names->to, c->plan->main) == 0;
}

static int publish_those(struct copy *c, bool main, struct err *err)
{
    for (size_t i = 0; i < c->plan->n_members; i++) {
        struct member *m = &c->members[i];
        if (m->there || is_main(c, m) != main) {
            continue;
        }
        if (publish(c, m, err) != 0) {
            return -1;
        }
        mark_last(c, m);
    }
    if (!c->plan->no_sync && fs_fsync_dir(c->target_fd) != 0) {
        return target_err(c, NULL, "flush the folder", err);
    }
    return 0;
}

/* What somebody has open cannot be removed now. The copy is whole all the same: after a while that
 * is left for people to see. */
static int clear_leftovers(struct copy *c, const struct member *m, struct err *err)
{
    int64_t until = mono_ms() + COPY_PATIENCE_MS;
    int rc;
    while ((rc = leftover_clear(c, m->key, err)) == 1 && crew_again(c, EBUSY, until)) {
    }
    if (rc == 1) {
        log_warn("copy_leftovers_stay", KV("folder", c->target_path), KV("name", m->names->to));
    }
    return rc < 0 ? -1 : 0;
}

int publish_all(struct copy *c, struct err *err)
{
    if (publish_those(c, false, err) != 0 || publish_those(c, true, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->plan->n_members; i++) {
        if (clear_leftovers(c, &c->members[i], err) != 0 ||
            superseded_clear(c, &c->members[i], err) != 0) {
            return -1;
        }
        c->members[i].has_part = false;
    }
    return 0;
}
