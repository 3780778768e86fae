/*
 * raw_file_import.c - AlphaKraken's raw file becomes ours.
 *
 * append_rest copies what keeps its meaning and leaves out nulls; what is decided here is appended
 * before. What it was is kept in "imported" where another value takes its place, or none: of one
 * that goes back to monitoring also what says where its backup is and what it holds, for the case
 * that its original is gone (scheduler/plan/outcome.c).
 *
 * The record of a backup stays "file_info". The size of the main file becomes "watch.size", by
 * which the watch knows the original again; its names become "watch.members", which a move needs,
 * only when the backup is complete. There is no "watch.rule": no watch of ours acquired it, so the
 * planner keeps its status.
 */
#include "common/raw/raw_file_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/path.h"
#include "common/db/difference.h"
#include "common/db/docs.h"
#include "common/raw/backup_record.h"
#include "common/raw/original.h"
#include "common/raw/raw_file_internal.h"
#include "common/raw/retire.h"

#define FALLBACK "_FALLBACK"

void raw_imported_fini(struct raw_imported *i)
{
    bson_destroy(i->doc);
    *i = (struct raw_imported){0};
}

/* --- its names as ours are: escaped --- */

static int append_escaped(bson_t *doc, const bson_t *info, struct err *err)
{
    bson_t out;
    bson_iter_t at;
    int rc = 0;
    BSON_APPEND_DOCUMENT_BEGIN(doc, "file_info", &out);
    for (bool more = bson_iter_init(&at, info) && bson_iter_next(&at); more && rc == 0;
         more = bson_iter_next(&at)) {
        AUTO(free) char *path = path_escape(bson_iter_key(&at));
        if (path == NULL) {
            rc = err_no_memory(err);
        } else {
            BSON_APPEND_VALUE(&out, path, bson_iter_value(&at));
        }
    }
    bson_append_document_end(doc, &out);
    return rc;
}

/* A copy whose paths are escaped; NULL without memory. */
static bson_t *escape_paths(const bson_t *theirs, struct err *err)
{
    bson_t info;
    AUTO(bson_destroy) bson_t *doc = bson_new();
    if (!doc_sub(theirs, "file_info", &info)) {
        return bson_copy(theirs);
    }
    bson_copy_to_excluding_noinit(theirs, doc, "file_info", NULL);
    return append_escaped(doc, &info, err) == 0 ? TAKE(doc) : NULL;
}

/* --- what it is --- */

static bool is_date(const bson_t *doc, const char *field)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, doc, field) && BSON_ITER_HOLDS_DATE_TIME(&at);
}

static int check(const bson_t *theirs, struct err *err)
{
    static const char *const texts[] = {"_id", "original_name", "instrument_id", "status", NULL};
    for (const char *const *field = texts; *field != NULL; field++) {
        if (doc_str(theirs, *field, "")[0] == '\0') {
            return ERR(err, ERR_INVALID, 0, "it has no %s that is a text", *field);
        }
    }
    if (raw_file_status(theirs) == RAW_UNKNOWN) {
        return ERR(err, ERR_INVALID, 0, "its status '%.40s' is unknown",
                   doc_str(theirs, "status", ""));
    }
    return is_date(theirs, "created_at")
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "it has no created_at that is a date, which names the backup's folder");
}

static bool is_finished(const bson_t *theirs)
{
    enum raw_status s = raw_file_status(theirs);
    return raw_status_is_error(s) || s == RAW_DONE || s == RAW_DONE_NOT_QUANTED || s == RAW_IGNORED;
}

/* It ended without a backup, and its original is where it was acquired: nobody else copies it. */
static bool was_never_copied(const bson_t *theirs)
{
    enum raw_status s = raw_file_status(theirs);
    return (s == RAW_ERROR || s == RAW_ACQUISITION_FAILED) && !retire_backup_is_complete(theirs) &&
           strcmp(doc_str(theirs, "instrument_file_status", ""), "initial") == 0;
}

/* Its record, when its files and their hashes are known. One that is broken is as good as none. */
static bool load_record(const bson_t *theirs, struct record *r)
{
    struct err broken = {0};
    bool whole = record_load(r, NULL, theirs, &broken) == 0 && r->n > 0;
    if (!whole) {
        record_fini(r);
    }
    return whole;
}

