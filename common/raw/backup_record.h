/*
 * backup_record.h - what a raw file's document says was backed up: its files with sizes and hashes,
 * its names at the target, and where in the backup location they are. Any thread.
 *
 * "file_list" names the list of its files (file_list.h); earlier versions had them in "files". A
 * document that only AlphaKraken wrote has "file_info": [size, MD5] by path; in old ones
 * "<instrument>/<YYYY_MM>/" precedes the path.
 */
#ifndef COMMON_RAW_BACKUP_RECORD_H
#define COMMON_RAW_BACKUP_RECORD_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/own.h"
#include "common/base/rehash.h"
#include "common/config/config.h"
#include "common/db/db.h"

struct record_file {
    char *path; /* bytes, relative to the folder; begins with a name of the raw file */
    int64_t size;
    enum hash_digest digest;
    struct hash_hex hex; /* xxh3 is "" in AlphaKraken's documents */
};

struct record {
    struct record_file *files; /* sorted by path */
    size_t n;
    char **names; /* at the target: "<id>", or each file of a set; bytes, sorted, each once */
    size_t n_names;
    int64_t size;
};

/* Whether the document says what was backed up. */
bool record_exists(const bson_t *raw) __attribute__((nonnull));
/* How many files it says that are; 0 without a record. Reads no list. */
int64_t record_count(const bson_t *raw) __attribute__((nonnull));
/* Reads the list, too (db NULL: of a document that has none); some 250 bytes of memory a file.
 * INVALID for a document that names a file outside, or without a hash, and for a list that is not
 * whole. record_fini frees, also after a failure. */
int record_load(struct record *r, struct db *db, const bson_t *raw, struct err *err)
    __attribute__((nonnull(1, 3, 4), warn_unused_result));
void record_fini(struct record *r) __attribute__((nonnull));
/* Borrowed; NULL when there is no such file. */
const struct record_file *record_find(const struct record *r, const char *path)
    __attribute__((nonnull));
/* Whether what was read is the recorded file: size and every recorded hash. */
bool record_matches(const struct record_file *f, const struct rehash_seen *seen)
    __attribute__((nonnull));

/* backup_base_path as this process sees it; free(). INVALID when it is not below the backup
 * location. */
char *record_folder(const struct config *cfg, const bson_t *raw, struct err *err) OWNED
    __attribute__((nonnull));
#endif
