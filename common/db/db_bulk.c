/*
 * db_bulk.c - many documents in one command: what one caller has collected, and what several
 * threads want at the same moment.
 */
#include <string.h>

#include "common/db/db_internal.h"

static mongoc_bulk_operation_t *new_bulk(struct db_lease *l)
{
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false));
    return mongoc_collection_create_bulk_operation_with_opts(l->coll, opts);
}

/* --- guarded updates --- */

/* *matched: how many filters matched. */
static int execute_updates(struct db *db, const char *coll, const struct db_change *changes,
                           size_t n, int64_t *matched, struct err *err)
{
    LEASE(l, db, coll);
    mongoc_bulk_operation_t *bulk = new_bulk(&l);
    for (size_t i = 0; i < n; i++) {
        mongoc_bulk_operation_update_one_with_opts(bulk, changes[i].filter, changes[i].update, NULL,
                                                   NULL);
    }
    bson_t reply;
    bson_error_t e;
    bool ok = mongoc_bulk_operation_execute(bulk, &reply, &e) != 0;
    *matched = doc_i64(&reply, "nMatched", 0);
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return ok ? 0 : db_error(db, &e, err);
}

struct proofs {
    struct db_change *changes;
    size_t n;
};

/* Whether the document has every field of the proof with this very value; null is no value. */
static bool proves(const bson_t *doc, const bson_t *proof)
{
    bson_iter_t want, has;
    bool same = bson_iter_init(&want, proof);
    while (same && bson_iter_next(&want)) {
        bool there = bson_iter_init_find(&has, doc, bson_iter_key(&want));
        bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
        if (there && !BSON_ITER_HOLDS_NULL(&has)) {
            bson_append_iter(&a, "v", 1, &has);
        }
        if (!BSON_ITER_HOLDS_NULL(&want)) {
            bson_append_iter(&b, "v", 1, &want);
        }
        same = bson_equal(&a, &b);
        bson_destroy(&a);
        bson_destroy(&b);
    }
    return same;
}

static int see_proof(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    const struct proofs *p = ctx;
    for (size_t i = 0; i < p->n; i++) {
        p->changes[i].won |= p->changes[i].proof != NULL && proves(doc, p->changes[i].proof);
    }
    return 0;
}

static void append_fields(bson_t *fields, const bson_t *proof)
{
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, proof) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (!db_has_key(fields, bson_iter_key(&at))) {
            bson_append_int32(fields, bson_iter_key(&at), -1, 1);
        }
    }
}

static int find_proofs(struct db *db, const char *coll, struct proofs *p, struct err *err)
{
    bson_t ids = BSON_INITIALIZER, fields = BSON_INITIALIZER;
    uint32_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        char key[16];
        const char *k;
        if (p->changes[i].proof != NULL) {
            size_t len = bson_uint32_to_string(n++, &k, key, sizeof key);
            bson_append_utf8(&ids, k, (int)len, doc_str(p->changes[i].proof, "_id", ""), -1);
            append_fields(&fields, p->changes[i].proof);
        }
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", BCON_DOCUMENT(&fields));
    bson_destroy(&ids);
    bson_destroy(&fields);
    return n == 0 ? 0 : db_each(db, coll, filter, opts, see_proof, p, err);
}

