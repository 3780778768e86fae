/* file_list.c - reading lists of files, and what their names and hashes are made of. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/raw/file_list_internal.h"

void file_list_hash(struct hasher *h, const bson_t *file)
{
    static const char *const fields[] = {"path", "xxh3", "md5", "sha256", "etag"};
    char size[24];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = doc_str(file, fields[i], "");
        hasher_add(h, text, strlen(text) + 1);
    }
    int len = snprintf(size, sizeof size, "%" PRId64, doc_i64(file, "size", -1));
    hasher_add(h, size, (size_t)len + 1);
}

char *file_list_document(const char *list, uint32_t n, struct err *err)
{
    char *id;
    if (asprintf(&id, "%s/%06" PRIu32, list, n) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return id;
}

static bool find_value(struct file_list_at at, bson_iter_t *value)
{
    bson_iter_t top;
    return bson_iter_init(&top, at.doc) && bson_iter_find_descendant(&top, at.path, value);
}

bool file_list_is_reference(struct file_list_at at)
{
    bson_iter_t value;
    return find_value(at, &value) && BSON_ITER_HOLDS_DOCUMENT(&value);
}

int64_t file_list_count(struct file_list_at at)
{
    bson_t view;
    return !doc_sub(at.doc, at.path, &view) ? 0
           : file_list_is_reference(at)     ? doc_i64(&view, "files", 0)
                                            : (int64_t)bson_count_keys(&view);
}

bool file_list_same(const bson_t *a, const bson_t *b)
{
    const char *hash = doc_str(a, "hash", "");
    return hash[0] != '\0' && strcmp(hash, doc_str(b, "hash", "")) == 0 &&
           doc_i64(a, "files", -1) == doc_i64(b, "files", -2);
}

/* hasher may be NULL. Returns how many there were in *n. */
struct reading {
    file_list_fn *fn;
    void *ctx;
    struct hasher *hasher;
    int64_t n;
};

static int read_array(struct reading *r, const bson_t *files, struct err *err)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, files) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        bson_t file;
        const uint8_t *data = NULL;
        uint32_t len = 0;
        if (BSON_ITER_HOLDS_DOCUMENT(&at)) {
            bson_iter_document(&at, &len, &data);
        }
        if (data == NULL || !bson_init_static(&file, data, len)) {
            return ERR(err, ERR_INVALID, 0, "the list of files is broken");
        }
        if (r->hasher != NULL) {
            file_list_hash(r->hasher, &file);
        }
        if (r->fn(r->ctx, &file, err) != 0) {
            return -1;
        }
        r->n++;
    }
    return 0;
}

#define REMEDY "its collection is " DB_FILE_LISTS ", restore it from MongoDB's backup"

static int read_document(struct db *db, struct reading *r, const bson_t *ref, uint32_t n,
                         struct err *err)
{
    const char *list = doc_str(ref, "list", "");
    bson_t files;
    AUTO(bson_destroy) bson_t *doc = NULL;
    AUTO(free) char *id = file_list_document(list, n, err);
    if (id == NULL || db_find_id(db, DB_FILE_LISTS, id, &doc, err) != 0) {
        return -1;
    }
    return doc != NULL && doc_sub(doc, "files", &files)
               ? read_array(r, &files, err)
               : ERR(err, ERR_INVALID, 0,
                     "the list of its files is not whole: document %" PRIu32 " of %" PRId64
                     " (%.120s) is missing; " REMEDY,
                     n + 1, doc_i64(ref, "documents", 0), id);
}

static int read_reference(struct db *db, struct reading *r, const bson_t *ref, struct err *err)
{
    struct hash_hex hex;
    AUTO(hasher_free) struct hasher *hasher = hasher_new(HASH_NONE, err);
    if (hasher == NULL) {
        return -1;
    }
    r->hasher = hasher;
    if (db == NULL || doc_str(ref, "list", "")[0] == '\0' || doc_i64(ref, "files", -1) < 0) {
        return ERR(err, ERR_INVALID, 0, "the reference to the list of its files is broken");
    }
    for (uint32_t n = 0; n < doc_i64(ref, "documents", 0); n++) {
        if (read_document(db, r, ref, n, err) != 0) {
            return -1;
        }
    }
    hasher_hex(hasher, &hex);
    return r->n == doc_i64(ref, "files", -1) && strcmp(hex.xxh3, doc_str(ref, "hash", "")) == 0
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "the list of its files is not what was written: %.120s has %" PRId64
                     " files, or its hash differs; " REMEDY,
                     doc_str(ref, "list", ""), r->n);
}

int file_list_each(struct db *db, struct file_list_at at, file_list_fn *fn, void *ctx,
                   struct err *err)
{
    bson_t list;
    struct reading r = {.fn = fn, .ctx = ctx};
    if (!doc_sub(at.doc, at.path, &list)) {
        return ERR(err, ERR_INVALID, 0, "there is no list of files");
    }
    return file_list_is_reference(at) ? read_reference(db, &r, &list, err)
                                      : read_array(&r, &list, err);
}
