/*
 * file_list.h - the lists of an acquisition's files, in documents of their own, so that no other
 * document grows with the number of files (docs/data-model/file-list.md).
 *
 * A list never changes. It is named by the attempt of the copy that made it, "<raw file
 * id>#<round>.<fence>"; its documents are named "<list>/<n>". Others hold a reference: {list,
 * files, documents, hash}. All documents of a list are acknowledged before its reference is
 * written, and a reader believes a list only when all of it is there and has the hash.
 *
 * Invariant: a list that a raw file's "file_list" or "superseded", or an open copy's "published" or
 * "input.supersedes" names is there. Only file_list_drop_others deletes: when the raw file's
 * document names the list of a done copy, it takes all others up to that copy's round away. No
 * later task can ask for them: what a raw file "superseded" is the list that it names, and each
 * reopening begins a new round, whose lists are not touched.
 *
 * In documents of earlier versions an array of files is where a reference is now; file_list_each
 * reads both.
 */
#ifndef COMMON_RAW_FILE_LIST_H
#define COMMON_RAW_FILE_LIST_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/db.h"

#define FILE_LIST_FILES 1000 /* in one document */
#define FILE_LIST_BYTES                                                                            \
    ((uint32_t)1 << 19) /* of these; names can be long: below 1 MiB with one more */

/* The attempt of a copy that makes a list. */
struct file_list_name {
    const char *raw_file;
    int64_t round, fence;
};

struct file_list_writer; /* opaque; defined in file_list_write.c */
/* db NULL: writes nothing, only works out the reference. Borrows db. One thread. NULL and TRANSIENT
 * when memory is short; freed with file_list_writer_free. */
struct file_list_writer *file_list_writer_new(struct db *db, const struct file_list_name *name,
                                              struct err *err) OWNED __attribute__((nonnull(2, 3)));
void file_list_writer_free(struct file_list_writer *w);
AUTO_DEFINE(struct file_list_writer, file_list_writer_free);
/* Add {path, size, xxh3, md5?, sha256?, etag?}. -1, *err of the database: nothing was added, and
 * the same call may be repeated. INVALID: another list has this name. */
int file_list_add(struct file_list_writer *w, const bson_t *file, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Write what is left, and append the reference's fields to ref. Fails as file_list_add. */
int file_list_end(struct file_list_writer *w, bson_t *ref, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Calls fn for each file of the list at doc's path, a reference or an array; fn returns -1 with
 * *err set to stop. What fn was given counts only when all has succeeded. INVALID: there is no
 * list, or it is not whole or not what its reference says; so is any reference when db is NULL. */
typedef int file_list_fn(void *ctx, const bson_t *file, struct err *err);
struct file_list_at {
    const bson_t *doc;
    const char *path;
};
int file_list_each(struct db *db, struct file_list_at at, file_list_fn *fn, void *ctx,
                   struct err *err) __attribute__((nonnull(3, 5), warn_unused_result));
/* Whether there is a reference (not an array) at path. */
bool file_list_is_reference(struct file_list_at at);
/* How many files the list at path has; 0 when there is none. */
int64_t file_list_count(struct file_list_at at);
/* Whether two references are of lists with the same files. */
bool file_list_same(const bson_t *a, const bson_t *b) __attribute__((nonnull));

/* Delete the raw file's lists of this round and of earlier ones, but the one named keep. Call only
 * after the raw file's document was acknowledged that names keep. */
int file_list_drop_others(struct db *db, const char *raw_file, int64_t round, const char *keep,
                          struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
