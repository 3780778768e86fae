/*
 * sums.c - reading contributions and sums, and the writes of sums. A sum's _id begins with that of
 * its entity, so the index on _id serves what asks for all of an entity's sums.
 */
#include "common/index/sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- folding one week --- */

static char *sum_id(const struct sum *s)
{
    char *id = NULL;
    const char *type = entity_type_name(s->of.type);
    int n = s->week == WEEK_NONE ? asprintf(&id, "%s/%s/none", type, s->of.name)
                                 : asprintf(&id, "%s/%s/%" PRId64, type, s->of.name, s->week);
    return n < 0 ? NULL : id;
}

static bson_t *raise_of(const struct sum *s)
{
    bson_t *update = BCON_NEW("$inc", "{", "wanted", BCON_INT64(1), "}");
    bson_t fresh;
    BSON_APPEND_DOCUMENT_BEGIN(update, "$setOnInsert", &fresh);
    BCON_APPEND(&fresh, "type", BCON_UTF8(entity_type_name(s->of.type)), "entity",
                BCON_UTF8(s->of.name), "rev", BCON_INT64(0), "rows", "[", "]");
    week_append(&fresh, "week", s->week);
    bson_append_document_end(update, &fresh);
    return update;
}

static int append_row(void *ctx, const bson_t *row, struct err *err)
{
    (void)err;
    bson_t *rows = ctx;
    char room[16];
    const char *key;
    bson_uint32_to_string(bson_count_keys(rows), &key, room, sizeof room);
    BSON_APPEND_DOCUMENT(rows, key, row);
    return 0;
}

static int read_rows(struct db *db, const struct sum *s, bson_t *news, struct err *err)
{
    AUTO(bson_destroy) bson_t *pipeline = fold_pipeline(&s->of, &s->week);
    AUTO(bson_destroy) bson_t *rows = bson_new();
    if (db_aggregate(db, DB_CONTRIBUTIONS, pipeline, append_row, rows, err) != 0) {
        return -1;
    }
    BSON_APPEND_ARRAY(news, "rows", rows);
    return 0;
}

int sums_fold(struct db *db, const struct sum *sums, size_t n, struct err *err)
{
    AUTO_FOLDED all = {0};
    for (size_t i = 0; i < n; i++) {
        if (folded_add(&all, sum_id(&sums[i]), raise_of(&sums[i]), err) != 0) {
            return -1;
        }
    }
    if (folded_raise(&all, db, DB_SUMS, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (read_rows(db, &sums[i], all.items[i].news, err) != 0) {
            return -1;
        }
    }
    return folded_store(&all, db, DB_SUMS, err);
}

/* --- all weeks of an entity --- */

/* '0' is the character behind '/'. NULL: no memory. */
static bson_t *all_of(const struct entity *e)
{
    AUTO(free) char *first = NULL;
    AUTO(free) char *last = NULL;
    const char *type = entity_type_name(e->type);
    if (asprintf(&first, "%s/%s/", type, e->name) < 0) {
        first = NULL;
    }
    if (asprintf(&last, "%s/%s0", type, e->name) < 0) {
        last = NULL;
    }
    return first == NULL || last == NULL
               ? NULL
               : BCON_NEW("_id", "{", "$gte", BCON_UTF8(first), "$lt", BCON_UTF8(last), "}", "type",
                          BCON_UTF8(type), "entity", BCON_UTF8(e->name));
}

static int add_rows(void *ctx, const bson_t *sum, struct err *err)
{
    bson_t rows;
    bson_iter_t at;
    bool more = doc_sub(sum, "rows", &rows) && bson_iter_init(&at, &rows);
    while (more && bson_iter_next(&at)) {
        bson_t row;
        if (doc_sub(&rows, bson_iter_key(&at), &row) && fold_add(ctx, &row, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int sums_read(struct db *db, const struct entity *e, struct fold *f, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = all_of(e);
    return filter != NULL ? db_each(db, DB_SUMS, filter, NULL, add_rows, f, err)
                          : err_no_memory(err);
}

/* --- what programs of earlier versions have left --- */

int64_t sums_missed(const bson_t *aggregate)
{
    return doc_i64(aggregate, "wanted", 0) - doc_i64(aggregate, "by_week", 0);
}

bool sums_are_complete(const bson_t *aggregate)
{
    return doc_i64(aggregate, "summed", -1) == sums_missed(aggregate);
}

static int add_date(void *ctx, const bson_t *contribution, struct err *err)
{
    return weeks_add(ctx, week_of(contribution, "contents.created_at"), err);
}

static int add_week(void *ctx, const bson_t *sum, struct err *err)
{
    bson_iter_t at;
    bool there = bson_iter_init_find(&at, sum, "week") && BSON_ITER_HOLDS_NUMBER(&at);
    return weeks_add(ctx, there ? bson_iter_as_int64(&at) : WEEK_NONE, err);
}

/* All weeks in which it has contributions, and those that it has sums of. */
static int list_weeks(struct db *db, const struct entity *e, struct weeks *weeks, struct err *err)
{
    AUTO(bson_destroy) bson_t *live = fold_filter(e, NULL);
    AUTO(bson_destroy) bson_t *sums = all_of(e);
    AUTO(bson_destroy)
    bson_t *dates = BCON_NEW("projection", "{", "contents.created_at", BCON_INT32(1), "_id",
                             BCON_INT32(0), "}", "maxTimeMS", BCON_INT64(DB_LISTING_MS));
    AUTO(bson_destroy)
    bson_t *only = BCON_NEW("projection", "{", "week", BCON_INT32(1), "}");
    if (sums == NULL) {
        return err_no_memory(err);
    }
    return db_each(db, DB_CONTRIBUTIONS, live, dates, add_date, weeks, err) != 0
               ? -1
               : db_each(db, DB_SUMS, sums, only, add_week, weeks, err);
}

int sums_complete(struct db *db, const struct entity *e, const bson_t *aggregate, struct err *err)
{
    AUTO_WEEKS weeks = {0};
    if (list_weeks(db, e, &weeks, err) != 0) {
        return -1;
    }
    AUTO(free) struct sum *sums = calloc(weeks.n + 1, sizeof *sums);
    if (sums == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < weeks.n; i++) {
        sums[i] = (struct sum){.of = *e, .week = weeks.items[i]};
    }
    bool won;
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(aggregate, "_id", "")));
    AUTO(bson_destroy)
    bson_t *note = BCON_NEW("$set", "{", "summed", BCON_INT64(sums_missed(aggregate)), "}");
    return sums_fold(db, sums, weeks.n, err) != 0
               ? -1
               : db_update(db, DB_AGGREGATES, filter, note, &won, err);
}