/* The reply counts matches without naming them: unless all matched, the proofs are looked up. */
static int update_batch(struct db *db, const char *coll, struct db_change *changes, size_t n,
                        struct err *err)
{
    int64_t matched;
    if (execute_updates(db, coll, changes, n, &matched, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        changes[i].won = matched == (int64_t)n;
    }
    struct proofs p = {.changes = changes, .n = n};
    return matched == 0 || matched == (int64_t)n ? 0 : find_proofs(db, coll, &p, err);
}

int db_update_all(struct db *db, const char *coll, struct db_change *changes, size_t n,
                  struct err *err)
{
    for (size_t at = 0; at < n; at += DB_BATCH) {
        size_t some = n - at < DB_BATCH ? n - at : DB_BATCH;
        if (update_batch(db, coll, changes + at, some, err) != 0) {
            return -1;
        }
    }
    return 0;
}

void db_change_fini(struct db_change *c)
{
    bson_destroy(c->filter);
    bson_destroy(c->update);
    bson_destroy(c->proof);
    *c = (struct db_change){0};
}

/* --- inserts, and updates that make what is missing --- */

/* Those that are there already are no error; any other refusal is. */
static bool only_duplicates(const bson_t *reply, bool *inserted, size_t n)
{
    bson_t errors, unacknowledged;
    bson_iter_t at;
    if (!doc_sub(reply, "writeErrors", &errors) || !bson_iter_init(&at, &errors) ||
        (doc_sub(reply, "writeConcernErrors", &unacknowledged) && !bson_empty(&unacknowledged))) {
        return false;
    }
    while (bson_iter_next(&at)) {
        bson_t one;
        int64_t index =
            doc_sub(&errors, bson_iter_key(&at), &one) ? doc_i64(&one, "index", -1) : -1;
        if (index < 0 || (size_t)index >= n || doc_i64(&one, "code", 0) != DB_DUPLICATE_KEY) {
            return false;
        }
        inserted[index] = false;
    }
    return true;
}

/* Executes and frees the bulk. done: all true; false for those that found a duplicate. */
static int execute(struct db *db, mongoc_bulk_operation_t *bulk, bool *done, size_t n,
                   struct err *err)
{
    bson_t reply;
    bson_error_t e;
    bool ok = mongoc_bulk_operation_execute(bulk, &reply, &e) != 0 ||
              (e.code == DB_DUPLICATE_KEY && only_duplicates(&reply, done, n));
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return ok ? 0 : db_error(db, &e, err);
}

static int insert_batch(struct db *db, const char *coll, bson_t *const *docs, size_t n,
                        bool *inserted, struct err *err)
{
    LEASE(l, db, coll);
    mongoc_bulk_operation_t *bulk = new_bulk(&l);
    for (size_t i = 0; i < n; i++) {
        mongoc_bulk_operation_insert(bulk, docs[i]);
        inserted[i] = true;
    }
    return execute(db, bulk, inserted, n, err);
}

int db_insert_all(struct db *db, const char *coll, bson_t *const *docs, size_t n, bool *inserted,
                  struct err *err)
{
    for (size_t at = 0; at < n; at += DB_BATCH) {
        size_t some = n - at < DB_BATCH ? n - at : DB_BATCH;
        if (insert_batch(db, coll, docs + at, some, inserted + at, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int upsert_batch(struct db *db, const char *coll, struct db_change *changes, size_t n,
                        struct err *err)
{
    bool done[DB_BATCH];
    LEASE(l, db, coll);
    mongoc_bulk_operation_t *bulk = new_bulk(&l);
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
    for (size_t i = 0; i < n; i++) {
        mongoc_bulk_operation_update_one_with_opts(bulk, changes[i].filter, changes[i].update, opts,
                                                   NULL);
        done[i] = true;
    }
    int rc = execute(db, bulk, done, n, err);
    for (size_t i = 0; i < n; i++) {
        changes[i].won = rc == 0 && done[i];
    }
    return rc;
}

int db_upsert_all(struct db *db, const char *coll, struct db_change *changes, size_t n,
                  struct err *err)
{
    for (size_t at = 0; at < n; at += DB_BATCH) {
        size_t some = n - at < DB_BATCH ? n - at : DB_BATCH;
        if (upsert_batch(db, coll, changes + at, some, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- several threads at the same moment --- */

struct waiting {
    struct waiting *next;
    const char *coll;
    struct db_change *change;
    const char *id; /* of the document to read afterwards; or NULL */
    bson_t *out;
    struct err *err;
    pthread_cond_t wake; /* done, or its turn to ask */
    bool done;
    int rc;
    bool alone; /* the command for several failed: each asks for itself */
};

/* Under the lock: those that wait for the collection of the first, at most DB_BATCH. */
static size_t take_some(struct db *db, struct waiting **taken)
{
    struct waiting **at = &db->together.first;
    const char *coll = db->together.first->coll;
    size_t n = 0;
    while (*at != NULL && n < DB_BATCH) {
        if (strcmp((*at)->coll, coll) == 0) {
            taken[n++] = *at;
            *at = (*at)->next;
        } else {
            at = &(*at)->next;
        }
    }
    return n;
}

struct group {
    struct waiting *const *at;
    size_t n;
};

static int give_out(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    const struct group *g = ctx;
    for (size_t i = 0; i < g->n; i++) {
        if (g->at[i]->id != NULL && strcmp(g->at[i]->id, doc_str(doc, "_id", "")) == 0) {
            bson_destroy(g->at[i]->out); /* a task in two messages */
            g->at[i]->out = bson_copy(doc);
        }
    }
    return 0;
}

static int read_after(struct db *db, struct group *g, struct err *err)
{
    bson_t ids = BSON_INITIALIZER;
    uint32_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        char key[16];
        const char *k;
        if (g->at[i]->id != NULL) {
            size_t len = bson_uint32_to_string(n++, &k, key, sizeof key);
            bson_append_utf8(&ids, k, (int)len, g->at[i]->id, -1);
        }
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
    bson_destroy(&ids);
    return n == 0 ? 0 : db_each(db, g->at[0]->coll, filter, NULL, give_out, g, err);
}

static void ask_for(struct db *db, struct group *g)
{
    struct db_change changes[DB_BATCH];
    struct err err = {0};
    for (size_t i = 0; i < g->n; i++) {
        changes[i] = *g->at[i]->change;
    }
    int rc =
        update_batch(db, g->at[0]->coll, changes, g->n, &err) != 0 || read_after(db, g, &err) != 0
            ? -1
            : 0;
    for (size_t i = 0; i < g->n; i++) {
        g->at[i]->change->won = rc == 0 && changes[i].won;
        g->at[i]->alone = rc != 0 && g->n > 1;
        g->at[i]->rc = rc;
        if (rc != 0) {
            *g->at[i]->err = err;
        }
    }
}

/* The first to come asks for all that have come when it is its turn. */
static void ask_together(struct db *db, struct waiting *me)
{
    struct waiting *taken[DB_BATCH];
    pthread_mutex_lock(&db->together.lock);
    struct waiting **tail = &db->together.first;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = me;
    while (!me->done && db->together.asking) {
        pthread_cond_wait(&me->wake, &db->together.lock);
    }
    bool asks = !me->done;
    db->together.asking |= asks;
    while (!me->done) {
        struct group g = {.at = taken, .n = take_some(db, taken)};
        pthread_mutex_unlock(&db->together.lock);
        ask_for(db, &g);
        pthread_mutex_lock(&db->together.lock);
        for (size_t i = 0; i < g.n; i++) {
            taken[i]->done = true;
            pthread_cond_signal(&taken[i]->wake);
        }
    }
    if (asks) {
        db->together.asking = false;
        if (db->together.first != NULL) {
            pthread_cond_signal(&db->together.first->wake);
        }
    }
    pthread_mutex_unlock(&db->together.lock);
}

int db_update_together(struct db *db, const char *coll, struct db_change *change, struct err *err)
{
    struct waiting me = {
        .coll = coll, .change = change, .err = err, .wake = PTHREAD_COND_INITIALIZER};
    ask_together(db, &me);
    if (!me.alone) {
        return me.rc;
    }
    *err = (struct err){0};
    return db_update(db, coll, change->filter, change->update, &change->won, err);
}

int db_find_update_together(struct db *db, const char *coll, const char *id,
                            struct db_change *change, bson_t **out, struct err *err)
{
    struct waiting me = {
        .coll = coll, .change = change, .id = id, .err = err, .wake = PTHREAD_COND_INITIALIZER};
    ask_together(db, &me);
    *out = me.out;
    if (!me.alone) {
        return me.rc;
    }
    bson_destroy(me.out);
    *out = NULL;
    *err = (struct err){0};
    return db_update(db, coll, change->filter, change->update, &change->won, err) != 0
               ? -1
               : db_find_id(db, coll, id, out, err);
}
