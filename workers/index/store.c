/*
 * store.c - why this is right in any order, with any worker dying anywhere:
 *
 * - Entities are announced in the raw file's own contribution before the first of them is written,
 *   and dropped from it only after all are folded. Whatever a dead worker left behind is therefore
 *   named, and the next run buries or folds it.
 * - A run that announces takes the rev. One of a lower rev then fails to announce and writes
 * nothing more; what it still has under way loses against the tombstones, which are written even
 * where nothing was.
 * - A fold raises the aggregate's "wanted" before it reads. Who holds the higher number began to
 * read after every trigger of a lower number was stored, so losing against it is success.
 */
#include "workers/index/store.h"

#include <string.h>

#include "common/base/clock.h"
#include "workers/index/fold.h"

#define RACES_MAX 5 /* lost inserts in a row before the attempt gives up */

static void append_ids(bson_t *out, const char *key, const struct contribution_list *list, size_t n)
{
    bson_t array;
    bson_append_array_begin(out, key, -1, &array);
    for (uint32_t i = 0; i < n; i++) {
        AUTO(free) char *id = entity_id(list->items[i].type, list->items[i].entity);
        char room[16];
        const char *index;
        bson_uint32_to_string(i, &index, room, sizeof room);
        if (id != NULL) {
            BSON_APPEND_UTF8(&array, index, id);
        }
    }
    bson_append_array_end(out, &array);
}

static bson_t *not_newer(const char *id, int64_t rev)
{
    return BCON_NEW("_id", BCON_UTF8(id), "rev", "{", "$lte", BCON_INT64(rev), "}");
}

/* Upsert over a lower or equal rev. 1 when it was written, 0 when a higher rev is there. */
static int put(const struct store_source *s, const char *id, const bson_t *update, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = not_newer(id, s->rev);
    for (int i = 0; i < RACES_MAX; i++) {
        bool won = false;
        if (db_upsert(s->db, DB_CONTRIBUTIONS, filter, update, &won, err) != 0) {
            return -1;
        }
        if (won) {
            return 1;
        }
        AUTO(bson_destroy) bson_t *there = NULL;
        if (db_find_id(s->db, DB_CONTRIBUTIONS, id, &there, err) != 0) {
            return -1;
        }
        if (there != NULL && !contribution_replaces(doc_i64(there, "rev", 0), s->rev)) {
            return 0;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "contribution %s: lost %d races in a row", id, RACES_MAX);
}

static bson_t *announcement(const struct store_source *s, const struct contribution_list *list)
{
    bson_t *update = BCON_NEW("$set", "{", "rev", BCON_INT64(s->rev), "}", "$setOnInsert", "{",
                              "type", BCON_UTF8(entity_type_name(ENTITY_RAW_FILE)), "entity",
                              BCON_UTF8(s->raw_file), "raw_file", BCON_UTF8(s->raw_file), "deleted",
                              BCON_BOOL(false), "contents", "{", "}", "}");
    bson_t add;
    bson_t each;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$addToSet", &add);
    BSON_APPEND_DOCUMENT_BEGIN(&add, "entities", &each);
    append_ids(&each, "$each", list, list->n);
    bson_append_document_end(&add, &each);
    bson_append_document_end(update, &add);
    return update;
}

int store_announce(const struct store_source *s, const struct contribution_list *list,
                   bson_t **before, struct err *err)
{
    *before = NULL;
    AUTO(free) char *id = contribution_id(ENTITY_RAW_FILE, s->raw_file, s->raw_file);
    if (id == NULL) {
        return err_no_memory(err);
    }
    AUTO(bson_destroy) bson_t *update = announcement(s, list);
    int won = put(s, id, update, err);
    if (won <= 0) {
        return won;
    }
    AUTO(bson_destroy) bson_t *own = NULL;
    if (db_find_id(s->db, DB_CONTRIBUTIONS, id, &own, err) != 0) {
        return -1;
    }
    bson_t entities;
    if (own != NULL && doc_i64(own, "rev", 0) == s->rev) {
        *before = doc_sub(own, "entities", &entities) ? bson_copy(&entities) : bson_new();
    }
    return 0;
}

int store_contribute(const struct store_source *s, const struct contribution *c, struct err *err)
{
    AUTO(free) char *id = contribution_id(c->type, c->entity, s->raw_file);
    if (id == NULL) {
        return err_no_memory(err);
    }
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "type", BCON_UTF8(entity_type_name(c->type)), "entity",
                              BCON_UTF8(c->entity), "raw_file", BCON_UTF8(s->raw_file), "rev",
                              BCON_INT64(s->rev), "deleted", BCON_BOOL(c->deleted), "contents",
                              BCON_DOCUMENT(c->contents), "}");
    if (c->deleted) { /* a tombstone has an end, too: common/task/retention.h */
        BCON_APPEND(update, "$max", "{", "buried_at", BCON_DATE_TIME(wall_ms()), "}");
    } else {
        BCON_APPEND(update, "$unset", "{", "buried_at", BCON_BOOL(true), "}");
    }
    return put(s, id, update, err) < 0 ? -1 : 0;
}

