/*
 * set.c - before anything of a set is moved: what the folder holds of it now is what was copied.
 * Another acquisition with a longer stem may have come, and a file of this one, too.
 */
#include <string.h>
#include <sys/stat.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/raw/members.h"
#include "workers/move/job.h"

static const struct instrument sciex = {.type = INSTRUMENT_SCIEX};

static bool is_ours(const struct move_job *job, const char *name)
{
    for (size_t i = 0; i < job->n_members; i++) {
        if (strcmp(job->members[i].from, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The main file with the shortest stem: the others of a wrong set begin with it. */
static const char *main_of(const struct move_job *job)
{
    const char *main = NULL;
    for (size_t i = 0; i < job->n_members; i++) {
        const char *name = job->members[i].from;
        bool shorter = main == NULL || strlen(name) < strlen(main);
        main = members_is_raw_file(&sciex, name) && shorter ? name : main;
    }
    return main;
}

static int changed(const char *name, const char *how, struct err *err)
{
    char shown[TREE_SHOWN];
    return ERR(err, ERR_INVALID, ERR_CODE_SOURCE_CHANGED, "%s %s: nothing is moved",
               tree_shown(name, shown), how);
}

static int compare(const struct move_job *job, const char *main, const struct members *now,
                   struct err *err)
{
    for (size_t i = 0; i < job->n_members; i++) {
        const char *name = job->members[i].from;
        struct stat st;
        AUTO(free) char *path = path_join(job->source_root, name, err);
        if (path == NULL) {
            return -1;
        }
        if (!members_has(now, name) && lstat(path, &st) == 0) {
            return changed(name, "belongs to another raw file", err);
        }
    }
    for (size_t i = 0; i < now->n && members_has(now, main); i++) {
        if (!is_ours(job, now->names[i])) {
            return changed(now->names[i], "is not in the record of the backup", err);
        }
    }
    return 0;
}

int move_check_set(const struct move_job *job, struct err *err)
{
    struct members now = {0};
    const char *main = job->set ? main_of(job) : NULL;
    if (main == NULL) {
        return 0;
    }
    const struct members_ask ask = {.instrument = &sciex, .folder = job->source_root, .main = main};
    int rc =
        members_read(&now, &ask, err) != 0 ? fs_share_failed(err) : compare(job, main, &now, err);
    members_fini(&now);
    return rc;
}
