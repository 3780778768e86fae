/*
 * retire_check.c - checks every file of a raw file in the instrument's Backup, and its copy in the
 * pool.
 *
 * Cheap checks (names, kinds, sizes) come first, for all files; only when none of them finds a
 * reason against deleting are the files read, because those that must stay anyway need no reading.
 * Each file keeps its first reason; the first of all is what the operator reads.
 */
#include "common/raw/retire_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/utf8.h"
#include "common/raw/members.h"
#include "common/raw/retire.h"

struct checking {
    struct retire_check *c;
    const struct record *record;
    const struct retire_place *place;
    const char *backup; /* <instrument>/Backup */
    struct members set; /* names in it */
};

int retire_need_folder(const char *path, const char *what, struct err *err)
{
    struct stat st;
    if (path[0] != '/') {
        return ERR(err, ERR_HOLD, 0, "%s is not configured as an absolute path", what);
    }
    if (stat(path, &st) != 0) {
        return ERR(err, ERR_HOLD, errno, "%s %s is not there: %m", what, path);
    }
    return S_ISDIR(st.st_mode) ? 0 : ERR(err, ERR_HOLD, ENOTDIR, "%s %s is no folder", what, path);
}

void retire_check_fini(struct retire_check *c)
{
    tree_clear(&c->tree);
    free(c->why);
    *c = (struct retire_check){0};
}

const char *retire_check_reason(const struct retire_check *c, char buf[static RETIRE_REASON])
{
    buf[0] = '\0';
    for (size_t i = 0; i < c->tree.n; i++) {
        if (c->why[i][0] == '\0') {
            continue;
        }
        char shown[TREE_SHOWN], more[40] = "";
        if (c->bad > 1) {
            snprintf(more, sizeof more, " (and %zu more)", c->bad - 1);
        }
        snprintf(buf, RETIRE_REASON, "%.90s: %.150s%s", tree_shown(c->tree.entries[i].path, shown),
                 c->why[i], more);
        utf8_mend(buf);
        break;
    }
    return buf;
}

/* --- what is there --- */

