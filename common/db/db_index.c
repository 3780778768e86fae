/*
 * db_index.c - the table of wanted indexes, compared with what listIndexes says.
 *
 * An index with the same key serves, whatever its name, unless it leaves documents out: MongoDB may
 * refuse a second one (85). One that has our name and another key is an administrator's: it stays,
 * and ours is not made (86). New names begin with "trawl_", so that neither happens by chance.
 *
 * listIndexes also returns indexes that are still being built, so all that are ours are asked for
 * each time: the command answers once they are built. Only then, and when no index was refused,
 * are those of earlier versions dropped. On a replica set a build commits when a majority has it;
 * the default waits for every voting member, also for one that is down.
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
    {DB_RAW_FILES, "trawl_in_doubt", "{\"instrument_id\": 1, \"original.state\": 1}",
     "{\"partialFilterExpression\": {\"original.state\": \"unsettled\"}}", false},
    {DB_RAW_FILES, "trawl_old_lists", "{\"old_lists\": 1}", "{\"sparse\": true}", false},
    {DB_RAW_FILES, "trawl_to_verify",
     "{\"backup_status\": 1, \"verified_at\": 1, \"size\": 1, \"_id\": 1}", NULL, false},
    {DB_RAW_FILES, "trawl_by_instrument_status",
     "{\"instrument_id\": 1, \"status\": 1, \"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_RAW_FILES, "trawl_by_name", "{\"original_name\": 1, \"_id\": 1}", NULL, false},
    {DB_RAW_FILES, "original_name_1", "{\"original_name\": 1}", NULL, true},
    {DB_RAW_FILES, "created_at_1", "{\"created_at\": 1}", NULL, true},
    {DB_RAW_FILES, "instrument_id_1", "{\"instrument_id\": 1}", NULL, true},
    {DB_RAW_FILES, "status_1", "{\"status\": 1}", NULL, true},
    {DB_RAW_FILES, "retire_1", "{\"retire\": 1}", NULL, true},
    {DB_RAW_FILES, "dirty_1", "{\"dirty\": 1}", NULL, true},
    {DB_TASKS, "state_1_ready_at_1", "{\"state\": 1, \"ready_at\": 1}", NULL, false},
    {DB_TASKS, "state_1_ended_at_1", "{\"state\": 1, \"ended_at\": 1}", NULL, false},
    {DB_TASKS, "raw_file_1", "{\"raw_file\": 1}", NULL, false},
    {DB_TASKS, "trawl_newest", "{\"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_TASKS, "trawl_by_state", "{\"state\": 1, \"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_TASKS, "trawl_by_kind", "{\"kind\": 1, \"created_at\": -1, \"_id\": -1}", NULL, false},
    {DB_TASKS, "trawl_untold", "{\"untold\": 1}", "{\"sparse\": true}", false},
    {DB_TASKS, "trawl_unplanned", "{\"unplanned\": 1}", "{\"sparse\": true}", false},
    {DB_TASKS, "trawl_job_name", "{\"kept.job_name\": 1}", "{\"sparse\": true}", false},
    {DB_METRICS, "raw_file_1", "{\"raw_file\": 1}", NULL, false},
    {DB_AUDIT, "trawl_newest", "{\"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "trawl_by_who", "{\"who\": 1, \"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "trawl_by_target", "{\"target\": 1, \"at\": -1, \"_id\": -1}", NULL, false},
    {DB_AUDIT, "at_1", "{\"at\": 1}", NULL, true},
    {DB_AUDIT, "who_1_at_1", "{\"who\": 1, \"at\": 1}", NULL, true},
    {DB_AUDIT, "target_1_at_1", "{\"target\": 1, \"at\": 1}", NULL, true},
    {DB_ALERTS, "trawl_open", "{\"open\": 1, \"at\": -1, \"_id\": 1}", NULL, false},
    {DB_CONTRIBUTIONS, "trawl_buried", "{\"buried_at\": 1}", "{\"sparse\": true}", false},
    {DB_MOUNTS, "trawl_age", "{\"at\": 1}", NULL, false},
    /* Holds all that a fold reads (common/index/fold.c), of members only; by week. */
    {DB_CONTRIBUTIONS, "trawl_weeks",
     "{\"entity\": 1, \"type\": 1, \"deleted\": 1, \"contents.created_at\": 1, "
     "\"contents.error\": 1, \"contents.status\": 1, \"contents.size\": 1, "
     "\"contents.metrics\": 1}",
     "{\"partialFilterExpression\": {\"contents.error\": {\"$gte\": 0}}}", false},
    {DB_CONTRIBUTIONS, "trawl_members",
     "{\"entity\": 1, \"type\": 1, \"deleted\": 1, \"contents.error\": 1, "
     "\"contents.status\": 1, \"contents.size\": 1, \"contents.metrics\": 1, "
     "\"contents.created_at\": 1}",
     "{\"partialFilterExpression\": {\"contents.error\": {\"$gte\": 0}}}", true},
    {DB_CONTRIBUTIONS, "entity_1", "{\"entity\": 1}", NULL, true},
};
#define N_INDEXES (sizeof table / sizeof *table)

const char *const db_indexed_collections[] = {DB_RAW_FILES, DB_TASKS,         DB_METRICS, DB_AUDIT,
                                              DB_ALERTS,    DB_CONTRIBUTIONS, DB_MOUNTS,  NULL};

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

