/*
 * verify.c - checks a backup against its record: each file's kind and size first, then its hashes.
 *
 * A file that this process may not read is no damage. The manifests (xxh3, and the digest where
 * every file has one) must list the recorded files with the recorded hashes, and nothing else; only
 * the first difference is reported.
 */
#include "ops/verify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/smb_name.h"
#include "common/base/tree.h"
#include "common/raw/manifest.h"

#define MANIFEST_MAX ((size_t)256 << 20)

const char *verify_state_name(enum verify_state s)
{
    static const char *const names[] = {
        [VERIFY_OK] = "ok",
        [VERIFY_DAMAGED] = "damaged",
        [VERIFY_WRONG_SIZE] = "wrong size",
        [VERIFY_MISSING] = "missing",
        [VERIFY_UNREADABLE] = "unreadable",
        [VERIFY_DENIED] = "no permission",
    };
    static_assert(sizeof names / sizeof *names == VERIFY_STATE_COUNT, "a name for every state");
    return names[s];
}

/* --- one file --- */

static void set_failure(struct verify_file *f, int code, const char *why)
{
    f->state = code == ENOENT || code == ENOTDIR ? VERIFY_MISSING
               : code == EACCES || code == EPERM ? VERIFY_DENIED
                                                 : VERIFY_UNREADABLE;
    snprintf(f->detail, sizeof f->detail, "%.190s", why);
}

/* Check kind and size; true when the content must be read. */
static bool check_without_reading(const char *folder, struct verify_file *f)
{
    const char *base;
    struct stat st;
    int dir = tree_parent(folder, f->record->path, &base);
    int rc = dir < 0 ? -1 : fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW);
    int code = errno;
    if (dir >= 0) {
        close(dir);
    }
    if (rc != 0) {
        set_failure(f, code, strerror(code));
    } else if (!S_ISREG(st.st_mode)) {
        set_failure(f, 0, "it is no regular file");
    } else if (st.st_size != f->record->size) {
        f->state = VERIFY_WRONG_SIZE;
        snprintf(f->detail, sizeof f->detail, "%jd bytes instead of %" PRId64, (intmax_t)st.st_size,
                 f->record->size);
    } else {
        return true;
    }
    return false;
}

static void compare_hashes(const struct rehash_seen *seen, struct verify_file *f)
{
    const struct record_file *want = f->record;
    if (record_matches(want, seen)) {
        return;
    }
    bool xxh3 = want->hex.xxh3[0] != '\0' && strcmp(want->hex.xxh3, seen->hex.xxh3) != 0;
    const char *name = xxh3 ? "xxh3" : hash_digest_name(want->digest);
    f->state = VERIFY_DAMAGED;
    snprintf(f->found, sizeof f->found, "%s", xxh3 ? seen->hex.xxh3 : seen->hex.digest);
    snprintf(f->detail, sizeof f->detail, "%s is %s instead of %s", name, f->found,
             xxh3 ? want->hex.xxh3 : want->hex.digest);
}

/* An error without a number is ours (out of memory, a hook that stops), unless it is INVALID, which
 * is the file's. */
static bool is_ours(const struct err *err)
{
    return err->kind != ERR_INVALID && (err->code == 0 || err->code == ENOMEM);
}

static int compare_file(struct rehash *r, const char *folder, struct verify_file *f,
                        struct err *err)
{
    const struct rehash_file at = {folder, f->record->path, f->record->digest};
    struct rehash_seen seen;
    if (!check_without_reading(folder, f)) {
        return 0;
    }
    struct err e = {0};
    if (rehash_file(r, &at, &seen, &e) == 0) {
        compare_hashes(&seen, f);
        return 0;
    }
    if (is_ours(&e)) {
        *err = e;
        return -1;
    }
    set_failure(f, e.code, e.msg);
    return 0;
}

int verify_files(struct rehash *r, const char *folder, const struct record *record,
                 const struct verify_watch *w, struct err *err)
{
    for (size_t i = 0; i < record->n; i++) {
        struct verify_file f = {.record = &record->files[i], .state = VERIFY_OK};
        if (compare_file(r, folder, &f, err) != 0) {
            return -1;
        }
        w->file(w->ctx, &f);
    }
    return 0;
}

