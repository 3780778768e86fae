/*
 * matrix.c - what to do with each member (reference/ingest.md §1.4), decided for all of them before
 * anything is touched:
 *
 *   source  target in Backup
 *   no      no                   nothing is left to be moved: logged, left out
 *   no      yes                  an earlier attempt has moved it
 *   yes     no                   rename
 *   yes     yes, equal           the source becomes <source>.deleteme
 *   yes     yes, not equal       INVALID, nothing is touched
 *
 * A source must be what was backed up: each file recorded, each recorded file there, sizes and
 * hashes equal. So "equal" is: the target has every recorded file of the member, with the recorded
 * hashes; what it has beside them is no matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "common/path.h"
#include "workers/move/job.h"

static int check_hook(void *ctx, struct err *err)
{
    struct move_job *job = ctx;
    return run_check(job->base.run, err);
}

static void read_hook(void *ctx, int64_t bytes)
{
    struct move_job *job = ctx;
    job->bytes_read += bytes;
    run_progress(job->base.run, job->bytes_read, job->record.size);
}

static int is_there(const char *folder, const char *name, bool *there, struct err *err)
{
    struct stat st;
    AUTO(free) char *path = path_join(folder, name, err);
    if (path == NULL) {
        return -1;
    }
    char shown[TREE_SHOWN];
    *there = lstat(path, &st) == 0;
    return *there || errno == ENOENT
               ? 0
               : ERR(err, fs_errno_kind(errno), errno, "look at %s: %m", tree_shown(path, shown));
}

/* --- the source is what was backed up --- */

static int compare(struct rehash *hash, const struct rehash_file *at, const struct record_file *f,
                   struct err *err)
{
    char shown[TREE_SHOWN];
    struct rehash_seen seen;
    if (rehash_file(hash, at, &seen, err) != 0) {
        return -1;
    }
    return record_matches(f, &seen)
               ? 0
               : ERR(err, ERR_INVALID, 0, "%s in %s is not what was backed up (%s)",
                     tree_shown(at->relative, shown), at->root,
                     seen.size != f->size ? "sizes differ" : "hashes differ");
}

/* The name that a file of the member has in the backup: from/x -> to/x. free() */
static char *name_in_backup(const struct move_member *m, const char *path, struct err *err)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", m->to, path + strlen(m->from)) < 0) {
        ERR(err, ERR_TRANSIENT, ENOMEM, "out of memory");
        return NULL;
    }
    return name;
}

static int check_file(struct move_job *job, struct rehash *hash, const struct move_member *m,
                      const struct tree_entry *e, struct err *err)
{
    char shown[TREE_SHOWN];
    AUTO(free) char *name = name_in_backup(m, e->path, err);
    if (name == NULL) {
        return -1;
    }
    const struct record_file *f = record_find(&job->record, name);
    if (e->kind == TREE_OTHER || f == NULL) {
        return ERR(err, ERR_INVALID, 0, "%s is not in the record of the backup: nothing is moved",
                   tree_shown(e->path, shown));
    }
    if (e->size != f->size) {
        return ERR(err, ERR_INVALID, 0, "%s has %lld bytes, backed up were %lld: nothing is moved",
                   tree_shown(e->path, shown), (long long)e->size, (long long)f->size);
    }
    const struct rehash_file at = {job->source_root, e->path, f->digest};
    return compare(hash, &at, f, err);
}

