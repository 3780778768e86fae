/*
 * reserve.c - room for the copy before its first byte: a look at the free space, then the parts of
 * large files are allocated (where the file system can). Too little room is HOLD with both figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "workers/copy/engine/internal.h"

#define UNIT 4096 /* what a small file takes at least */

static int64_t allocated(struct place at)
{
    struct stat st;
    return fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
               ? (int64_t)st.st_blocks * 512
               : 0;
}

static int64_t needed(const struct copy *c)
{
    int64_t sum = 0;
    for (size_t i = 0; i < c->files.n; i++) {
        const struct entry *e = &c->files.entries[i];
        if (c->members[e->member].there) {
            continue;
        }
        int64_t want = e->is_dir ? UNIT : (e->id.size + UNIT - 1) / UNIT * UNIT;
        int64_t has = e->claims == NULL ? 0 : allocated(entry_part(c, e));
        sum += want > has ? want - has : 0;
    }
    return sum;
}

static char *human(int64_t bytes, char buf[static 32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 1024 && u + 1 < sizeof units / sizeof *units) {
        v /= 1024;
        u++;
    }
    snprintf(buf, 32, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
    return buf;
}

static int no_room(struct copy *c, int64_t need, struct err *err)
{
    char want[32], has[32];
    struct statvfs fs;
    int64_t avail = fstatvfs(c->target_fd, &fs) == 0 ? (int64_t)(fs.f_bavail * fs.f_frsize) : 0;
    return ERR(err, ERR_HOLD, ENOSPC, "target full: %s needs %s, has %s free: free space on %s",
               c->plan->name, human(need, want), human(avail, has), c->target_path);
}

/* Allocate a large file's part. File systems that cannot say so; then the look above must do. */
static int allocate(struct copy *c, const struct entry *e, struct err *err)
{
    struct place at = entry_part(c, e);
    struct target t;
    if (target_open(&t, !c->plan->buffered, at, O_RDWR | O_CREAT) != 0) {
        return leftover_part_err(c, e, "create a part for", err);
    }
    int rc = fallocate(t.fd, 0, 0, e->id.size);
    if (rc != 0 && (errno == ENOSPC || errno == EDQUOT)) {
        rc = no_room(c, e->id.size, err);
    } else if (rc != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
        rc = target_err(c, e, "reserve room for", err);
    } else {
        rc = 0;
    }
    target_close(&t);
    return rc;
}

static bool anything_adopted(const struct copy *c)
{
    for (size_t i = 0; i < c->files.n; i++) {
        if (c->files.entries[i].claims != NULL) {
            return true;
        }
    }
    return false;
}

static int allocate_all(struct copy *c, struct err *err)
{
    for (size_t i = 0; i < c->files.n; i++) {
        const struct entry *e = &c->files.entries[i];
        bool large = !e->is_dir && !c->members[e->member].there && !small_is(c, e);
        if (large && allocate(c, e, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int reserve_room(struct copy *c, struct err *err)
{
    if (folders_make(c, err) != 0) {
        return -1;
    }
    struct statvfs fs;
    if (fstatvfs(c->target_fd, &fs) != 0) {
        return target_err(c, NULL, "look at the free space", err);
    }
    int64_t need = needed(c);
    bool fits = need <= (int64_t)(fs.f_bavail * fs.f_frsize);
    if (fits ? allocate_all(c, err) != 0 : no_room(c, need, err) != 0) {
        c->discard = !anything_adopted(c); /* leave nothing but what is worth resuming */
        return -1;
    }
    return 0;
}
