/*
 * object_ids.c - migration 1: documents whose `_id` is a text get an ObjectId that is made of it,
 * and the form of today (settings_words.h, metrics_words.h). A document is inserted under its new
 * `_id` before the old one is deleted: readers that see both drop the old one (named_drop_twins),
 * and a reference finds either.
 *
 * People change settings and assignments, so each is marked first, and read after that: from then
 * on nobody else changes or deletes it (named_filter), nor its new form, until the old one is gone.
 * A leader that finds a mark finishes the work. Metrics are never changed.
 */
#include <string.h>

#include "common/db/named.h"
#include "common/quant/metrics_words.h"
#include "common/quant/settings_words.h"
#include "scheduler/migrate/migrate.h"

#define BATCH 500

/* Documents of the old form; an index on `_id` finds only texts with it. */
static bson_t *old_ones(void)
{
    return BCON_NEW("_id", "{", "$gte", BCON_UTF8(""), "}");
}

static struct docs *read_batch(struct db *db, const char *coll, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = old_ones();
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(BATCH));
    return docs_read(db, &(struct docs_query){coll, filter, opts}, err);
}

/* --- the new form --- */

static void append_assignment(bson_t *out, const bson_t *old)
{
    const char *settings = doc_str(old, "settings", "");
    bson_copy_to_excluding_noinit(old, out, "_id", "settings", NULL);
    if (*settings != '\0') {
        bson_oid_t id;
        named_oid(settings, &id);
        BSON_APPEND_OID(out, "settings", &id);
    }
}

static const struct form {
    const char *coll;
    bool changes; /* people change it */
    void (*append)(bson_t *out, const bson_t *old);
} forms[] = {
    {DB_SETTINGS, true, settings_append_stored},
    {DB_ASSIGNMENTS, true, append_assignment},
    {DB_METRICS, false, metrics_append_stored},
};

/* AlphaKraken numbers settings from 1 on, and gives the next one the count and one. */
static int number_settings(struct db *db, bson_t **made, size_t n, struct err *err)
{
    int64_t highest = 0;
    AUTO(docs_free)
    struct docs *all = docs_read(db, &(struct docs_query){.coll = DB_SETTINGS}, err);
    if (all == NULL) {
        return -1;
    }
    for (size_t i = 0; i < all->n; i++) {
        int64_t number = doc_i64(all->items[i], "number", 0);
        highest = number > highest ? number : highest;
    }
    for (size_t i = 0; i < n; i++) {
        if (!doc_has(made[i], "number")) {
            BSON_APPEND_INT64(made[i], "number", ++highest);
        }
    }
    return 0;
}

/* --- one batch --- */

/* Mark them and read them again; one that was deleted in between is left out. */
static struct docs *hold(struct db *db, const struct form *f, const struct docs *batch,
                         struct err *err)
{
    AUTO(docs_free) struct docs *held = docs_new(err);
    for (size_t i = 0; held != NULL && i < batch->n; i++) {
        AUTO(bson_destroy)
        bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(batch->items[i], "_id", "")));
        AUTO(bson_destroy)
        bson_t *mark = BCON_NEW("$set", "{", NAMED_MIGRATING, BCON_BOOL(true), "}");
        AUTO(bson_destroy) bson_t *now = NULL;
        if (db_find_update(db, f->coll, filter, mark, &now, err) != 0 ||
            (now != NULL && docs_add(held, now, err) != 0)) {
            return NULL;
        }
    }
    return held != NULL ? TAKE(held) : NULL;
}

/* One that was not inserted must be there already: the old one is deleted next. A unique index of
 * another program may have refused it instead. */