static bool has_keys(const bson_t *index, const struct index *i)
{
    bson_t keys;
    AUTO(bson_destroy) bson_t *ours = parse(i->keys);
    return doc_sub(index, "key", &keys) && same_keys(ours, &keys);
}

static const bson_t *find_by_keys(const struct docs *there, const struct index *i)
{
    for (size_t k = 0; k < there->n; k++) {
        if (has_keys(there->items[k], i)) {
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

struct making {
    struct db *db;
    db_index_fn *report;
    void *ctx;
    bool good; /* nothing was reported bad */
};

static void report(struct making *m, const struct index *i, const char *why)
{
    char name[120];
    snprintf(name, sizeof name, "%s.%s", i->coll, i->name);
    m->good &= why == NULL;
    m->report(m->ctx, name, why);
}

/* Such an index does not serve what ours serves. */
static bool leaves_out(const bson_t *index)
{
    return doc_has(index, "partialFilterExpression") || doc_bool(index, "sparse", false) ||
           doc_has(index, "collation") || doc_bool(index, "hidden", false);
}

/* Whether to ask for it; reports it when not. */
static bool is_ours_to_make(struct making *m, const struct index *i, const struct docs *there)
{
    char why[300];
    const bson_t *same = find_by_keys(there, i), *named = find_by_name(there, i->name);
    if (named != NULL && has_keys(named, i)) {
        return true;
    }
    if (same != NULL && leaves_out(same)) {
        snprintf(why, sizeof why,
                 "the index %s of %s has its key and leaves documents out: drop that one",
                 doc_str(same, "name", "?"), i->coll);
        report(m, i, why);
    } else if (same != NULL) {
        report(m, i, NULL);
    } else if (named != NULL) {
        report(m, i, "an index of this name has another key: drop or rename that one");
    }
    return same == NULL && named == NULL;
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

/* What a server refuses is reported; the others are made all the same. */
static int create_each(struct making *m, const struct index *const *ours, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct err why = {0};
        bson_t one = BSON_INITIALIZER;
        append_index(&one, ours[i]);
        int rc = create(m->db, ours[i]->coll, &one, &why);
        bson_destroy(&one);
        if (rc != 0 && why.kind == ERR_TRANSIENT) {
            *err = why;
            return -1;
        }
        report(m, ours[i], rc != 0 ? why.msg : NULL);
    }
    return 0;
}

static int create_ours(struct making *m, const char *coll, const struct docs *there,
                       struct err *err)
{
    const struct index *ours[N_INDEXES];
    size_t n = 0;
    bson_t all = BSON_INITIALIZER;
    struct err why = {0};
    for (size_t i = 0; i < N_INDEXES; i++) {
        bool wanted = strcmp(table[i].coll, coll) == 0 && !table[i].replaced;
        if (wanted && is_ours_to_make(m, &table[i], there)) {
            append_index(&all, &table[i]);
            ours[n++] = &table[i];
        }
    }
    int rc = n > 0 ? create(m->db, coll, &all, &why) : 0;
    bson_destroy(&all);
    if (rc != 0 && why.kind == ERR_TRANSIENT) {
        *err = why;
        return -1;
    }
    if (rc != 0) {
        return create_each(m, ours, n, err);
    }
    for (size_t i = 0; i < n; i++) {
        report(m, ours[i], NULL);
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

/* Whether the option is one of those, with this value. */
static bool is_among(const bson_iter_t *at, const bson_t *options)
{
    bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
    bson_iter_t ours;
    bson_append_iter(&a, "option", -1, at);
    if (bson_iter_init_find(&ours, options, bson_iter_key(at))) {
        bson_append_iter(&b, "option", -1, &ours);
    }
    bool same = bson_equal(&a, &b);
    bson_destroy(&a);
    bson_destroy(&b);
    return same;
}

/* With other options it is an administrator's own. */
static bool is_as_we_made_it(const bson_t *index, const struct index *i)
{
    bson_iter_t at;
    AUTO(bson_destroy) bson_t *options = i->options != NULL ? parse(i->options) : bson_new();
    for (bool more = bson_iter_init(&at, index) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (!is_plain(&at) && !is_among(&at, options)) {
            return false;
        }
    }
    return has_keys(index, i);
}

/* They cost writes and nothing else: one that cannot be dropped stays. */
static void drop_replaced(struct db *db, const char *coll, const struct docs *there)
{
    for (size_t i = 0; i < N_INDEXES; i++) {
        bool replaced = table[i].replaced && strcmp(table[i].coll, coll) == 0;
        const bson_t *old = replaced ? find_by_name(there, table[i].name) : NULL;
        if (old == NULL || !is_as_we_made_it(old, &table[i])) {
            continue;
        }
        LEASE(l, db, coll);
        bson_error_t e;
        if (mongoc_collection_drop_index_with_opts(l.coll, table[i].name, NULL, &e)) {
            log_info("index_dropped", KV("collection", coll), KV("index", table[i].name));
        } else {
            log_warn("index_not_dropped", KV("collection", coll), KV("index", table[i].name),
                     KV("why", e.message));
        }
    }
}

int db_indexes_ensure(struct db *db, const char *coll, db_index_fn *report_to, void *ctx,
                      struct err *err)
{
    struct making m = {.db = db, .report = report_to, .ctx = ctx, .good = true};
    AUTO(docs_free) struct docs *there = list_indexes(db, coll, err);
    if (there == NULL || create_ours(&m, coll, there, err) != 0) {
        return -1;
    }
    if (m.good) {
        drop_replaced(db, coll, there);
    }
    return 0;
}
