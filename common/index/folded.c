#include "common/index/folded.h"

#include "common/base/clock.h"
#include "common/db/batch.h"
#include "common/db/docs.h"

#define RACES_MAX 5 /* lost inserts in a row before the attempt gives up */

int folded_add(struct folded_list *l, char *id, bson_t *raise, struct err *err)
{
    struct folded *items = reallocarray(l->items, l->n + 1, sizeof *items);
    l->items = items != NULL ? items : l->items;
    if (items == NULL || id == NULL) {
        free(id);
        bson_destroy(raise);
        return err_no_memory(err);
    }
    items[l->n++] = (struct folded){.id = id, .raise = raise, .news = bson_new()};
    return 0;
}

void folded_clear(struct folded_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].id);
        bson_destroy(l->items[i].raise);
        bson_destroy(l->items[i].now);
        bson_destroy(l->items[i].news);
    }
    free(l->items);
    *l = (struct folded_list){0};
}

static bool all_won(const struct db_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!b->items[i].won) {
            return false;
        }
    }
    return true;
}

/* Two that make one document at the same moment: one of them asks again. Raising twice is the same
 * as once. */
static int raise_all(const struct folded_list *l, struct db *db, const char *coll, struct err *err)
{
    AUTO_BATCH batch = {0};
    for (size_t i = 0; i < l->n; i++) {
        struct db_change change = {.filter = BCON_NEW("_id", BCON_UTF8(l->items[i].id)),
                                   .update = bson_copy(l->items[i].raise)};
        if (db_batch_add(&batch, change, err) != 0) {
            return -1;
        }
    }
    for (int i = 0; i < RACES_MAX; i++) {
        if (db_upsert_all(db, coll, batch.items, batch.n, err) != 0) {
            return -1;
        }
        if (all_won(&batch)) {
            return 0;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "%s: lost %d races in a row", coll, RACES_MAX);
}

static struct docs *read_counters(const struct folded_list *l, struct db *db, const char *coll,
                                  struct err *err)
{
    AUTO(bson_destroy) bson_t *ids = bson_new();
    for (size_t i = 0; i < l->n; i++) {
        char room[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
        BSON_APPEND_UTF8(ids, key, l->items[i].id);
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "wanted", BCON_INT32(1), "by_week", BCON_INT32(1),
                            "summed", BCON_INT32(1), "}");
    return docs_read(db, &(struct docs_query){coll, filter, opts}, err);
}

int folded_raise(struct folded_list *l, struct db *db, const char *coll, struct err *err)
{
    if (l->n == 0) {
        return 0;
    }
    AUTO(docs_free) struct docs *now = NULL;
    if (raise_all(l, db, coll, err) != 0 || (now = read_counters(l, db, coll, err)) == NULL) {
        return -1;
    }
    docs_sort(now);
    for (size_t i = 0; i < l->n; i++) {
        const bson_t *one = docs_find(now, l->items[i].id);
        if (one == NULL) {
            return ERR(err, ERR_TRANSIENT, 0, "%s: %s is removed while it is folded", coll,
                       l->items[i].id);
        }
        l->items[i].now = bson_copy(one);
    }
    return 0;
}

int folded_store(struct folded_list *l, struct db *db, const char *coll, struct err *err)
{
    AUTO_BATCH batch = {0};
    for (size_t i = 0; i < l->n; i++) {
        int64_t number = doc_i64(l->items[i].now, "wanted", 0);
        BSON_APPEND_INT64(l->items[i].news, "rev", number);
        BSON_APPEND_DATE_TIME(l->items[i].news, "updated_at_", wall_ms());
        struct db_change change = {
            .filter = BCON_NEW("_id", BCON_UTF8(l->items[i].id), "rev", "{", "$lt",
                               BCON_INT64(number), "}"),
            .update = BCON_NEW("$set", BCON_DOCUMENT(l->items[i].news)),
        };
        if (db_batch_add(&batch, change, err) != 0) {
            return -1;
        }
    }
    return db_batch_write(&batch, db, coll, err);
}
