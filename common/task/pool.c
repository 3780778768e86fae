#include "common/task/pool.h"

#include "common/base/clock.h"

int pool_seed(struct db *db, const struct config *cfg, const char *pool, struct err *err)
{
    int64_t slots = config_pool_default(cfg, pool);
    bool made;
    if (slots < 0) {
        return 0;
    }
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(pool), "slots", BCON_INT64(slots), "by",
                           BCON_UTF8("configuration"), "at", BCON_DATE_TIME(wall_ms()));
    return db_insert(db, DB_POOLS, doc, &made, err);
}

/* Matches the size and its date as read; null matches a missing field. */
static bson_t *guard(const bson_t *pool)
{
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(pool, "_id", "")), "slots",
                              BCON_INT64(doc_i64(pool, "slots", 0)));
    if (doc_has(pool, "at")) {
        BSON_APPEND_DATE_TIME(filter, "at", doc_i64(pool, "at", 0));
    }
    if (doc_has(pool, "saved_slots")) {
        BSON_APPEND_INT64(filter, "saved_slots", doc_i64(pool, "saved_slots", 0));
    } else {
        BSON_APPEND_NULL(filter, "saved_slots");
    }
    return filter;
}

int pool_resize(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
                struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = guard(pool);
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "slots", BCON_INT64(o->slots), "reason", BCON_UTF8(o->why), "by",
                 BCON_UTF8(o->by), "at", BCON_DATE_TIME(wall_ms()), "}", "$unset", "{",
                 "saved_slots", BCON_BOOL(true), "}");
    return db_update(db, DB_POOLS, filter, update, won, err);
}

int pool_stop(struct db *db, const bson_t *pool, const struct pool_order *o, bool *won,
              struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = guard(pool);
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "slots", BCON_INT64(0), "saved_slots",
                 BCON_INT64(doc_i64(pool, "slots", 0)), "stop", "{", "by", BCON_UTF8(o->by), "why",
                 BCON_UTF8(o->why), "at", BCON_DATE_TIME(wall_ms()), "}", "}");
    return db_update(db, DB_POOLS, filter, update, won, err);
}

int pool_resume(struct db *db, const bson_t *pool, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = guard(pool);
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$unset", "{", "saved_slots", BCON_BOOL(true), "stop", BCON_BOOL(true), "}");
    if (pool_is_stopped(pool)) {
        BCON_APPEND(update, "$set", "{", "slots", BCON_INT64(doc_i64(pool, "saved_slots", 0)), "}");
    }
    return db_update(db, DB_POOLS, filter, update, won, err);
}

bool pool_is_stopped(const bson_t *pool)
{
    return doc_has(pool, "saved_slots");
}

bool pool_has_stop(const bson_t *pool)
{
    return doc_has(pool, "stop");
}
