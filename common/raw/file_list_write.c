/* file_list_write.c - writing a list of files, and deleting those that nothing names any more. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/raw/file_list_internal.h"

struct file_list_writer {
    struct db *db;
    char *list, *raw_file;
    int64_t round, files;
    uint32_t documents;
    struct hasher *hasher;
    bson_t pending; /* an array: of the document that is not written yet */
    uint32_t n_pending;
};

struct file_list_writer *file_list_writer_new(struct db *db, const struct file_list_name *name,
                                              struct err *err)
{
    struct file_list_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        err_no_memory(err);
        return NULL;
    }
    *w = (struct file_list_writer){
        .db = db, .round = name->round, .raw_file = strdup(name->raw_file)};
    bson_init(&w->pending);
    if (asprintf(&w->list, "%s#%" PRId64 ".%" PRId64, name->raw_file, name->round, name->fence) <
        0) {
        w->list = NULL;
    }
    w->hasher = hasher_new(HASH_NONE, err);
    if (w->list == NULL || w->raw_file == NULL || w->hasher == NULL) {
        err_no_memory(err);
        file_list_writer_free(w);
        return NULL;
    }
    return w;
}

void file_list_writer_free(struct file_list_writer *w)
{
    if (w != NULL) {
        hasher_free(w->hasher);
        bson_destroy(&w->pending);
        free(w->list);
        free(w->raw_file);
        free(w);
    }
}

/* The name is taken: by our own document, when the reply to its insert was lost. */
static int check_taken(struct file_list_writer *w, const bson_t *doc, struct err *err)
{
    AUTO(bson_destroy) bson_t *there = NULL;
    if (db_find_id(w->db, DB_FILE_LISTS, doc_str(doc, "_id", ""), &there, err) != 0) {
        return -1;
    }
    if (there == NULL) {
        return ERR(err, ERR_TRANSIENT, ERR_CODE_DATABASE,
                   "the list of files %s is written, but a majority of MongoDB's servers does not "
                   "have it yet",
                   w->list);
    }
    return bson_equal(there, doc)
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "there is another list of files named %s already: retry the task, its next "
                     "attempt takes another name",
                     w->list);
}

/* Write the document that is pending. */
static int flush(struct file_list_writer *w, struct err *err)
{
    bool inserted = true;
    AUTO(free) char *id = file_list_document(w->list, w->documents, err);
    if (id == NULL) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "list", BCON_UTF8(w->list), "raw_file",
                           BCON_UTF8(w->raw_file), "round", BCON_INT64(w->round), "n",
                           BCON_INT64(w->documents), "files", BCON_ARRAY(&w->pending));
    if (w->db != NULL && (db_insert(w->db, DB_FILE_LISTS, doc, &inserted, err) != 0 ||
                          (!inserted && check_taken(w, doc, err) != 0))) {
        return -1;
    }
    w->documents++;
    w->n_pending = 0;
    bson_reinit(&w->pending);
    return 0;
}

int file_list_add(struct file_list_writer *w, const bson_t *file, struct err *err)
{
    char room[16];
    const char *key;
    bool full = w->n_pending == FILE_LIST_FILES || w->pending.len >= FILE_LIST_BYTES;
    if (full && flush(w, err) != 0) {
        return -1;
    }
    bson_uint32_to_string(w->n_pending++, &key, room, sizeof room);
    BSON_APPEND_DOCUMENT(&w->pending, key, file);
    file_list_hash(w->hasher, file);
    w->files++;
    return 0;
}

int file_list_end(struct file_list_writer *w, bson_t *ref, struct err *err)
{
    struct hash_hex hex;
    if (w->n_pending > 0 && flush(w, err) != 0) {
        return -1;
    }
    hasher_hex(w->hasher, &hex);
    BCON_APPEND(ref, "list", BCON_UTF8(w->list), "files", BCON_INT64(w->files), "documents",
                BCON_INT64(w->documents), "hash", BCON_UTF8(hex.xxh3));
    return 0;
}

int file_list_drop_others(struct db *db, const char *raw_file, int64_t round, const char *keep,
                          struct err *err)
{
    AUTO(free) char *from = NULL, *to = NULL; /* ids are the collection's only index */
    if (asprintf(&from, "%s#", raw_file) < 0) {
        from = NULL;
        return err_no_memory(err);
    }
    if (asprintf(&to, "%s%c", raw_file, '#' + 1) < 0) {
        to = NULL;
        return err_no_memory(err);
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", "{", "$gte", BCON_UTF8(from), "$lt", BCON_UTF8(to), "}",
                              "raw_file", BCON_UTF8(raw_file), "round", "{", "$lte",
                              BCON_INT64(round), "}", "list", "{", "$ne", BCON_UTF8(keep), "}");
    return db_delete(db, DB_FILE_LISTS, filter, NULL, err);
}