static bool is_recorded(const struct record *r, const char *name)
{
    for (size_t i = 0; i < r->n_names; i++) {
        if (strcmp(r->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* For a set: find the names that belong to one of its .wiff files. */
static int find_set(struct checking *k, struct err *err)
{
    static const struct instrument sciex = {.type = INSTRUMENT_SCIEX};
    for (size_t i = 0; i < k->record->n_names && k->place->set; i++) {
        const struct members_ask ask = {
            .instrument = &sciex, .folder = k->backup, .main = k->record->names[i]};
        if (members_is_raw_file(&sciex, ask.main) && members_read(&k->set, &ask, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int add_name(void *ctx, const char *name, struct err *err)
{
    struct checking *k = ctx;
    bool ours = is_recorded(k->record, name) || members_has(&k->set, name);
    return ours ? tree_add(&k->c->tree, k->backup, name, err) : 0;
}

static void refuse_file(struct checking *k, size_t i, const char *why)
{
    if (k->c->why[i][0] == '\0') {
        k->c->bad++;
        snprintf(k->c->why[i], sizeof k->c->why[i], "%s", why);
    }
}

/* The original is not what was backed up; the fault is not its copy's in the pool. */
static void refuse_original(struct checking *k, size_t i, const char *why)
{
    k->c->differing++;
    refuse_file(k, i, why);
}

/* --- the cheap looks --- */

static void check_in_pool(struct checking *k, size_t i, const struct record_file *f)
{
    const char *base;
    struct stat st;
    char why[160];
    int dir = tree_parent(k->place->pool, f->path, &base);
    if (dir < 0 || fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        snprintf(why, sizeof why, "its backup is missing in the pool: %s", strerror(errno));
        refuse_file(k, i, why);
    } else if (!S_ISREG(st.st_mode)) {
        refuse_file(k, i, "its backup in the pool is no regular file");
    } else if (st.st_size != f->size) {
        snprintf(why, sizeof why,
                 "its backup in the pool has %lld bytes instead of the recorded %lld",
                 (long long)st.st_size, (long long)f->size);
        refuse_file(k, i, why);
    }
    if (dir >= 0) {
        close(dir);
    }
}

static void check_entry(struct checking *k, size_t i)
{
    const struct tree_entry *e = &k->c->tree.entries[i];
    const struct record_file *f = record_find(k->record, e->path);
    char why[160];
    if (e->kind == TREE_DIR) {
        return;
    }
    if (e->kind == TREE_OTHER) {
        refuse_original(k, i, "it is a link or a special file");
        return;
    }
    k->c->files++;
    k->c->bytes += e->size;
    if (f == NULL) {
        refuse_original(k, i, "it is not in the record of the backup");
        return;
    }
    if (e->size != f->size) {
        snprintf(why, sizeof why, "it has %lld bytes instead of the recorded %lld",
                 (long long)e->size, (long long)f->size);
        refuse_original(k, i, why);
        return;
    }
    k->c->total += 2 * e->size;
    check_in_pool(k, i, f);
}

static void count_gone(struct checking *k)
{
    size_t found = 0;
    for (size_t i = 0; i < k->c->tree.n; i++) {
        const struct tree_entry *e = &k->c->tree.entries[i];
        found += e->kind == TREE_FILE && record_find(k->record, e->path) != NULL;
    }
    k->c->gone = k->record->n - found;
}

/* --- reading --- */

/* An error of this file alone becomes its reason; one of the whole share, or one that asks us to
 * stop, ends the check. */
static int use_as_reason(struct checking *k, size_t i, const char *what, struct err *err)
{
    if (err->kind != ERR_INVALID &&
        !(err->kind == ERR_TRANSIENT && err->code != ENOMEM && err->code != 0)) {
        return -1;
    }
    char why[224];
    snprintf(why, sizeof why, "%s: %.180s", what, err->msg);
    refuse_file(k, i, why);
    *err = (struct err){0};
    return 0;
}

static int read_both(struct checking *k, struct rehash *hash, size_t i, struct err *err)
{
    const struct tree_entry *e = &k->c->tree.entries[i];
    const struct record_file *f = record_find(k->record, e->path);
    struct rehash_seen seen;
    const struct rehash_file here = {k->backup, e->path, f->digest};
    const struct rehash_file pool = {k->place->pool, e->path, f->digest};
    if (rehash_file(hash, &here, &seen, err) != 0) {
        (void)fs_share_failed(err); /* HOLD: the program that has it open will close it */
        return err->kind == ERR_HOLD ? -1 : use_as_reason(k, i, "on the instrument", err);
    }
    if (!record_matches(f, &seen)) {
        refuse_original(k, i, "its content is not what was backed up (hashes differ)");
        return 0;
    }
    if (seen.mtime_ns != e->mtime_ns || seen.ctime_ns != e->ctime_ns) {
        refuse_file(k, i, "it changed while it was checked");
        return 0;
    }
    if (rehash_file(hash, &pool, &seen, err) != 0) {
        return use_as_reason(k, i, "in the pool", err);
    }
    if (!record_matches(f, &seen)) {
        refuse_file(k, i, "its backup in the pool is damaged (hashes differ)");
    }
    return 0;
}

static int read_all(struct checking *k, struct err *err)
{
    AUTO(rehash_free) struct rehash *hash = rehash_new(&k->place->hooks, err);
    if (hash == NULL) {
        return -1;
    }
    for (size_t i = 0; i < k->c->tree.n; i++) {
        if (k->c->tree.entries[i].kind == TREE_FILE && read_both(k, hash, i, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int retire_check_run(struct retire_check *c, const struct record *r, const struct retire_place *p,
                     struct err *err)
{
    AUTO(free) char *backup = path_join(p->instrument, RETIRE_FOLDER, err);
    struct checking k = {.c = c, .record = r, .place = p, .backup = backup};
    if (backup == NULL || retire_need_folder(p->instrument, "the instrument's folder", err) != 0 ||
        retire_need_folder(backup, "the folder", err) != 0) {
        return -1;
    }
    int listed = find_set(&k, err) != 0 ? -1 : fs_each_name(backup, add_name, &k, err);
    members_fini(&k.set);
    if (listed != 0) {
        return fs_share_failed(err);
    }
    c->why = calloc(c->tree.n > 0 ? c->tree.n : 1, sizeof *c->why);
    if (c->why == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < c->tree.n; i++) {
        check_entry(&k, i);
    }
    count_gone(&k);
    return c->bad > 0 || p->sizes_only ? 0 : read_all(&k, err);
}
