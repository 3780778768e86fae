/*
 * matrix.c - what to do with each member (docs/rules.md), decided for all of them before
 * anything is touched. A source is compared with what was backed up (common/original): each file
 * recorded, each recorded file there, sizes and hashes equal. A target is equal when it has every
 * recorded file of the member, with the recorded hashes; what it has beside them is no matter.
 *
 *   source           target in Backup
 *   no               no              nothing is left to move: logged, left out
 *   no               yes             an earlier attempt has moved it
 *   as backed up     no              rename
 *   as backed up     yes, equal      the source becomes <source>.deleteme
 *   as backed up     yes, not equal  INVALID: two files want one name, a person decides
 *   differs          no              INVALID, source_changed: it is acquired and copied again
 *   differs          yes, equal      moved by an earlier attempt; the source is another file, which
 *                                    the watcher takes for a new one
 *   differs          yes, not equal  INVALID: neither is what was backed up, a person decides
 *   mostly gone      any             INVALID: somebody takes it away, the backup has more
 *   busy             any             held
 *
 * When a set is acquired again, members that an earlier attempt has moved come back first: its
 * acquisition is looked at as a whole. An attempt that dies in between leaves a set of which some
 * are back, and the next attempt finds the same difference, or none and moves them again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/base/path.h"
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
    if (*there || errno == ENOENT) {
        return 0;
    }
    ERR(err, fs_errno_kind(errno), errno, "look at %s: %m", tree_shown(path, shown));
    return fs_share_failed(err);
}

/* --- the source --- */

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

static bool is_of(const struct move_member *m, const char *path)
{
    size_t len = strlen(m->to);
    return strncmp(path, m->to, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static int refuse_move(enum original_state state, const char *why, struct err *err)
{
    int code = state == ORIGINAL_DIFFERS ? ERR_CODE_SOURCE_CHANGED : 0;
    return ERR(err, ERR_INVALID, code, "%s: nothing is moved", why);
}

/* m->tree = what is there. */
static int compare_source(struct move_job *job, struct rehash *hash, struct move_member *m,
                          struct original_seen *seen, struct err *err)
{
    const struct original_member name = {m->from, m->to};
    const struct original_look look = {.folder = job->source_root,
                                       .members = &name,
                                       .n = 1,
                                       .record = &job->record,
                                       .rehash = hash};
    tree_clear(&m->tree);
    if (original_compare(&look, seen, err) != 0) {
        original_seen_fini(seen);
        return -1;
    }
    m->tree = seen->tree;
    seen->tree = (struct tree){0};
    return 0;
}

/* --- the target in Backup, and the copy in the pool --- */

static int check_target(struct move_job *job, struct rehash *hash, const struct move_member *m,
                        struct err *err)
{
    for (size_t i = 0; i < job->record.n; i++) {
        const struct record_file *f = &job->record.files[i];
        const struct rehash_file at = {job->backup, f->path, f->digest};
        if (is_of(m, f->path) && compare(hash, &at, f, err) != 0) {
            (void)fs_share_failed(err);
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
            return ERR(err, fs_share_kind(code), code, "its backup %s in the pool: %s",
                       tree_shown(f->path, shown), strerror(code));
        }
        if (!S_ISREG(st.st_mode) || st.st_size != f->size) {
            return ERR(err, ERR_INVALID, 0,
                       "its backup %s in the pool has %lld bytes instead of the recorded %lld",
                       tree_shown(f->path, shown), (long long)st.st_size, (long long)f->size);
        }
    }
    return 0;
}

/* --- the matrix --- */

static int decide_both(struct move_job *job, struct rehash *hash, struct move_member *m,
                       const struct original_seen *seen, struct err *err)
{
    struct err why = {0};
    m->action = MOVE_DUPLICATE;
    if (check_target(job, hash, m, &why) != 0) {
        *err = why;
        return -1;
    }
    if (seen->state == ORIGINAL_DIFFERS) {
        m->action = MOVE_ALREADY;
        log_warn("move_name_used_again", KV("raw_file", job->raw_file), KV("name", m->from),
                 KV("why", seen->why));
    }
    return 0;
}

static int decide_source(struct move_job *job, struct rehash *hash, struct move_member *m,
                         bool target, struct err *err)
{
    struct original_seen seen;
    if (compare_source(job, hash, m, &seen, err) != 0) {
        return -1;
    }
    switch (seen.state) {
    case ORIGINAL_BUSY:
        *err = seen.busy;
        return fs_share_failed(err);
    case ORIGINAL_GONE:
        m->action = target ? MOVE_ALREADY : MOVE_MISSING;
        return 0;
    case ORIGINAL_FEWER:
        return refuse_move(seen.state, seen.why, err);
    case ORIGINAL_SAME:
    case ORIGINAL_DIFFERS:
    case ORIGINAL_STATE_COUNT:
        break;
    }
    if (target) {
        return decide_both(job, hash, m, &seen, err);
    }
    m->action = MOVE_RENAME;
    return seen.state == ORIGINAL_SAME ? 0 : refuse_move(seen.state, seen.why, err);
}

static int decide(struct move_job *job, struct rehash *hash, struct move_member *m, struct err *err)
{
    bool source, target;
    if (is_there(job->source_root, m->from, &source, err) != 0 ||
        is_there(job->backup, m->to, &target, err) != 0) {
        return -1;
    }
    m->action = target ? MOVE_ALREADY : MOVE_MISSING;
    if (source && decide_source(job, hash, m, target, err) != 0) {
        return -1;
    }
    if (m->action == MOVE_MISSING) {
        log_warn("move_missing", KV("raw_file", job->raw_file), KV("name", m->from));
    }
    return 0;
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
        return fs_share_failed(err);
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

/* Where a rename is two calls, an attempt that is cut off between them leaves a file with both
 * names. */
static int has_both_names(const struct move_job *job, const struct move_member *m, bool *both,
                          struct err *err)
{
    AUTO(free) char *from = path_join(job->source_root, m->from, err);
    AUTO(free) char *to = path_join(job->backup, m->to, err);
    if (from == NULL || to == NULL) {
        return -1;
    }
    *both = fs_same_file(&(struct fs_name){AT_FDCWD, from}, &(struct fs_name){AT_FDCWD, to});
    return 0;
}

int move_undo(struct move_job *job, struct err *err)
{
    for (size_t i = 0; i < job->n_members; i++) {
        struct move_member *m = &job->members[i];
        bool source, target, both;
        if (run_check(job->base.run, err) != 0 ||
            is_there(job->source_root, m->from, &source, err) != 0 ||
            is_there(job->backup, m->to, &target, err) != 0 ||
            has_both_names(job, m, &both, err) != 0) {
            return -1;
        }
        if (target && (!source || both) && move_member_back(job, m, both, err) != 0) {
            return fs_share_failed(err);
        }
    }
    return 0;
}
