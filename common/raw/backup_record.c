/*
 * backup_record.c - what a raw file's document says was backed up. record_load reads "file_list" or
 * "files" when the document has it, else AlphaKraken's "file_info", then the names of
 * "watch.members", which also count when a raw file holds no file at all. Each path is unescaped
 * and must stay below its folder; a file without a size or a hash makes the whole record INVALID,
 * because such a backup cannot be proven. Files and names are sorted; record_find bisects.
 *
 * record_folder turns the stored backup path, written as the cluster or a worker sees it, into
 * ours.
 */
#include "common/raw/backup_record.h"

#include <stdio.h>
#include <string.h>

#include "common/base/path.h"
#include "common/raw/file_list.h"

static int no_memory(struct err *err)
{
    return err_no_memory(err);
}

void record_fini(struct record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->files[i].path);
    }
    for (size_t i = 0; i < r->n_names; i++) {
        free(r->names[i]);
    }
    free(r->files);
    free(r->names);
    *r = (struct record){0};
}

/* Most files follow one of the same name; sort_names drops the rest. */
static int add_name(struct record *r, const char *name, size_t len, struct err *err)
{
    const char *last = r->n_names > 0 ? r->names[r->n_names - 1] : "";
    if (strncmp(last, name, len) == 0 && last[len] == '\0') {
        return 0;
    }
    char **more =
        r->n_names % 64 != 0 ? r->names : reallocarray(r->names, r->n_names + 64, sizeof *more);
    if (more == NULL) {
        return no_memory(err);
    }
    r->names = more;
    r->names[r->n_names] = strndup(name, len);
    return r->names[r->n_names] == NULL ? no_memory(err) : (r->n_names++, 0);
}

/* Add an empty file with its checked path. */
static struct record_file *add_file(struct record *r, const char *escaped, struct err *err)
{
    struct record_file *more =
        r->n % 1024 != 0 ? r->files : reallocarray(r->files, r->n + 1024, sizeof *more);
    AUTO(free) char *path = path_unescape(escaped);
    if (more != NULL) {
        r->files = more;
    }
    if (more == NULL || path == NULL) {
        no_memory(err);
        return NULL;
    }
    if (!path_is_safe(path)) {
        ERR(err, ERR_INVALID, 0, "the record names '%.200s', which is no path below a folder",
            escaped);
        return NULL;
    }
    if (add_name(r, path, strcspn(path, "/"), err) != 0) {
        return NULL;
    }
    struct record_file *f = &r->files[r->n++];
    *f = (struct record_file){.path = TAKE(path), .size = -1};
    return f;
}

static bool put_hash(char *to, size_t room, const char *hex)
{
    size_t len = strlen(hex);
    if (len >= room || strspn(hex, "0123456789abcdefABCDEF") != len) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        to[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + ('a' - 'A')) : hex[i];
    }
    return true;
}

static int put_hashes(struct record_file *f, const bson_t *file, struct err *err)
{
    const char *md5 = doc_str(file, "md5", ""), *sha256 = doc_str(file, "sha256", "");
    bool has_md5 = md5[0] != '\0';
    f->digest = has_md5 ? HASH_MD5 : sha256[0] != '\0' ? HASH_SHA256 : HASH_NONE;
    if (!put_hash(f->hex.xxh3, sizeof f->hex.xxh3, doc_str(file, "xxh3", "")) ||
        !put_hash(f->hex.digest, sizeof f->hex.digest, has_md5 ? md5 : sha256) || f->size < 0 ||
        (f->hex.xxh3[0] == '\0' && f->hex.digest[0] == '\0')) {
        return ERR(err, ERR_INVALID, 0, "the record has no size or no hash of '%.200s'", f->path);
    }
    return 0;
}

static int load_file(void *ctx, const bson_t *file, struct err *err)
{
    struct record_file *f = add_file(ctx, doc_str(file, "path", ""), err);
    if (f == NULL) {
        return -1;
    }
    f->size = doc_i64(file, "size", -1);
    return put_hashes(f, file, err);
}

/* The key without "<instrument>/<YYYY_MM>/", which old documents have. */
static const char *strip_legacy(const bson_t *raw, const char *key)
{
    static const char month[] = "dddd_dd/";
    const char *instrument = doc_str(raw, "instrument_id", "");
    size_t len = strlen(instrument), i = 0;
    if (len == 0 || strncmp(key, instrument, len) != 0 || key[len] != '/') {
        return key;
    }
    const char *rest = key + len + 1;
    while (month[i] != '\0' &&
           (month[i] == 'd' ? rest[i] >= '0' && rest[i] <= '9' : rest[i] == month[i])) {
        i++;
    }
    return month[i] == '\0' ? rest + i : key;
}

