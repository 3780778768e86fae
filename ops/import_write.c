/*
 * import_write.c - how an import reads and writes one collection.
 *
 * In place a document is changed where it is, by its _id. From another database it is inserted; one
 * that is there already stays: it is what an earlier run made, or it is noted.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/db/difference.h"
#include "common/raw/raw_file_import.h"
#include "ops/import_internal.h"

const char *import_kind_name(enum import_kind k)
{
    static const char *const names[] = {
        [IMPORT_PROJECTS] = DB_PROJECTS,       [IMPORT_SETTINGS] = DB_SETTINGS,
        [IMPORT_ASSIGNMENTS] = DB_ASSIGNMENTS, [IMPORT_METRICS] = DB_METRICS,
        [IMPORT_RAW_FILES] = DB_RAW_FILES,
    };
    return names[k];
}

struct import_sum *importing_sum(struct importing *i)
{
    return &i->out->sums[i->kind];
}

/* --- notes --- */

static void append_id(bson_t *note, const bson_t *doc)
{
    bson_iter_t at;
    char text[25] = "";
    if (bson_iter_init_find(&at, doc, "_id") && BSON_ITER_HOLDS_OID(&at)) {
        bson_oid_to_string(bson_iter_oid(&at), text);
    }
    AUTO(free) char *id = path_escape(doc_str(doc, "_id", text));
    BSON_APPEND_UTF8(note, "id", id != NULL ? id : text);
}

int importing_note(struct importing *i, const char *what, const bson_t *doc, const char *why,
                   struct err *err)
{
    if (i->out->n_notes++ >= IMPORT_NOTES_MAX) {
        return 0;
    }
    AUTO(bson_destroy)
    bson_t *note =
        BCON_NEW("what", BCON_UTF8(what), "collection", BCON_UTF8(import_kind_name(i->kind)));
    append_id(note, doc);
    BSON_APPEND_UTF8(note, "why", why);
    return docs_add(&i->out->notes, note, err);
}

/* --- reading --- */

int importing_each(struct importing *i, enum import_kind kind, const bson_t *filter, db_doc_fn *fn,
                   struct err *err)
{
    const char *coll = import_kind_name(kind);
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    i->kind = kind;
    if (db_estimate(i->source, coll, &i->total, err) != 0 ||
        db_each(i->source, coll, filter, opts, fn, i, err) != 0 || importing_flush(i, err) != 0) {
        return err_context(err, "%s", coll);
    }
    i->ask->progress(i->ask->ctx, coll, importing_sum(i)->seen, i->total);
    return 0;
}

/* --- writing --- */

int importing_keep_lease(struct importing *i, struct err *err)
{
    if (i->lease == NULL) {
        return 0;
    }
    if (lease_tick(i->lease, err) != 0) {
        return -1;
    }
    return lease_held(i->lease) ? 0
                                : ERR(err, ERR_TRANSIENT, 0,
                                      "a scheduler or another import works with this database now: "
                                      "run it again, it resumes");
}

static bson_t *by_id(const bson_t *doc)
{
    bson_iter_t at;
    bson_t *filter = bson_new();
    if (bson_iter_init_find(&at, doc, "_id")) {
        BSON_APPEND_VALUE(filter, "_id", bson_iter_value(&at));
    }
    return filter;
}

static int insert_all(struct importing *i, const struct docs *d, bool *made, struct err *err)
{
    return i->kind == IMPORT_RAW_FILES
               ? raw_file_import_insert(i->o->db, d->items, d->n, made, err)
               : db_insert_all(i->o->db, import_kind_name(i->kind), d->items, d->n, made, err);
}

/* Whether it is what an earlier run of this import made. */
static bool is_same(const bson_t *there, const bson_t *ours)
{
    if (doc_has(ours, "imported")) {
        return strcmp(doc_str(there, "imported.from", ""), doc_str(ours, "imported.from", "")) == 0;
    }
    AUTO(bson_destroy) bson_t *update = doc_difference(there, ours);
    return update == NULL;
}