static int decide(const struct raw_import *how, const bson_t *theirs, const struct record *r,
                  struct raw_imported *out, struct err *err)
{
    bool recorded = r->n > 0 && retire_backup_is_complete(theirs);
    bool quantify = recorded && raw_status_is_copied(raw_file_status(theirs));
    out->way = was_never_copied(theirs) ? RAW_IMPORT_ADOPT
               : is_finished(theirs)    ? RAW_IMPORT_KEPT
               : quantify               ? RAW_IMPORT_QUANTIFY
                                        : RAW_IMPORT_ADOPT;
    out->recorded = recorded && out->way != RAW_IMPORT_ADOPT;
    if (!out->recorded) {
        return 0;
    }
    AUTO(free) char *folder = record_folder(how->cfg, theirs, err); /* else nothing is ever found */
    return folder != NULL ? 0 : -1;
}

/* --- its fields --- */

static void append_text(bson_t *doc, const char *field, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        BSON_APPEND_UTF8(doc, field, value);
    }
}

/* What must be read again by its watch: everything of the copy. */
static const char *const of_copy[] = {"backup_status", "status_details", "backup_base_path",
                                      "size",          "file_info",      NULL};

static bool is_of_copy(const char *field)
{
    for (const char *const *f = of_copy; *f != NULL; f++) {
        if (strcmp(*f, field) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_empty(const bson_iter_t *at)
{
    return BSON_ITER_HOLDS_NULL(at) ||
           (BSON_ITER_HOLDS_UTF8(at) && bson_iter_utf8(at, NULL)[0] == '\0');
}

static void append_rest(const bson_t *theirs, bool adopt, bson_t *doc)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, theirs) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        const char *field = bson_iter_key(&at);
        if (!is_empty(&at) && !db_has_key(doc, field) && !(adopt && is_of_copy(field))) {
            BSON_APPEND_VALUE(doc, field, bson_iter_value(&at));
        }
    }
}

static void append_status(const bson_t *theirs, const struct raw_imported *out, bson_t *doc)
{
    enum raw_status status = out->way == RAW_IMPORT_KEPT       ? raw_file_status(theirs)
                             : out->way == RAW_IMPORT_QUANTIFY ? RAW_QUEUED_FOR_QUANTING
                                                               : RAW_MONITORING_ACQUISITION;
    const char *file = doc_str(theirs, "instrument_file_status", "n/a");
    const char *backup = doc_str(theirs, "backup_status", "");
    BSON_APPEND_UTF8(doc, "status", raw_status_names[status]);
    BSON_APPEND_UTF8(doc, "instrument_file_status",
                     out->way == RAW_IMPORT_ADOPT ? "initial" : file);
    if (out->way != RAW_IMPORT_ADOPT && strncmp(backup, "upload_", strlen("upload_")) == 0) {
        BSON_APPEND_UTF8(doc, "backup_status", "copying_done");
    }
}

/* What it was, where it is gone now; of its backup only if it can be verified by that. */
static void append_lost(const bson_t *theirs, bool whole, const bson_t *doc, bson_t *mark)
{
    static const char *const proofs[] = {"backup_base_path", "size", "file_info", NULL};
    bson_iter_t at;
    if (!db_has_key(doc, "status_details")) {
        append_text(mark, "status_details", doc_str(theirs, "status_details", ""));
    }
    for (const char *const *f = proofs; *f != NULL && whole; f++) {
        if (!db_has_key(doc, *f) && bson_iter_init_find(&at, theirs, *f) && !is_empty(&at)) {
            BSON_APPEND_VALUE(mark, *f, bson_iter_value(&at));
        }
    }
}

/* What it was, where it has another value now. */
static void append_mark(const struct raw_import *how, const bson_t *theirs, bool whole, bson_t *doc)
{
    static const char *const fields[] = {"_id", "status", "backup_status", "instrument_file_status",
                                         NULL};
    AUTO(bson_destroy)
    bson_t *mark = BCON_NEW("at", BCON_DATE_TIME(how->now_ms), "from", BCON_UTF8(how->from));
    for (const char *const *f = fields; *f != NULL; f++) {
        const char *was = doc_str(theirs, *f, "");
        if (was[0] != '\0' && strcmp(was, doc_str(doc, *f, "")) != 0) {
            BSON_APPEND_UTF8(mark, **f == '_' ? "id" : *f, was);
        }
    }
    append_lost(theirs, whole, doc, mark);
    BSON_APPEND_DOCUMENT(doc, "imported", mark);
}

/* --- its original --- */

/* -1: it is not among them. */
static int64_t size_in(const struct record *r, const char *folder, const char *name)
{
    size_t len = strlen(folder);
    int64_t size = -1;
    for (size_t i = 0; i < r->n; i++) {
        const char *path = r->files[i].path;
        if (strncmp(path, folder, len) == 0 && strcasecmp(path + len, name) == 0) {
            size = (size < 0 ? 0 : size) + r->files[i].size;
        }
    }
    return size;
}