static int load_file_info(struct record *r, const bson_t *raw, const bson_t *info, struct err *err)
{
    bson_iter_t at, in;
    for (bool more = bson_iter_init(&at, info) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        struct record_file *f = add_file(r, strip_legacy(raw, bson_iter_key(&at)), err);
        if (f == NULL) {
            return -1;
        }
        bool sized = bson_iter_recurse(&at, &in) && bson_iter_next(&in);
        f->size = sized && BSON_ITER_HOLDS_NUMBER(&in) ? bson_iter_as_int64(&in) : -1;
        bool hashed = sized && bson_iter_next(&in) && BSON_ITER_HOLDS_UTF8(&in);
        f->digest = HASH_MD5;
        if (f->size < 0 || !hashed || bson_iter_utf8(&in, NULL)[0] == '\0' ||
            !put_hash(f->hex.digest, sizeof f->hex.digest, bson_iter_utf8(&in, NULL))) {
            return ERR(err, ERR_INVALID, 0, "file_info has no size or no MD5 of '%.200s'", f->path);
        }
    }
    return 0;
}

/* A raw file without any file (an empty .d) still has a name. */
static int load_members(struct record *r, const bson_t *raw, struct err *err)
{
    bson_t list, one;
    bson_iter_t at;
    for (bool more = doc_sub(raw, "watch.members", &list) && bson_iter_init(&at, &list) &&
                     bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        AUTO(free)
        char *name = doc_sub(&list, bson_iter_key(&at), &one)
                         ? path_unescape(doc_str(&one, "to", ""))
                         : NULL;
        if (name == NULL || !path_is_safe(name) || strchr(name, '/') != NULL) {
            return ERR(err, ERR_INVALID, 0, "the raw file's document has a broken member");
        }
        if (add_name(r, name, strlen(name), err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct record_file *)a)->path, ((const struct record_file *)b)->path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(struct record *r)
{
    size_t kept = 0;
    if (r->n_names > 0) {
        qsort(r->names, r->n_names, sizeof *r->names, by_name);
    }
    for (size_t i = 0; i < r->n_names; i++) {
        if (kept > 0 && strcmp(r->names[kept - 1], r->names[i]) == 0) {
            free(r->names[i]);
        } else {
            r->names[kept++] = r->names[i];
        }
    }
    r->n_names = kept;
}

/* The field that holds the record; NULL when there is none. */
static const char *field_of(const bson_t *raw)
{
    bson_t list;
    return doc_sub(raw, "file_list", &list) ? "file_list"
           : doc_sub(raw, "files", &list)   ? "files"
           : doc_sub(raw, "file_info", &list) && !bson_empty(&list) /* {}: AlphaKraken has none */
               ? "file_info"
               : NULL;
}

bool record_exists(const bson_t *raw)
{
    return field_of(raw) != NULL;
}

int64_t record_count(const bson_t *raw)
{
    bson_t info;
    const char *field = field_of(raw);
    return field == NULL ? 0
           : strcmp(field, "file_info") == 0 && doc_sub(raw, field, &info)
               ? (int64_t)bson_count_keys(&info)
               : file_list_count((struct file_list_at){raw, field});
}

static int load_record(struct record *r, struct db *db, const bson_t *raw, struct err *err)
{
    bson_t info;
    const char *field = field_of(raw);
    if (field == NULL) {
        return ERR(err, ERR_INVALID, 0, "there is no record of its files");
    }
    return strcmp(field, "file_info") == 0 && doc_sub(raw, field, &info)
               ? load_file_info(r, raw, &info, err)
               : file_list_each(db, (struct file_list_at){raw, field}, load_file, r, err);
}

int record_load(struct record *r, struct db *db, const bson_t *raw, struct err *err)
{
    *r = (struct record){0};
    if (load_record(r, db, raw, err) != 0 || load_members(r, raw, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < r->n; i++) {
        r->size += r->files[i].size;
    }
    if (r->n > 0) {
        qsort(r->files, r->n, sizeof *r->files, by_path);
    }
    sort_names(r);
    return 0;
}

const struct record_file *record_find(const struct record *r, const char *path)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(r->files[mid].path, path);
        if (cmp == 0) {
            return &r->files[mid];
        }
        low = cmp < 0 ? mid + 1 : low;
        high = cmp > 0 ? mid : high;
    }
    return NULL;
}

bool record_matches(const struct record_file *f, const struct rehash_seen *seen)
{
    return seen->size == f->size &&
           (f->hex.xxh3[0] == '\0' || strcmp(f->hex.xxh3, seen->hex.xxh3) == 0) &&
           (f->hex.digest[0] == '\0' || strcmp(f->hex.digest, seen->hex.digest) == 0);
}

/* The part of path below root, or NULL. */
static const char *below(const char *path, const char *root)
{
    size_t len = root != NULL ? strlen(root) : 0;
    while (len > 0 && root[len - 1] == '/') {
        len--;
    }
    return len > 0 && strncmp(path, root, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

char *record_folder(const struct config *cfg, const bson_t *raw, struct err *err)
{
    const char *base = doc_str(raw, "backup_base_path", "");
    const char *rest = below(base, config_cluster_path(&cfg->location.backup));
    if (rest == NULL) {
        rest = below(base, cfg->location.backup.worker);
    }
    if (rest == NULL) {
        ERR(err, ERR_INVALID, 0,
            "its backup '%.150s' is not below the backup location '%.80s': see [location.backup]",
            base, config_cluster_path(&cfg->location.backup));
        return NULL;
    }
    return path_join(cfg->location.backup.worker, rest, err);
}
