/*
 * rename.c - the renames. None can overwrite, and each is the whole step for its member: whoever is
 * cut off leaves the member at one of its two places, where the next attempt finds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/path.h"
#include "common/retire.h"
#include "workers/move/job.h"

#define ASIDE_MAX 1000

/*
 * Fails with EEXIST when there is something already. Where the file system cannot say so in one
 * call (NFS), a file gets a second name and loses the first; a folder's rename refuses a folder
 * that is not empty, and a file, by itself.
 */
static int rename_new(const char *from, const char *to, bool folder)
{
    struct stat st;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
        return -1;
    }
    if (!folder) {
        return link(from, to) == 0 ? unlink(from) : -1;
    }
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static int rename_failed(const struct move_member *m, struct err *err)
{
    int code = errno;
    char shown[TREE_SHOWN];
    enum err_kind kind = code == EEXIST || code == ENOTEMPTY || code == ENOENT
                             ? ERR_TRANSIENT /* somebody was faster: decide again */
                             : fs_errno_kind(code);
    return ERR(err, kind, code, "rename %s: %s%s", tree_shown(m->from, shown), strerror(code),
               code == EXDEV ? " (Backup is another file system)" : "");
}

/* What was read must be what is renamed. */
static int recheck(const struct move_job *job, const struct move_member *m, struct err *err)
{
    struct tree now = {0};
    char shown[TREE_SHOWN];
    int rc = tree_add(&now, job->source_root, m->from, err);
    bool same = rc == 0 && tree_equal(&now, &m->tree);
    tree_clear(&now);
    if (rc == 0 && !same) {
        rc = ERR(err, ERR_TRANSIENT, 0, "%s changed after it had been read",
                 tree_shown(m->from, shown));
    }
    return rc;
}

static bool is_folder(const struct move_member *m)
{
    return m->tree.n > 0 && m->tree.entries[0].kind == TREE_DIR;
}

static int rename_duplicate(const struct move_member *m, const char *from, struct err *err)
{
    for (int n = 0; n < ASIDE_MAX; n++) {
        AUTO(free) char *aside = NULL;
        char number[16] = "";
        if (n > 0) {
            snprintf(number, sizeof number, ".%d", n);
        }
        if (asprintf(&aside, "%s%s" RETIRE_DUPLICATE, from, number) < 0) {
            aside = NULL;
            return ERR(err, ERR_TRANSIENT, ENOMEM, "out of memory");
        }
        if (rename_new(from, aside, is_folder(m)) == 0) {
            return 0;
        }
        if (errno != EEXIST && errno != ENOTEMPTY) {
            break;
        }
    }
    return rename_failed(m, err);
}

static int rename_into_backup(const struct move_job *job, const struct move_member *m,
                              const char *from, struct err *err)
{
    AUTO(free) char *to = path_join(job->backup, m->to, err);
    if (to == NULL) {
        return -1;
    }
    if (rename_new(from, to, is_folder(m)) != 0) {
        return rename_failed(m, err);
    }
    return fs_sync_dir(job->backup, err); /* the new name first: it must never have none */
}

int move_prepare(struct move_job *job, struct err *err)
{
    bool needed = false;
    for (size_t i = 0; i < job->n_members; i++) {
        needed |= job->members[i].action == MOVE_RENAME;
    }
    if (!needed) {
        return 0;
    }
    return fs_mkdirs(job->backup, err) != 0 || fs_sync_dir(job->source_root, err) != 0 ? -1 : 0;
}

int move_member(struct move_job *job, struct move_member *m, struct err *err)
{
    if (m->acted || (m->action != MOVE_RENAME && m->action != MOVE_DUPLICATE)) {
        return 0;
    }
    AUTO(free) char *from = path_join(job->source_root, m->from, err);
    if (from == NULL || recheck(job, m, err) != 0) {
        return -1;
    }
    int rc = m->action == MOVE_RENAME ? rename_into_backup(job, m, from, err)
                                      : rename_duplicate(m, from, err);
    if (rc != 0 || fs_sync_dir(job->source_root, err) != 0) {
        return -1;
    }
    m->acted = true;
    return 0;
}

int move_member_back(struct move_job *job, struct move_member *m, bool both, struct err *err)
{
    struct stat st;
    AUTO(free) char *from = path_join(job->source_root, m->from, err);
    AUTO(free) char *to = path_join(job->backup, m->to, err);
    if (from == NULL || to == NULL) {
        return -1;
    }
    int rc = both                  ? unlink(to)
             : lstat(to, &st) == 0 ? rename_new(to, from, S_ISDIR(st.st_mode))
                                   : -1;
    if (rc != 0) {
        return rename_failed(m, err);
    }
    return fs_sync_dir(job->source_root, err) != 0 ? -1 : fs_sync_dir(job->backup, err);
}