static bool is_of(const struct move_member *m, const char *path)
{
    size_t len = strlen(m->to);
    return strncmp(path, m->to, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static size_t recorded_files(const struct move_job *job, const struct move_member *m)
{
    size_t n = 0;
    for (size_t i = 0; i < job->record.n; i++) {
        n += is_of(m, job->record.files[i].path);
    }
    return n;
}

static int check_source(struct move_job *job, struct rehash *hash, struct move_member *m,
                        struct err *err)
{
    size_t files = 0;
    char shown[TREE_SHOWN];
    tree_clear(&m->tree);
    if (tree_add(&m->tree, job->source_root, m->from, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < m->tree.n; i++) {
        const struct tree_entry *e = &m->tree.entries[i];
        if (e->kind != TREE_DIR) {
            files++;
            if (check_file(job, hash, m, e, err) != 0) {
                return -1;
            }
        }
    }
    size_t recorded = recorded_files(job, m);
    return files == recorded
               ? 0
               : ERR(err, ERR_INVALID, 0, "%s has %zu files, backed up were %zu: nothing is moved",
                     tree_shown(m->from, shown), files, recorded);
}

/* --- the target in Backup, and the copy in the pool --- */

static int check_target(struct move_job *job, struct rehash *hash, const struct move_member *m,
                        struct err *err)
{
    for (size_t i = 0; i < job->record.n; i++) {
        const struct record_file *f = &job->record.files[i];
        const struct rehash_file at = {job->backup, f->path, f->digest};
        if (is_of(m, f->path) && compare(hash, &at, f, err) != 0) {
            return err->kind == ERR_INVALID
                       ? err_context(err, "both it and its name in Backup are there and differ")
                       : -1;
        }
    }
    struct stat st;
    char shown[TREE_SHOWN];
    AUTO(free) char *path = path_join(job->backup, m->to, err);
    bool folder = m->tree.n > 0 && m->tree.entries[0].kind == TREE_DIR;
    if (path == NULL || lstat(path, &st) != 0 || (S_ISDIR(st.st_mode) != 0) != folder) {
        return ERR(err, ERR_INVALID, 0, "%s in Backup is something else: nothing is moved",
                   tree_shown(m->to, shown));
    }
    return 0;
}

static int check_pool(const struct move_job *job, struct err *err)
{
    for (size_t i = 0; i < job->record.n; i++) {
        const struct record_file *f = &job->record.files[i];
        const char *base;
        struct stat st;
        char shown[TREE_SHOWN];
        int dir = tree_parent(job->pool, f->path, &base);
        bool there = dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0;
        int code = errno;
        if (dir >= 0) {
            close(dir);
        }
        if (!there) {
            return ERR(err, fs_errno_kind(code), code, "its backup %s in the pool: %s",
                       tree_shown(f->path, shown), strerror(code));
        }
        if (!S_ISREG(st.st_mode) || st.st_size != f->size) {
            return ERR(err, ERR_INVALID, 0,
                       "its backup %s in the pool has %lld bytes, recorded are %lld",
                       tree_shown(f->path, shown), (long long)st.st_size, (long long)f->size);
        }
    }
    return 0;
}

/* --- the matrix --- */

static int decide(struct move_job *job, struct rehash *hash, struct move_member *m, struct err *err)
{
    bool source, target;
    if (is_there(job->source_root, m->from, &source, err) != 0 ||
        is_there(job->backup, m->to, &target, err) != 0) {
        return -1;
    }
    m->action = source   ? target ? MOVE_DUPLICATE : MOVE_RENAME
                : target ? MOVE_ALREADY
                         : MOVE_MISSING;
    if (m->action == MOVE_MISSING) {
        log_warn("move_missing", KV("raw_file", job->raw_file), KV("name", m->from));
    }
    if (source && check_source(job, hash, m, err) != 0) {
        return -1;
    }
    return source && target ? check_target(job, hash, m, err) : 0;
}

static int count_name(void *ctx, const char *name, struct err *err)
{
    (void)name;
    (void)err;
    ++*(size_t *)ctx;
    return 0;
}

/* Nothing of it anywhere, in a folder without any name: more likely an absent share than somebody
 * who has tidied up. */
static int doubt_empty_share(const struct move_job *job, struct err *err)
{
    size_t names = 0;
    for (size_t i = 0; i < job->n_members; i++) {
        if (job->members[i].action != MOVE_MISSING) {
            return 0;
        }
    }
    if (fs_each_name(job->source_root, count_name, &names, err) != 0) {
        return -1;
    }
    return names > 0 ? 0
                     : ERR(err, ERR_HOLD, 0, "the instrument's folder %s is empty: is it mounted?",
                           job->source_root);
}

int move_decide(struct move_job *job, struct err *err)
{
    const struct rehash_hooks hooks = {.check = check_hook, .read = read_hook, .ctx = job};
    AUTO(rehash_free) struct rehash *hash = rehash_new(&hooks, err);
    if (hash == NULL || check_pool(job, err) != 0 || move_check_set(job, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < job->n_members; i++) {
        if (decide(job, hash, &job->members[i], err) != 0) {
            return -1;
        }
    }
    return doubt_empty_share(job, err);
}