/* As a look at the instrument would see it (scheduler/watch/look.c): the file that is called like
 * the raw file, what is called so in its folder, or all of a folder without these. */
static int64_t main_size(const bson_t *theirs, const struct record *r)
{
    const char *id = doc_str(theirs, "_id", "");
    const struct record_file *itself = record_find(r, id);
    if (itself != NULL || path_ends_with(id, ".wiff", true)) {
        return itself != NULL ? itself->size : -1;
    }
    int64_t tdf = size_in(r, id, "/analysis.tdf_bin"), tsf = size_in(r, id, "/analysis.tsf_bin");
    if (tdf >= 0 || tsf >= 0) {
        return (tdf > 0 ? tdf : 0) + (tsf > 0 ? tsf : 0);
    }
    bool lacks_main = size_in(r, id, "/analysis.tdf") >= 0 || size_in(r, id, "/analysis.tsf") >= 0;
    return lacks_main ? -1 : r->size;
}

static int append_members(const bson_t *theirs, const struct record *r, bson_t *watch,
                          struct err *err)
{
    struct original names = {0};
    bson_t list;
    int rc = original_load_of(&names, theirs, r, err);
    BSON_APPEND_ARRAY_BEGIN(watch, "members", &list);
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        char key[24];
        AUTO(free) char *from = path_escape(names.members[i].from);
        AUTO(free) char *to = path_escape(names.members[i].to);
        snprintf(key, sizeof key, "%zu", i);
        if (from == NULL || to == NULL) {
            rc = err_no_memory(err);
        } else {
            BCON_APPEND(&list, key, "{", "from", BCON_UTF8(from), "to", BCON_UTF8(to), "}");
        }
    }
    bson_append_array_end(watch, &list);
    original_fini(&names);
    return rc;
}

static int append_original(const bson_t *theirs, const struct record *r, bool recorded, bson_t *doc,
                           struct err *err)
{
    bson_t watch;
    int64_t size = main_size(theirs, r);
    BSON_APPEND_DOCUMENT_BEGIN(doc, "watch", &watch);
    if (size >= 0) { /* else what has its name is left alone */
        BSON_APPEND_INT64(&watch, "size", size);
    }
    int rc = recorded ? append_members(theirs, r, &watch, err) : 0;
    bson_append_document_end(doc, &watch);
    return rc;
}

static void append_retirement(const bson_t *theirs, bson_t *doc)
{
    BSON_APPEND_DATE_TIME(doc, "copied_at",
                          doc_i64(theirs, "updated_at_", doc_i64(theirs, "created_at", 0)));
    if (strcmp(doc_str(theirs, "instrument_file_status", ""), "initial") == 0) {
        char mark[64];
        snprintf(mark, sizeof mark, "move %.50s", doc_str(theirs, "instrument_id", ""));
        BSON_APPEND_UTF8(doc, "retire", mark);
    }
}

/* --- the document --- */

static int append_names(const bson_t *theirs, struct raw_imported *out, struct err *err)
{
    AUTO(free) char *id = path_escape(doc_str(theirs, "_id", ""));
    AUTO(free) char *name = path_escape(doc_str(theirs, "original_name", ""));
    if (id == NULL || name == NULL) {
        return err_no_memory(err);
    }
    out->renamed = strcmp(id, doc_str(theirs, "_id", "")) != 0;
    BCON_APPEND(out->doc, "_id", BCON_UTF8(id), "original_name", BCON_UTF8(name));
    append_text(out->doc, "collision_flag", doc_str(theirs, "collision_flag", ""));
    BSON_APPEND_UTF8(out->doc, "project_id", doc_str(theirs, "project_id", FALLBACK));
    return 0;
}

static int make_document(const struct raw_import *how, const bson_t *theirs, const struct record *r,
                         struct raw_imported *out, struct err *err)
{
    out->doc = bson_new();
    if (append_names(theirs, out, err) != 0) {
        return -1;
    }
    append_status(theirs, out, out->doc);
    if (doc_has(theirs, "size") && out->way != RAW_IMPORT_ADOPT) {
        BSON_APPEND_INT64(out->doc, "size", doc_i64(theirs, "size", -1));
    }
    append_rest(theirs, out->way == RAW_IMPORT_ADOPT, out->doc);
    append_mark(how, theirs, r->n > 0, out->doc);
    BCON_APPEND(out->doc, "rev", BCON_INT64(1), "indexed_rev", BCON_INT64(0), "dirty",
                BCON_BOOL(true), "settled", BCON_BOOL(false));
    if (out->recorded) {
        append_retirement(theirs, out->doc);
    }
    return r->n == 0 || out->way == RAW_IMPORT_ADOPT
               ? 0
               : append_original(theirs, r, out->recorded, out->doc, err);
}

