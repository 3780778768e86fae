/*
 * settings_files.c - the files of settings, stored once and never changed. settings_files_store
 * copies the files into a new folder beside the others, hashing them on the way, names it by the
 * hash of all names and contents, and renames it into place. When that name exists, the same files
 * are there already: they are checked, and the new folder is dropped. An interrupted call leaves
 * only a .new-… folder, which nobody reads.
 *
 * settings_file_check reads one stored file again and compares it with the version's record.
 */
#include "common/quant/settings_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/base/strbuf.h"

#define BLOCK (1u << 20)

void settings_stored_fini(struct settings_stored *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->files[i].name);
    }
    *s = (struct settings_stored){0};
}

/* from -> to, hashed on the way; both are open. */
static int copy_bytes(int from, int to, struct settings_file *f, struct err *err)
{
    AUTO(hasher_free) struct hasher *h = hasher_new(HASH_NONE, err);
    AUTO(free) char *block = malloc(BLOCK);
    if (h == NULL || block == NULL) {
        return err_no_memory(err);
    }
    for (;;) {
        ssize_t n = read(from, block, BLOCK);
        if (n < 0) {
            return ERR(err, fs_errno_kind(errno), errno, "reading: %m");
        }
        if (n == 0) {
            break;
        }
        hasher_add(h, block, (size_t)n);
        f->size += n;
        if (fs_write_all(to, block, (size_t)n, err) != 0) {
            return -1;
        }
    }
    struct hash_hex hex;
    hasher_hex(h, &hex);
    memcpy(f->xxh3, hex.xxh3, sizeof f->xxh3);
    return fsync(to) == 0 ? 0 : ERR(err, fs_errno_kind(errno), errno, "writing: %m");
}

static int open_source(const char *path, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        return fd;
    }
    int code = errno;
    if (fd >= 0) {
        close(fd);
        return ERR(err, ERR_INVALID, 0, "%s is no file", path);
    }
    errno = code;
    return ERR(err, ERR_INVALID, code, "%s: %m", path);
}

static int copy_one(const char *path, const char *folder, struct settings_file *f, struct err *err)
{
    AUTO(free) char *target = path_join(folder, f->name, err);
    int from = target != NULL ? open_source(path, err) : -1;
    if (from < 0) {
        return -1;
    }
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    int rc = 0;
    if (to < 0) {
        rc = errno == EEXIST ? ERR(err, ERR_INVALID, EEXIST, "two files are called %s", f->name)
                             : ERR(err, fs_errno_kind(errno), errno, "%s: %m", target);
    } else {
        rc = copy_bytes(from, to, f, err);
        if (rc != 0) {
            err_context(err, "%s", path);
        }
        close(to);
    }
    close(from);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct settings_file *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The folder's name does not depend on the order in which the files were given. */
static int name_set(struct settings_stored *s, struct err *err)
{
    const struct settings_file *sorted[SETTINGS_FILES_MAX];
    AUTO(strbuf_fini) struct strbuf t = {0};
    char hex[HASH_XXH_HEX];
    for (size_t i = 0; i < s->n; i++) {
        sorted[i] = &s->files[i];
    }
    qsort(sorted, s->n, sizeof *sorted, by_name);
    if (strbuf_open(&t, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < s->n; i++) {
        fprintf(t.out, "%s  %s%c", sorted[i]->xxh3, sorted[i]->name, '\0');
    }
    if (strbuf_close(&t, err) != 0) {
        return -1;
    }
    hash_mem(t.data, t.len, hex);
    snprintf(s->set, sizeof s->set, "set-%s", hex);
    return 0;
}

static int copy_all(const char *folder, const char *const *paths, size_t n,
                    struct settings_stored *out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct settings_file *f = &out->files[out->n++];
        f->name = strdup(path_base(paths[i]));
        if (f->name == NULL) {
            return err_no_memory(err);
        }
        if (copy_one(paths[i], folder, f, err) != 0) {
            return -1;
        }
    }
    return fs_sync_dir(folder, err) != 0 ? -1 : name_set(out, err);
}

static void drop(const char *folder, const struct settings_stored *s)
{
    struct err ignored = {0};
    for (size_t i = 0; i < s->n; i++) {
        AUTO(free) char *path = path_join(folder, s->files[i].name, &ignored);
        if (path != NULL) {
            unlink(path);
        }
    }
    rmdir(folder);
}

/* The folder is there already, and holds what its name says. */
static int check_there(const char *root, const struct settings_stored *s, struct err *err)
{
    struct settings now = {.name = (char[]){"the new version"}, .set = strdup(s->set)};
    int rc = now.set != NULL ? 0 : err_no_memory(err);
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        rc = settings_file_check(root, &now, &s->files[i], err);
    }
    free(now.set);
    return rc;
}

static int publish(const char *root, const char *made, struct settings_stored *out, struct err *err)
{
    AUTO(free) char *final = path_join(root, out->set, err);
    if (final == NULL) {
        return -1;
    }
    out->made = rename(made, final) == 0;
    if (out->made) {
        return fs_sync_dir(root, err);
    }
    if (errno != ENOTEMPTY && errno != EEXIST) {
        return ERR(err, fs_errno_kind(errno), errno, "%s: %m", final);
    }
    drop(made, out);
    return check_there(root, out, err);
}

int settings_files_store(const char *root, const char *const *paths, size_t n,
                         struct settings_stored *out, struct err *err)
{
    *out = (struct settings_stored){0};
    if (n > SETTINGS_FILES_MAX) {
        return ERR(err, ERR_INVALID, 0, "more than %d files", SETTINGS_FILES_MAX);
    }
    AUTO(free) char *made = NULL;
    if (asprintf(&made, "%s/.new-XXXXXX", root) < 0) {
        made = NULL;
        return err_no_memory(err);
    }
    if (mkdtemp(made) == NULL) {
        return ERR(err, ERR_INVALID, errno,
                   "[location.settings] worker: cannot make a folder in %s: %m", root);
    }
    if (chmod(made, 0755) == 0 && copy_all(made, paths, n, out, err) == 0) {
        return publish(root, made, out, err);
    }
    drop(made, out);
    return ERR(err, fs_errno_kind(errno), errno, "%s: %m", made);
}

int settings_file_check(const char *root, const struct settings *s, const struct settings_file *f,
                        struct err *err)
{
    struct stat st;
    struct rehash_seen seen;
    AUTO(free) char *relative = path_join(s->set, f->name, err);
    AUTO(rehash_free)
    struct rehash *r = relative != NULL ? rehash_new(&(struct rehash_hooks){0}, err) : NULL;
    if (r == NULL) {
        return -1;
    }
    if (root[0] == '\0' || stat(root, &st) != 0) {
        return ERR(err, ERR_HOLD, errno,
                   "the settings location '%s' is not there: is it mounted? ([location.settings] "
                   "worker)",
                   root);
    }
    if (rehash_file(r, &(struct rehash_file){root, relative, HASH_NONE}, &seen, err) != 0) {
        return err_context(err, "%s-v%lld", s->name, (long long)s->version);
    }
    if (seen.size == f->size && strcmp(seen.hex.xxh3, f->xxh3) == 0) {
        return 0;
    }
    return ERR(err, ERR_INVALID, 0,
               "%s/%s is not what %s-v%lld was made with (xxh3 %s, now %s): put that file back, or "
               "make a new version",
               root, relative, s->name, (long long)s->version, f->xxh3, seen.hex.xxh3);
}
