/*
 * rename.c - the renames. None can overwrite, and each is the whole step for its member: an attempt
 * that is cut off leaves the member at one of its two places, where the next attempt finds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/raw/retire.h"
#include "workers/move/job.h"

#define ASIDE_MAX 1000

static int rename_new(const char *from, const char *to)
{
    return fs_rename_new(&(struct fs_name){AT_FDCWD, from}, &(struct fs_name){AT_FDCWD, to});
}

static int rename_failed(const struct move_member *m, struct err *err)
{
    int code = errno;
    char shown[TREE_SHOWN];
    enum err_kind kind = code == EEXIST || code == ENOTEMPTY || code == ENOENT
                             ? ERR_TRANSIENT /* somebody was faster: decide again */
                             : fs_share_kind(code);
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

/* An attempt was cut off that had given the file its new name already: the old one goes. 1 when
 * that was so. */
static int finish_move(const struct move_job *job, const struct move_member *m, const char *from,
                       struct err *err)
{
    AUTO(free) char *to = path_join(job->backup, m->to, err);
    if (to == NULL) {
        return -1;
    }
    if (!fs_same_file(&(struct fs_name){AT_FDCWD, from}, &(struct fs_name){AT_FDCWD, to})) {
        return 0;
    }
    return unlink(from) == 0 ? 1 : rename_failed(m, err);
}

static int rename_duplicate(const struct move_job *job, const struct move_member *m,
                            const char *from, struct err *err)
{
    int finished = finish_move(job, m, from, err);
    if (finished != 0) {
        return finished > 0 ? 0 : -1;
    }
    for (int n = 0; n < ASIDE_MAX; n++) {
        AUTO(free) char *aside = NULL;
        char number[16] = "";
        if (n > 0) {
            snprintf(number, sizeof number, ".%d", n);
        }
        if (asprintf(&aside, "%s%s" RETIRE_DUPLICATE, from, number) < 0) {
            aside = NULL;
            return err_no_memory(err);
        }
        if (rename_new(from, aside) == 0) {
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
    if (rename_new(from, to) != 0) {
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
                                      : rename_duplicate(job, m, from, err);
    if (rc != 0 || fs_sync_dir(job->source_root, err) != 0) {
        return -1;
    }
    m->acted = true;
    return 0;
}

int move_member_back(struct move_job *job, struct move_member *m, bool both, struct err *err)
{
    AUTO(free) char *from = path_join(job->source_root, m->from, err);
    AUTO(free) char *to = path_join(job->backup, m->to, err);
    if (from == NULL || to == NULL) {
        return -1;
    }
    if ((both ? unlink(to) : rename_new(to, from)) != 0) {
        return rename_failed(m, err);
    }
    return fs_sync_dir(job->source_root, err) != 0 ? -1 : fs_sync_dir(job->backup, err);
}
