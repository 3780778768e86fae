/*
 * import_write.c - how an import reads and writes one collection.
 *
 * In place a document is changed where it is, by its _id. From another database it is inserted; one
 * that is there already stays: it is what an earlier run made, or it is noted. Documents go to the
 * server many at a time; when it refuses some for good, one by one, so that only these are refused.
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

struct reading {
    struct importing *i;
    db_doc_fn *fn;
};

static int read_one(void *ctx, const bson_t *doc, struct err *err)
{
    struct reading *r = ctx;
    return importing_tick(r->i, err) != 0 ? -1 : r->fn(r->i, doc, err);
}

int importing_each(struct importing *i, enum import_kind kind, const bson_t *filter, db_doc_fn *fn,
                   struct err *err)
{
    const char *coll = import_kind_name(kind);
    struct reading r = {i, fn};
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "maxTimeMS", BCON_INT64(DB_LISTING_MS));
    i->kind = kind;
    if (db_estimate(i->source, coll, &i->total, err) != 0 ||
        db_each(i->source, coll, filter, opts, read_one, &r, err) != 0 ||
        importing_flush(i, err) != 0) {
        return err_context(err, "%s", coll);
    }
    return 0;
}

/* --- writing --- */

static bson_t *by_id(const bson_t *doc)
{
    bson_iter_t at;
    bson_t *filter = bson_new();
    if (bson_iter_init_find(&at, doc, "_id")) {
        BSON_APPEND_VALUE(filter, "_id", bson_iter_value(&at));
    }
    return filter;
}

bool importing_same_id(const bson_t *a, const bson_t *b)
{
    AUTO(bson_destroy) bson_t *x = by_id(a);
    AUTO(bson_destroy) bson_t *y = by_id(b);
    return bson_equal(x, y);
}

bool importing_is_refused(const struct err *e)
{
    return e->kind == ERR_INVALID && e->code == ERR_CODE_DATABASE_REFUSED;
}

/* The server answered, and did not take all: beside a duplicate a bad document is not known by the
 * kind. Asked for alone, it is. */
static bool may_be_refused(const struct err *e)
{
    return e->code == ERR_CODE_DATABASE_REFUSED;
}

/* Metrics of a raw file that is not taken are not taken either. */
static int refuse(struct importing *i, const bson_t *doc, const char *why, struct err *err)
{
    importing_sum(i)->refused++;
    if (i->kind == IMPORT_RAW_FILES && !i->in_place &&
        import_ids_add(&i->raw_files, doc_str(doc, "_id", ""), true, err) != 0) {
        return -1;
    }
    return importing_note(i, "refused", doc, why, err);
}

/* --- into another database: inserted --- */

static int insert_some(struct importing *i, bson_t *const *docs, size_t n, bool *made,
                       struct err *err)
{
    return i->kind == IMPORT_RAW_FILES
               ? raw_file_import_insert(i->o->db, docs, n, made, err)
               : db_insert_all(i->o->db, import_kind_name(i->kind), docs, n, made, err);
}

/* Whether it is what an earlier run of this import made. Two AlphaKrakens may have the same name,
 * and two raw files of an instrument's life the same id. */
static bool is_same(const bson_t *there, const bson_t *ours)
{
    if (doc_has(ours, "imported")) {
        return doc_says(there, "imported.from", doc_str(ours, "imported.from", "")) &&
               doc_says(there, "instrument_id", doc_str(ours, "instrument_id", "")) &&
               doc_i64(there, "created_at", -1) == doc_i64(ours, "created_at", 0);
    }
    AUTO(bson_destroy) bson_t *update = doc_difference(there, ours);
    return update == NULL;
}

static int compare(struct importing *i, const bson_t *ours, const bson_t *there, struct err *err)
{
    if (i->ask->dry && (there == NULL || i->ends_shadow)) {
        importing_sum(i)->taken++;
        return 0;
    }
    if (there == NULL) {
        return refuse(i, ours,
                      "Trawl has another one with what must be unique, as name and version", err);
    }
    if (is_same(there, ours)) {
        importing_sum(i)->left++;
        return 0;
    }
    static const char why[] = "Trawl has another one of this id, which stays";
    if (i->kind == IMPORT_RAW_FILES) {
        return refuse(i, ours, why, err);
    }
    importing_sum(i)->left++;
    return importing_note(i, "left", ours, why, err);
}

