/*
 * db_index.c - the table of wanted indexes, compared with what listIndexes says.
 *
 * An index with the same key serves, whatever its name: MongoDB would refuse a second one (85). One
 * that has our name and another key is an administrator's: it stays, ours is not made (86). Names
 * begin with "trawl_", so that neither happens by chance. On a replica set the build commits when a
 * majority has it; the default waits for every voting member, also for one that is down.
 */
#include "common/db/db_index.h"

#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/db/db_internal.h"
#include "common/db/docs.h"

struct index {
    const char *coll, *name, *keys; /* keys: JSON */
    const char *options;            /* JSON, or NULL */
    bool replaced; /* made by an earlier version: dropped when it is exactly as that made it */
};

/* Each collection's in a row. */
static const struct index table[] = {
    {DB_RAW_FILES, "trawl_newest", "{\"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_RAW_FILES, "trawl_by_instrument", "{\"instrument_id\": 1, \"created_at\": -1, \"_id\": -1}",
     NULL, false},
    {DB_RAW_FILES, "trawl_by_status", "{\"status\": 1, \"created_at\": -1, \"_id\": -1}", NULL,
     false},
    {DB_RAW_FILES, "trawl_by_project", "{\"project_id\": 1, \"created_at\": -1, \"_id\": -1}", NULL,
     false},
    {DB_RAW_FILES, "trawl_on_instrument",
     "{\"instrument_id\": 1, \"instrument_file_status\": 1, \"created_at\": 1}", NULL, false},
    {DB_RAW_FILES, "trawl_retire", "{\"retire\": 1, \"copied_at\": 1}",
     "{\"partialFilterExpression\": {\"retire\": {\"$exists\": true}}}", false},
    {DB_RAW_FILES, "trawl_unsettled", "{\"settled\": 1}",
     "{\"partialFilterExpression\": {\"settled\": false}}", false},
    {DB_RAW_FILES, "trawl_to_verify",
     "{\"backup_status\": 1, \"verified_at\": 1, \"size\": 1, \"_id\": 1}", NULL, false},
    {DB_RAW_FILES, "original_name_1", "{\"original_name\": 1}", NULL, false},
    {DB_RAW_FILES, "created_at_1", "{\"created_at\": 1}", NULL, true},
    {DB_RAW_FILES, "instrument_id_1", "{\"instrument_id\": 1}", NULL, true},
    {DB_RAW_FILES, "status_1", "{\"status\": 1}", NULL, true},
    {DB_RAW_FILES, "retire_1", "{\"retire\": 1}", NULL, true},
    {DB_RAW_FILES, "settled_1", "{\"settled\": 1}", NULL, true},
    {DB_RAW_FILES, "dirty_1", "{\"dirty\": 1}", NULL, true},
    {DB_TASKS, "state_1_ready_at_1", "{\"state\": 1, \"ready_at\": 1}", NULL, false},
    {DB_TASKS, "state_1_ended_at_1", "{\"state\": 1, \"ended_at\": 1}", NULL, false},
    {DB_TASKS, "raw_file_1", "{\"raw_file\": 1}", NULL, false},
    {DB_TASKS, "trawl_newest", "{\"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_TASKS, "trawl_by_kind", "{\"kind\": 1, \"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_TASKS, "trawl_untold", "{\"untold\": 1}", "{\"sparse\": true}", false},
    {DB_TASKS, "trawl_unplanned", "{\"unplanned\": 1}", "{\"sparse\": true}", false},
    {DB_TASKS, "trawl_job_name", "{\"kept.job_name\": 1}", "{\"sparse\": true}", false},
    {DB_TASKS, "untold_1", "{\"untold\": 1}", NULL, true},
    {DB_TASKS, "unplanned_1", "{\"unplanned\": 1}", NULL, true},
    {DB_METRICS, "raw_file_1", "{\"raw_file\": 1}", NULL, false},
    {DB_AUDIT, "trawl_newest", "{\"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "trawl_by_who", "{\"who\": 1, \"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "trawl_by_target", "{\"target\": 1, \"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "at_1", "{\"at\": 1}", NULL, true},
    {DB_AUDIT, "who_1_at_1", "{\"who\": 1, \"at\": 1}", NULL, true},
    {DB_AUDIT, "target_1_at_1", "{\"target\": 1, \"at\": 1}", NULL, true},
    {DB_ALERTS, "trawl_open", "{\"open\": 1, \"at\": -1, \"_id\": 1}", NULL, false},
    {DB_CONTRIBUTIONS, "entity_1", "{\"entity\": 1}", NULL, false},
};
#define N_INDEXES (sizeof table / sizeof *table)

static bson_t *parse(const char *json)
{
    bson_error_t e;
    return bson_new_from_json((const uint8_t *)json, -1, &e);
}

/* --- what is there --- */

/* The same fields in the same order and direction; servers answer with any type of number. */
static bool same_keys(const bson_t *a, const bson_t *b)
{
    bson_iter_t x, y;
    bool more_x = bson_iter_init(&x, a) && bson_iter_next(&x);
    bool more_y = bson_iter_init(&y, b) && bson_iter_next(&y);
    while (more_x && more_y && strcmp(bson_iter_key(&x), bson_iter_key(&y)) == 0 &&
           bson_iter_as_int64(&x) == bson_iter_as_int64(&y)) {
        more_x = bson_iter_next(&x);
        more_y = bson_iter_next(&y);
    }
    return !more_x && !more_y;
}

static const bson_t *find_by_keys(const struct docs *there, const struct index *i)
{
    AUTO(bson_destroy) bson_t *keys = parse(i->keys);
    for (size_t k = 0; k < there->n; k++) {
        bson_t other;
        if (doc_sub(there->items[k], "key", &other) && same_keys(keys, &other)) {
            return there->items[k];
        }
    }
    return NULL;
}

static const bson_t *find_by_name(const struct docs *there, const char *name)
{
    for (size_t k = 0; k < there->n; k++) {
        if (strcmp(doc_str(there->items[k], "name", ""), name) == 0) {
            return there->items[k];
        }
    }
    return NULL;
}

/* No collection: no index. NULL with *err set; docs_free. */
static struct docs *list_indexes(struct db *db, const char *coll, struct err *err)
{
    enum { NAMESPACE_NOT_FOUND = 26 };
    LEASE(l, db, coll);
    AUTO(docs_free) struct docs *out = docs_new(err);
    mongoc_cursor_t *cur = mongoc_collection_find_indexes_with_opts(l.coll, NULL);
    const bson_t *doc;
    int rc = out != NULL ? 0 : -1;
    while (rc == 0 && mongoc_cursor_next(cur, &doc)) {
        rc = docs_add(out, doc, err);
    }
    bson_error_t e;
    if (rc == 0 && mongoc_cursor_error(cur, &e) && e.code != NAMESPACE_NOT_FOUND) {
        rc = db_error(db, &e, err);
    }
    mongoc_cursor_destroy(cur);
    return rc == 0 ? TAKE(out) : NULL;
}

/* --- making --- */

/* An index that may leave out documents does not serve what ours serves. */
static bool leaves_out(const bson_t *index)
{
    return doc_has(index, "partialFilterExpression") || doc_bool(index, "sparse", false) ||
           doc_has(index, "collation");
}

/* Whether it has to be made; reports it when not. */
static bool is_missing(const struct index *i, const struct docs *there, db_index_fn *report,
                       void *ctx)
{
    char name[120], why[300];
    const bson_t *same = find_by_keys(there, i), *other = find_by_name(there, i->name);
    snprintf(name, sizeof name, "%s.%s", i->coll, i->name);
    if (same != NULL && leaves_out(same) && i->options == NULL) {
        snprintf(why, sizeof why,
                 "the index %s of %s has its key and leaves documents out: drop that one",
                 doc_str(same, "name", "?"), i->coll);
        report(ctx, name, why);
    } else if (same != NULL) {
        report(ctx, name, NULL);
    } else if (other != NULL) {
        report(ctx, name, "an index of this name has another key: drop or rename that one");
    }
    return same == NULL && other == NULL;
}

static bool is_replica_set(struct db *db)
{
    LEASE(l, db, NULL);
    AUTO(bson_destroy) bson_t *hello = BCON_NEW("isMaster", BCON_INT32(1));
    bson_t reply;
    bool set = mongoc_client_command_simple(l.client, "admin", hello, NULL, &reply, NULL) &&
               doc_has(&reply, "setName");
    bson_destroy(&reply);
    return set;
}

static int create(struct db *db, const char *coll, const bson_t *indexes, struct err *err)
{
    bson_error_t e;
    AUTO(bson_destroy)
    bson_t *cmd = BCON_NEW("createIndexes", BCON_UTF8(coll), "indexes", BCON_ARRAY(indexes));
    if (is_replica_set(db)) {
        BCON_APPEND(cmd, "commitQuorum", "majority");
    }
    LEASE(l, db, NULL);
    return mongoc_client_command_simple(l.client, db->database, cmd, NULL, NULL, &e)
               ? 0
               : db_error(db, &e, err);
}

static void append_index(bson_t *indexes, const struct index *i)
{
    char key[16];
    AUTO(bson_destroy) bson_t *keys = parse(i->keys);
    bson_t one = BSON_INITIALIZER;
    BCON_APPEND(&one, "key", BCON_DOCUMENT(keys), "name", BCON_UTF8(i->name));
    if (i->options != NULL) {
        AUTO(bson_destroy) bson_t *options = parse(i->options);
        bson_concat(&one, options);
    }
    snprintf(key, sizeof key, "%u", bson_count_keys(indexes));
    BSON_APPEND_DOCUMENT(indexes, key, &one);
    bson_destroy(&one);
}

/* What a server refuses for good is complained of; the others are made all the same. */
static int create_alone(struct db *db, const struct index *i, db_index_fn *report, void *ctx,
                        struct err *err)
{
    char name[120];
    struct err why = {0};
    bson_t one = BSON_INITIALIZER;
    append_index(&one, i);
    int rc = create(db, i->coll, &one, &why);
    bson_destroy(&one);
    if (rc != 0 && why.kind == ERR_TRANSIENT) {
        *err = why;
        return -1;
    }
    snprintf(name, sizeof name, "%s.%s", i->coll, i->name);
    report(ctx, name, rc != 0 ? why.msg : NULL);
    return 0;
}

static int create_missing(struct db *db, const char *coll, db_index_fn *report, void *ctx,
                          struct err *err)
{
    AUTO(docs_free) struct docs *there = list_indexes(db, coll, err);
    if (there == NULL) {
        return -1;
    }
    const struct index *missing[N_INDEXES];
    size_t n = 0;
    bson_t all = BSON_INITIALIZER;
    struct err why = {0};
    for (size_t i = 0; i < N_INDEXES; i++) {
        const struct index *index = &table[i];
        if (strcmp(index->coll, coll) == 0 && !index->replaced &&
            is_missing(index, there, report, ctx)) {
            append_index(&all, index);
            missing[n++] = index;
        }
    }
    int rc = n > 0 ? create(db, coll, &all, &why) : 0;
    bson_destroy(&all);
    if (rc != 0 && why.kind == ERR_TRANSIENT) {
        *err = why;
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (create_alone(db, missing[i], report, ctx, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- dropping --- */

static bool is_plain(const bson_iter_t *at)
{
    static const char *const plain[] = {"v", "key", "name", "ns", NULL};
    for (const char *const *field = plain; *field != NULL; field++) {
        if (strcmp(bson_iter_key(at), *field) == 0) {
            return true;
        }
    }
    return BSON_ITER_HOLDS_BOOL(at) && !bson_iter_bool(at); /* "sparse": false */
}

/* With other options it is an administrator's own. */
static bool is_as_we_made_it(const bson_t *index, const struct index *i)
{
    bson_t keys;
    AUTO(bson_destroy) bson_t *ours = parse(i->keys);
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, index) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (!is_plain(&at)) {
            return false;
        }
    }
    return doc_sub(index, "key", &keys) && same_keys(ours, &keys);
}

/* Whether a wanted index has the same key: servers before MongoDB 5 allow one index for a key. */
static bool is_in_the_way(const struct index *old)
{
    AUTO(bson_destroy) bson_t *keys = parse(old->keys);
    for (size_t i = 0; i < N_INDEXES; i++) {
        AUTO(bson_destroy) bson_t *other = parse(table[i].keys);
        bool wanted = !table[i].replaced && strcmp(table[i].coll, old->coll) == 0;
        if (wanted && same_keys(keys, other)) {
            return true;
        }
    }
    return false;
}

/* first: only those that are in the way of a new one. */
static int drop_replaced(struct db *db, const char *coll, bool first, struct err *err)
{
    AUTO(docs_free) struct docs *there = list_indexes(db, coll, err);
    for (size_t i = 0; there != NULL && i < N_INDEXES; i++) {
        const struct index *index = &table[i];
        bool replaced = index->replaced && strcmp(index->coll, coll) == 0;
        const bson_t *old = replaced ? find_by_name(there, index->name) : NULL;
        if (old == NULL || !is_as_we_made_it(old, index) || (first && !is_in_the_way(index))) {
            continue;
        }
        LEASE(l, db, coll);
        bson_error_t e;
        if (!mongoc_collection_drop_index_with_opts(l.coll, index->name, NULL, &e)) {
            return db_error(db, &e, err);
        }
        log_info("index_dropped", KV("collection", coll), KV("index", index->name));
    }
    return there != NULL ? 0 : -1;
}

int db_indexes_ensure(struct db *db, db_index_fn *report, void *ctx, struct err *err)
{
    for (size_t i = 0; i < N_INDEXES; i++) {
        const char *coll = table[i].coll;
        bool again = i > 0 && strcmp(table[i - 1].coll, coll) == 0;
        if (!again && (drop_replaced(db, coll, true, err) != 0 ||
                       create_missing(db, coll, report, ctx, err) != 0 ||
                       drop_replaced(db, coll, false, err) != 0)) {
            return -1;
        }
    }
    return 0;
}
