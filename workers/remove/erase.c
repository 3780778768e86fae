/*
 * erase.c - deleting. A file is deleted only as it was when it was read: another size or another
 * time ends the attempt, and the next one checks again. A folder is only ever removed when it is
 * empty, which the kernel decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/log.h"
#include "workers/remove/job.h"

static int fail(const char *what, const char *path, struct err *err)
{
    char shown[TREE_SHOWN];
    int code = errno;
    ERR(err, fs_errno_kind(code), code, "%s %s: %s", what, tree_shown(path, shown), strerror(code));
    return fs_share_failed(err); /* another's open handle */
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Bruker's method folders are read-only. What cannot be changed shows when its files are deleted.
 */
static void open_folder(const struct remove_job *job, const struct tree_entry *e)
{
    const char *base;
    int dir = (e->mode & S_IRWXU) == S_IRWXU ? -1 : tree_parent(job->backup, e->path, &base);
    if (dir >= 0) {
        if (fchmodat(dir, base, (e->mode & 07777) | S_IRWXU, 0) != 0) {
            log_debug("folder_stays_read_only", KV("path", e->path));
        }
        close(dir);
    }
}

static bool is_as_read(const struct stat *st, const struct tree_entry *e)
{
    return S_ISREG(st->st_mode) && st->st_size == e->size && ns_of(&st->st_mtim) == e->mtime_ns &&
           ns_of(&st->st_ctim) == e->ctime_ns;
}

/* Windows refuses to delete a file that is marked read-only. */
static int unlink_at(int dir, const char *name, mode_t mode)
{
    if (unlinkat(dir, name, 0) == 0) {
        return 0;
    }
    if ((errno != EACCES && errno != EPERM) || (mode & S_IWUSR) != 0) {
        return -1;
    }
    return fchmodat(dir, name, (mode & 07777) | S_IWUSR, 0) == 0 ? unlinkat(dir, name, 0) : -1;
}

static int erase_file_in(struct remove_job *job, int dir, const char *name, size_t i,
                         struct err *err)
{
    const struct tree_entry *e = &job->check.tree.entries[i];
    struct stat st;
    char shown[TREE_SHOWN];
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail("look at", e->path, err);
    }
    if (!is_as_read(&st, e)) {
        return ERR(err, ERR_TRANSIENT, 0, "%s changed after it had been read",
                   tree_shown(e->path, shown));
    }
    if (unlink_at(dir, name, e->mode) != 0) {
        return fail("delete", e->path, err);
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) { /* CIFS keeps the name till then */
        return ERR(err, ERR_HOLD, ERR_CODE_SOURCE_BUSY, "%s goes when who has it open closes it",
                   tree_shown(e->path, shown));
    }
    job->deleted[i] = true;
    job->n_deleted++;
    job->freed_bytes += e->size;
    return 0;
}

static int erase_file(struct remove_job *job, size_t i, struct err *err)
{
    const char *base;
    const char *path = job->check.tree.entries[i].path;
    int dir = tree_parent(job->backup, path, &base);
    if (dir < 0) {
        return fail("open the folder of", path, err);
    }
    int rc = erase_file_in(job, dir, base, i, err);
    close(dir);
    return rc;
}

static int erase_folder(struct remove_job *job, size_t i, struct err *err)
{
    const char *base;
    const char *path = job->check.tree.entries[i].path;
    int dir = tree_parent(job->backup, path, &base);
    if (dir < 0) {
        return fail("open the folder of", path, err);
    }
    int rc = unlinkat(dir, base, AT_REMOVEDIR);
    int code = errno;
    close(dir);
    errno = code;
    if (rc != 0 && (code == ENOTEMPTY || code == EEXIST)) {
        char shown[TREE_SHOWN];
        return ERR(err, ERR_TRANSIENT, code, "something new is in the folder %s",
                   tree_shown(path, shown));
    }
    job->deleted[i] = rc == 0;
    return rc == 0 ? 0 : fail("remove the folder", path, err);
}

int remove_erase(struct remove_job *job, struct err *err)
{
    const struct tree *t = &job->check.tree;
    free(job->deleted);
    job->deleted = calloc(t->n > 0 ? t->n : 1, sizeof *job->deleted);
    if (job->deleted == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < t->n; i++) {
        if (t->entries[i].kind == TREE_DIR) {
            open_folder(job, &t->entries[i]);
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        if (t->entries[i].kind == TREE_FILE &&
            (run_check(job->base.run, err) != 0 || erase_file(job, i, err) != 0)) {
            return -1;
        }
    }
    for (size_t i = t->n; i-- > 0;) { /* what is inside comes after its folder */
        if (t->entries[i].kind == TREE_DIR && erase_folder(job, i, err) != 0) {
            return -1;
        }
    }
    return fs_sync_dir(job->backup, err) == 0 ? 0 : fs_share_failed(err);
}
