/*
 * flush.c - to the disk, all at once where that can be known to have worked.
 *
 * syncfs(2) reports the lost write of any file of the mount, also of other programs. So its failure
 * says nothing about our files, and the error may not be reported again when one of them is
 * flushed: each is flushed alone, which names the file, and read back from the disk whatever the
 * plan says.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "workers/copy/engine/internal.h"

static bool flushed_as_one(const struct copy *c)
{
    return c->plan->no_sync || syncfs(c->target_fd) == 0;
}

static int flush_one(struct copy *c, struct entry *e, struct err *err)
{
    struct place at = entry_part(c, e);
    int flags = O_NOFOLLOW | O_CLOEXEC, fd = openat(at.dir, at.name, O_RDWR | flags);
    if (fd < 0 && errno == EACCES) { /* it has got its mode, and is read-only */
        fd = openat(at.dir, at.name, O_RDONLY | flags);
    }
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : target_err(c, e, "flush", err);
    if (fd >= 0) {
        close(fd);
    }
    e->doubt = true;
    return rc;
}

int flush_files(struct copy *c, struct entry **files, size_t n, struct err *err)
{
    if (flushed_as_one(c)) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (flush_one(c, files[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int flush_folder(struct copy *c, const struct entry *e, struct err *err)
{
    const char *name = *e->rel == '\0' ? "." : e->rel;
    int fd = openat(c->members[e->member].part_fd, name,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd >= 0 && fs_fsync_dir(fd) == 0 ? 0 : target_err(c, e, "flush the folder", err);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int flush_all(struct copy *c, struct err *err)
{
    if (flushed_as_one(c)) {
        return 0;
    }
    for (size_t i = 0; i < c->files.n; i++) {
        struct entry *e = &c->files.entries[i];
        if (!c->members[e->member].there &&
            (e->is_dir ? flush_folder(c, e, err) : flush_one(c, e, err)) != 0) {
            return -1;
        }
    }
    return 0;
}