int store_conclude(const struct store_source *s, const struct contribution_list *list, size_t n,
                   struct err *err)
{
    AUTO(free) char *id = contribution_id(ENTITY_RAW_FILE, s->raw_file, s->raw_file);
    if (id == NULL) {
        return err_no_memory(err);
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id), "rev", BCON_INT64(s->rev));
    AUTO(bson_destroy) bson_t *update = bson_new();
    bson_t set;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
    append_ids(&set, "entities", list, n);
    bson_append_document_end(update, &set);
    bool won = false;
    return db_update(s->db, DB_CONTRIBUTIONS, filter, update, &won, err);
}

static bson_t *empty_aggregate(const char *id, const struct contribution *c)
{
    return BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8(entity_type_name(c->type)), "entity",
                    BCON_UTF8(c->entity), "wanted", BCON_INT64(0), "rev", BCON_INT64(0), "deleted",
                    BCON_BOOL(true), "contents", "{", "}");
}

/* Raise the aggregate's counter, making the aggregate when it is missing. The number, or -1. */
static int64_t raise_wanted(const struct store_source *s, const char *id,
                            const struct contribution *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy) bson_t *inc = BCON_NEW("$inc", "{", "wanted", BCON_INT64(1), "}");
    for (int i = 0; i < RACES_MAX; i++) {
        AUTO(bson_destroy) bson_t *now = NULL;
        if (db_find_update(s->db, DB_AGGREGATES, filter, inc, &now, err) != 0) {
            return -1;
        }
        if (now != NULL) {
            return doc_i64(now, "wanted", 0);
        }
        AUTO(bson_destroy) bson_t *fresh = empty_aggregate(id, c);
        bool inserted = false; /* or somebody else just did */
        if (db_insert(s->db, DB_AGGREGATES, fresh, &inserted, err) != 0) {
            return -1;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "aggregate %s is removed while it is made", id);
}

/* *contents = what all live contributions say together, or NULL when there are none. */
static int read_single(const struct store_source *s, const struct contribution *c,
                       bson_t **contents, struct err *err)
{
    AUTO(free) char *id = contribution_id(c->type, c->entity, s->raw_file);
    AUTO(bson_destroy) bson_t *one = NULL;
    if (id == NULL) {
        return err_no_memory(err);
    }
    if (db_find_id(s->db, DB_CONTRIBUTIONS, id, &one, err) != 0) {
        return -1;
    }
    bson_t view;
    if (one != NULL && !doc_bool(one, "deleted", false) && doc_sub(one, "contents", &view)) {
        *contents = bson_copy(&view);
    }
    return 0;
}

static int read_sums(const struct store_source *s, const struct contribution *c, bson_t **contents,
                     struct err *err)
{
    AUTO(fold_free) struct fold *f = fold_new(err);
    AUTO(bson_destroy) bson_t *pipeline = fold_pipeline(c->type, c->entity);
    if (f == NULL || db_aggregate(s->db, DB_CONTRIBUTIONS, pipeline, fold_add, f, err) != 0) {
        return -1;
    }
    *contents = fold_is_empty(f) ? NULL : fold_contents(f);
    return 0;
}

int store_fold(const struct store_source *s, const struct contribution *c, struct err *err)
{
    AUTO(free) char *id = entity_id(c->type, c->entity);
    if (id == NULL) {
        return err_no_memory(err);
    }
    int64_t wanted = raise_wanted(s, id, c, err);
    if (wanted < 0) {
        return -1;
    }
    AUTO(bson_destroy) bson_t *found = NULL;
    int rc = entity_type_is_single(c->type) ? read_single(s, c, &found, err)
                                            : read_sums(s, c, &found, err);
    if (rc != 0) {
        return -1;
    }
    bool gone = found == NULL;
    AUTO(bson_destroy) bson_t *contents = gone ? bson_new() : TAKE(found);
    AUTO(bson_destroy)
    bson_t *older = BCON_NEW("_id", BCON_UTF8(id), "rev", "{", "$lt", BCON_INT64(wanted), "}");
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "rev", BCON_INT64(wanted), "deleted", BCON_BOOL(gone), "contents",
                 BCON_DOCUMENT(contents), "updated_at_", BCON_DATE_TIME(wall_ms()), "}");
    bool won = false;
    return db_update(s->db, DB_AGGREGATES, older, update, &won, err);
}