static int compare_with_there(struct importing *i, const bson_t *ours, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = by_id(ours);
    AUTO(bson_destroy) bson_t *there = NULL;
    if (db_find_one(i->o->db, import_kind_name(i->kind), filter, &there, err) != 0) {
        return -1;
    }
    if (i->ask->dry && (there == NULL || i->ends_shadow)) {
        importing_sum(i)->taken++;
        return 0;
    }
    if (there == NULL || is_same(there, ours)) {
        importing_sum(i)->left++;
        return 0;
    }
    bool raw_file = i->kind == IMPORT_RAW_FILES;
    if (raw_file && import_ids_add(&i->raw_files, doc_str(ours, "_id", ""), true, err) != 0) {
        return -1;
    }
    importing_sum(i)->refused += raw_file;
    importing_sum(i)->left += !raw_file;
    return importing_note(i, raw_file ? "refused" : "left", ours,
                          "Trawl has another one of this id, which stays", err);
}

static int write_inserts(struct importing *i, struct err *err)
{
    bool made[IMPORT_BATCH] = {false};
    struct docs *d = &i->inserts;
    int rc = d->n == 0 || i->ask->dry ? 0 : insert_all(i, d, made, err);
    for (size_t k = 0; k < d->n && rc == 0; k++) {
        if (made[k]) {
            importing_sum(i)->taken++;
        } else {
            rc = compare_with_there(i, d->items[k], err);
        }
    }
    docs_clear(d);
    return rc;
}

static int write_changes(struct importing *i, struct err *err)
{
    struct db_batch *b = &i->change;
    int rc = b->n == 0 ? 0 : db_batch_write(b, i->o->db, import_kind_name(i->kind), err);
    db_batch_clear(b);
    return rc;
}

int importing_flush(struct importing *i, struct err *err)
{
    if (i->inserts.n == 0 && i->change.n == 0) {
        return 0;
    }
    if (importing_keep_lease(i, err) != 0 || write_inserts(i, err) != 0 ||
        write_changes(i, err) != 0) {
        return -1;
    }
    i->ask->progress(i->ask->ctx, import_kind_name(i->kind), importing_sum(i)->seen, i->total);
    return 0;
}

static int flush_if_full(struct importing *i, struct err *err)
{
    return i->inserts.n >= IMPORT_BATCH || i->change.n >= IMPORT_BATCH ? importing_flush(i, err)
                                                                       : 0;
}

static int take_in_place(struct importing *i, const bson_t *theirs, const bson_t *ours,
                         struct err *err)
{
    bson_t *update = doc_difference(theirs, ours);
    if (update == NULL) {
        importing_sum(i)->left++;
        return 0;
    }
    importing_sum(i)->taken++;
    struct db_change c =
        i->kind == IMPORT_RAW_FILES
            ? raw_file_importing(theirs, ours)
            : (struct db_change){.filter = by_id(theirs), .update = bson_copy(update)};
    bson_destroy(update);
    if (i->ask->dry) {
        db_change_fini(&c);
        return 0;
    }
    return db_batch_add(&i->change, c, err) != 0 ? -1 : flush_if_full(i, err);
}

int importing_take(struct importing *i, const bson_t *theirs, const bson_t *ours, struct err *err)
{
    if (i->in_place) {
        return take_in_place(i, theirs, ours, err);
    }
    return docs_add(&i->inserts, ours, err) != 0 ? -1 : flush_if_full(i, err);
}

int importing_drop(struct importing *i, const bson_t *theirs, const char *why, struct err *err)
{
    int64_t n;
    importing_sum(i)->dropped++;
    if (importing_note(i, "dropped", theirs, why, err) != 0) {
        return -1;
    }
    if (!i->in_place || i->ask->dry) {
        return 0;
    }
    AUTO(bson_destroy) bson_t *filter = by_id(theirs);
    return importing_keep_lease(i, err) != 0
               ? -1
               : db_delete(i->o->db, import_kind_name(i->kind), filter, &n, err);
}