static int check_there(struct db *db, const char *coll, const bson_t *made, struct err *err)
{
    bson_iter_t id;
    AUTO(bson_destroy) bson_t *there = NULL;
    AUTO(bson_destroy) bson_t *filter = bson_new();
    if (bson_iter_init_find(&id, made, "_id")) {
        bson_append_iter(filter, "_id", -1, &id);
    }
    if (db_find_one(db, coll, filter, &there, err) != 0) {
        return -1;
    }
    return there != NULL
               ? 0
               : ERR(err, ERR_INVALID, ERR_CODE_DATABASE_REFUSED,
                     "the document of %s in %s cannot be stored a second time with an ObjectId: a "
                     "unique index of another program (AlphaKraken: name_1_version_1) is in the "
                     "way; drop that index, the migration continues by itself",
                     doc_str(made, NAMED_FIELD, "?"), coll);
}

static int insert_made(struct db *db, const char *coll, bson_t **made, size_t n, struct err *err)
{
    AUTO(free) bool *inserted = calloc(n + 1, sizeof *inserted);
    if (inserted == NULL) {
        return err_no_memory(err);
    }
    int rc = n > 0 ? db_insert_all(db, coll, made, n, inserted, err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = inserted[i] ? 0 : check_there(db, coll, made[i], err);
    }
    return rc;
}

static int insert_new(struct db *db, const struct form *f, const struct docs *old, struct err *err)
{
    bson_t **made = bson_malloc0((old->n + 1) * sizeof *made);
    for (size_t i = 0; i < old->n; i++) {
        made[i] = named_new(doc_str(old->items[i], "_id", ""));
        f->append(made[i], old->items[i]);
    }
    int rc = strcmp(f->coll, DB_SETTINGS) == 0 ? number_settings(db, made, old->n, err) : 0;
    rc = rc == 0 ? insert_made(db, f->coll, made, old->n, err) : rc;
    for (size_t i = 0; i < old->n; i++) {
        bson_destroy(made[i]);
    }
    bson_free(made);
    return rc;
}

static int delete_old(struct db *db, const struct form *f, const struct docs *old, struct err *err)
{
    AUTO(bson_destroy) bson_t *ids = bson_new();
    for (size_t i = 0; i < old->n; i++) {
        char room[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
        BSON_APPEND_UTF8(ids, key, doc_str(old->items[i], "_id", ""));
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    return db_delete(db, f->coll, filter, NULL, err);
}

/* All old ones are gone: the new ones may be changed again. *n: how many. */
static int release(struct db *db, const struct form *f, int64_t *n, struct err *err)
{
    AUTO(docs_free) struct docs *all = docs_read(db, &(struct docs_query){.coll = f->coll}, err);
    for (size_t i = 0; all != NULL && i < all->n; i++) {
        bson_iter_t id;
        if (!doc_has(all->items[i], NAMED_MIGRATING) ||
            !bson_iter_init_find(&id, all->items[i], "_id")) {
            continue;
        }
        bool won;
        AUTO(bson_destroy) bson_t *filter = bson_new();
        bson_append_iter(filter, "_id", -1, &id);
        AUTO(bson_destroy)
        bson_t *unmark = BCON_NEW("$unset", "{", NAMED_MIGRATING, BCON_BOOL(true), "}");
        if (db_update(db, f->coll, filter, unmark, &won, err) != 0) {
            return -1;
        }
        *n += 1;
    }
    return all != NULL ? 0 : -1;
}

static int migrate_batch(struct db *db, const struct form *f, int64_t *n, struct err *err)
{
    AUTO(docs_free) struct docs *batch = read_batch(db, f->coll, err);
    AUTO(docs_free) struct docs *held = NULL;
    if (batch != NULL && f->changes) {
        held = hold(db, f, batch, err);
    }
    if (batch == NULL || (f->changes && held == NULL)) {
        return -1;
    }
    const struct docs *old = held != NULL ? held : batch;
    *n = (int64_t)batch->n;
    if (batch->n == 0) {
        return f->changes ? release(db, f, n, err) : 0;
    }
    return old->n == 0 || (insert_new(db, f, old, err) == 0 && delete_old(db, f, old, err) == 0)
               ? 0
               : -1;
}

int migrate_object_ids(struct db *db, int64_t *n, struct err *err)
{
    *n = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && *n == 0; i++) {
        if (migrate_batch(db, &forms[i], n, err) != 0) {
            return -1;
        }
    }
    return 0;
}