int raw_file_import(const struct raw_import *how, const bson_t *theirs, struct raw_imported *out,
                    struct err *err)
{
    struct record r = {0};
    *out = (struct raw_imported){0};
    if (check(theirs, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *escaped = escape_paths(theirs, err);
    if (escaped == NULL) {
        return -1;
    }
    load_record(escaped, &r);
    int rc = decide(how, escaped, &r, out, err);
    rc = rc == 0 ? make_document(how, escaped, &r, out, err) : rc;
    record_fini(&r);
    if (rc != 0) {
        raw_imported_fini(out);
    }
    return rc;
}

/* --- writing it down --- */

struct db_change raw_file_importing(const bson_t *theirs, const bson_t *ours)
{
    const char *id = doc_str(ours, "_id", "");
    return (struct db_change){
        .filter = BCON_NEW("_id", BCON_UTF8(id), "rev", BCON_NULL, "status",
                           BCON_UTF8(doc_str(theirs, "status", ""))),
        .update = doc_difference(theirs, ours), /* "rev" differs */
        .proof = BCON_NEW("_id", BCON_UTF8(id), "rev", BCON_INT64(1)),
    };
}

static int move_metrics(struct db *db, const char *from, const char *to, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("raw_file", BCON_UTF8(from));
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "raw_file", BCON_UTF8(to), "}");
    bool won = true;
    int rc = 0;
    while (rc == 0 && won) {
        rc = db_update(db, DB_METRICS, filter, update, &won, err);
    }
    return rc;
}

int raw_file_import_rename(struct db *db, const bson_t *theirs, const bson_t *ours, bool *won,
                           struct err *err)
{
    const char *from = doc_str(theirs, "_id", ""), *to = doc_str(ours, "_id", "");
    bool made;
    if (db_insert(db, DB_RAW_FILES, ours, &made, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *there = NULL;
    if (!made && db_find_id(db, DB_RAW_FILES, to, &there, err) != 0) {
        return -1;
    }
    *won = made || (there != NULL && strcmp(doc_str(there, "imported.id", ""), from) == 0);
    if (!*won || move_metrics(db, from, to, err) != 0) {
        return *won ? -1 : 0;
    }
    AUTO(bson_destroy) bson_t *old = BCON_NEW("_id", BCON_UTF8(from), "rev", BCON_NULL);
    int64_t n;
    return db_delete(db, DB_RAW_FILES, old, &n, err);
}

/* What has the ids of those that were not inserted, and is as AlphaKraken wrote it. */
static struct docs *read_left(struct db *db, bson_t *const *docs, size_t n, const bool *inserted,
                              struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    for (size_t i = 0; i < n; i++) {
        char room[16];
        const char *key;
        if (!inserted[i]) {
            bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
            BSON_APPEND_UTF8(&ids, key, doc_str(docs[i], "_id", ""));
        }
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}", "rev", BCON_NULL);
    bool none = bson_empty(&ids);
    bson_destroy(&ids);
    return none ? docs_new(err)
                : docs_read(db, &(struct docs_query){DB_RAW_FILES, filter, NULL}, err);
}

static bool is_same_file(const bson_t *a, const bson_t *b)
{
    return doc_says(a, "instrument_id", doc_str(b, "instrument_id", "")) &&
           doc_i64(a, "created_at", -1) == doc_i64(b, "created_at", -1);
}

int raw_file_import_insert(struct db *db, bson_t *const *docs, size_t n, bool *inserted,
                           struct err *err)
{
    if (db_insert_all(db, DB_RAW_FILES, docs, n, inserted, err) != 0) {
        return -1;
    }
    AUTO(docs_free) struct docs *left = read_left(db, docs, n, inserted, err);
    int rc = left != NULL ? 0 : -1;
    for (size_t i = 0; i < n && rc == 0 && left->n > 0; i++) {
        const bson_t *there = inserted[i] ? NULL : docs_by_id(left, doc_str(docs[i], "_id", ""));
        if (there != NULL && is_same_file(there, docs[i])) {
            rc = raw_file_make(db, raw_file_importing(there, docs[i]), &inserted[i], err);
        }
    }
    return rc;
}

int raw_file_import_leave(struct db *db, const bson_t *theirs, struct err *err)
{
    bool made;
    return db_insert(db, DB_RAW_FILES, theirs, &made, err);
}

int raw_file_import_discard(struct db *db, const char *last, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *some = BCON_NEW("_id", "{", "$gt", "", "$lte", BCON_UTF8(last), "}");
    int64_t n;
    return db_delete(db, DB_RAW_FILES, some, &n, err);
}