/* --- the manifests --- */

static void write_difference(char why[static VERIFY_WHY], const char *name, const char *what,
                             const char *path)
{
    char shown[TREE_SHOWN];
    snprintf(why, VERIFY_WHY, "%.100s %s %.150s", name, what, tree_shown(path, shown));
}

/* A share may know the file by another form of its name; the manifest then lists that form. */
static const char *listed_hash(const struct manifest *m, const char *path)
{
    const char *hash = manifest_find(m, path);
    for (enum smb_map map = 0; hash == NULL && map < SMB_MAP_COUNT; map++) {
        AUTO(free) char *mapped = smb_name_mapped(path, map);
        hash = mapped == NULL ? NULL : manifest_find(m, mapped);
    }
    return hash;
}

static bool is_recorded(const struct record *record, const char *listed)
{
    bool found = record_find(record, listed) != NULL;
    for (size_t i = 0; !found && i < record->n; i++) {
        for (enum smb_map map = 0; !found && map < SMB_MAP_COUNT; map++) {
            AUTO(free) char *mapped = smb_name_mapped(record->files[i].path, map);
            found = mapped != NULL && strcmp(mapped, listed) == 0;
        }
    }
    return found;
}

static void compare_lines(const struct manifest *m, const struct record *record, bool digest,
                          const char *name, char why[static VERIFY_WHY])
{
    for (size_t i = 0; i < record->n && why[0] == '\0'; i++) {
        const struct record_file *f = &record->files[i];
        const char *listed = listed_hash(m, f->path);
        if (listed == NULL) {
            write_difference(why, name, "does not list", f->path);
        } else if (strcmp(listed, digest ? f->hex.digest : f->hex.xxh3) != 0) {
            write_difference(why, name, "has another hash of", f->path);
        }
    }
    for (size_t i = 0; m->n != record->n && i < m->n && why[0] == '\0'; i++) {
        if (!is_recorded(record, m->lines[i].path)) {
            write_difference(why, name, "lists a file that was not recorded:", m->lines[i].path);
        }
    }
    if (why[0] == '\0' && m->n != record->n) {
        write_difference(why, name, "lists a file twice", "");
    }
}

static int check_manifest(const char *folder, const char *id, const struct record *record,
                          bool digest, char why[static VERIFY_WHY], struct err *err)
{
    char name[MANIFEST_NAME_ROOM];
    struct manifest m = {0};
    struct err e = {0};
    size_t len = 0;
    manifest_name(id, digest ? hash_digest_name(record->files[0].digest) : "xxh3", name);
    AUTO(free) char *path = path_join(folder, name, err);
    AUTO(free) char *text = path == NULL ? NULL : fs_read(path, MANIFEST_MAX, &len, &e);
    if (path == NULL) {
        return -1;
    }
    if (text == NULL || manifest_parse(text, len, &m, &e) != 0) {
        snprintf(why, VERIFY_WHY, "%.100s cannot be used: %.180s", path_base(name), e.msg);
    } else {
        compare_lines(&m, record, digest, name, why);
    }
    manifest_fini(&m);
    return 0;
}

static bool all_have(const struct record *record, bool digest)
{
    for (size_t i = 0; i < record->n; i++) {
        const struct hash_hex *hex = &record->files[i].hex;
        if ((digest ? hex->digest[0] : hex->xxh3[0]) == '\0' ||
            record->files[i].digest != record->files[0].digest) {
            return false;
        }
    }
    return record->n > 0;
}

int verify_manifests(const char *folder, const char *id, const struct record *record,
                     char why[static VERIFY_WHY], struct err *err)
{
    why[0] = '\0';
    if (!all_have(record, false)) {
        return 0;
    }
    if (check_manifest(folder, id, record, false, why, err) != 0) {
        return -1;
    }
    return why[0] == '\0' && all_have(record, true)
               ? check_manifest(folder, id, record, true, why, err)
               : 0;
}

void verify_one_init(struct verify_one *one, const char *id)
{
    *one = (struct verify_one){.id = id, .start_ms = mono_ms()};
    bson_init(&one->files);
}

void verify_one_fini(struct verify_one *one)
{
    bson_destroy(&one->files);
    json_decref(one->list);
}