/* What is there under the ids of those that were not made. */
static struct docs *read_there(struct importing *i, const bool *made, struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    for (size_t k = 0, n = 0; k < i->inserts.n; k++) {
        char room[16];
        const char *key;
        bson_iter_t at;
        if (!made[k] && bson_iter_init_find(&at, i->inserts.items[k], "_id")) {
            bson_uint32_to_string((uint32_t)n++, &key, room, sizeof room);
            BSON_APPEND_VALUE(&ids, key, bson_iter_value(&at));
        }
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("projection", "{", "file_info", BCON_INT32(0), "files", BCON_INT32(0), "}");
    bool empty = bson_empty(&ids);
    bson_destroy(&ids);
    const struct docs_query q = {import_kind_name(i->kind), filter,
                                 i->kind == IMPORT_RAW_FILES ? opts : NULL};
    return empty ? docs_new(err) : docs_read(i->o->db, &q, err);
}

static int compare_with_there(struct importing *i, const bool *made, struct err *err)
{
    AUTO(docs_free) struct docs *there = read_there(i, made, err);
    int rc = there != NULL ? 0 : -1;
    for (size_t k = 0; k < i->inserts.n && rc == 0; k++) {
        const bson_t *ours = i->inserts.items[k], *same = NULL;
        for (size_t m = 0; !made[k] && m < there->n && same == NULL; m++) {
            same = importing_same_id(there->items[m], ours) ? there->items[m] : NULL;
        }
        importing_sum(i)->taken += made[k];
        rc = made[k] ? 0 : compare(i, ours, same, err);
    }
    return rc;
}

/* One that the server refuses is taken out and noted; the others are made. */
static int insert_singly(struct importing *i, bool *made, struct err *err)
{
    struct docs *d = &i->inserts;
    size_t kept = 0;
    int rc = 0;
    for (size_t k = 0; k < d->n && rc == 0; k++) {
        struct err why = {0};
        if (insert_some(i, &d->items[k], 1, &made[kept], &why) == 0) {
            bson_t *doc = d->items[kept];
            d->items[kept++] = d->items[k];
            d->items[k] = doc;
        } else if (importing_is_refused(&why)) {
            rc = refuse(i, d->items[k], why.msg, err);
        } else {
            *err = why;
            rc = -1;
        }
    }
    for (size_t k = kept; k < d->n; k++) {
        bson_destroy(d->items[k]);
    }
    d->n = kept;
    return rc;
}

static int insert_all(struct importing *i, bool *made, struct err *err)
{
    struct err why = {0};
    if (insert_some(i, i->inserts.items, i->inserts.n, made, &why) == 0) {
        return 0;
    }
    if (may_be_refused(&why)) {
        return insert_singly(i, made, err);
    }
    *err = why;
    return -1;
}

static int write_inserts(struct importing *i, struct err *err)
{
    bool made[IMPORT_BATCH] = {false};
    int rc = !i->ask->dry && insert_all(i, made, err) != 0 ? -1 : 0;
    rc = rc == 0 ? compare_with_there(i, made, err) : rc;
    docs_clear(&i->inserts);
    return rc;
}

/* --- in place: changed --- */

static int count_change(struct importing *i, const struct db_change *c, struct err *err)
{
    if (c->won) {
        importing_sum(i)->taken++;
        return 0;
    }
    i->changed++;
    return refuse(i, c->filter, "it changed meanwhile: stop AlphaKraken, then run it again", err);
}

/* It may have been made when it was asked for with others. */
static int change_alone(struct importing *i, struct db_change *c, struct err *err)
{
    const char *coll = import_kind_name(i->kind);
    int64_t n = 0;
    if (db_update(i->o->db, coll, c->filter, c->update, &c->won, err) != 0 ||
        (!c->won && c->proof != NULL && db_count(i->o->db, coll, c->proof, &n, err) != 0)) {
        return -1;
    }
    c->won |= n > 0;
    return 0;
}

static int change_one(struct importing *i, struct db_change *c, struct err *err)
{
    struct err why = {0};
    if (change_alone(i, c, &why) == 0) {
        return count_change(i, c, err);
    }
    if (importing_is_refused(&why)) {
        return refuse(i, c->filter, why.msg, err);
    }
    *err = why;
    return -1;
}

/* Together; which of them the server refuses, or of those without proof has lost, is known when
 * each is asked for alone. */
static int write_changes(struct importing *i, struct err *err)
{
    struct db_batch *b = &i->change;
    struct err why = {0};
    int rc = db_batch_write(b, i->o->db, import_kind_name(i->kind), &why);
    if (rc != 0 && !may_be_refused(&why)) {
        *err = why;
        return -1;
    }
    bool singly = rc != 0;
    for (size_t k = 0; k < b->n; k++) {
        singly |= !b->items[k].won && b->items[k].proof == NULL;
    }
    rc = 0;
    for (size_t k = 0; k < b->n && rc == 0; k++) {
        rc = singly && !b->items[k].won ? change_one(i, &b->items[k], err)
                                        : count_change(i, &b->items[k], err);
    }
    db_batch_clear(b);
    return rc;
}

int importing_flush(struct importing *i, struct err *err)
{
    if (i->inserts.n == 0 && i->change.n == 0) {
        return 0;
    }
    return importing_keep_lease(i, err) != 0 || (i->inserts.n > 0 && write_inserts(i, err) != 0) ||
                   (i->change.n > 0 && write_changes(i, err) != 0)
               ? -1
               : 0;
}

static int flush_if_full(struct importing *i, struct err *err)
{
    return i->inserts.n >= IMPORT_BATCH || i->change.n >= IMPORT_BATCH ? importing_flush(i, err)
                                                                       : 0;
}

static int take_in_place(struct importing *i, const bson_t *theirs, const bson_t *ours,
                         struct err *err)
{
    AUTO(bson_destroy) bson_t *update = doc_difference(theirs, ours);
    if (update == NULL || i->ask->dry) {
        importing_sum(i)->left += update == NULL;
        importing_sum(i)->taken += update != NULL;
        return 0;
    }
    struct db_change c = i->kind == IMPORT_RAW_FILES
                             ? raw_file_importing(theirs, ours)
                             : (struct db_change){.filter = by_id(theirs), .update = TAKE(update)};
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
