/*
 * sums.c - migration 2: the contributions to projects and instruments that programs without sums
 * have written are summed by week (common/index/sums.h), and the aggregate says so.
 *
 * Workers do the same beside it: both fold under the same counters. A fold of such a program that
 * is still running makes the sums of its entity incomplete again, so a later round finds it.
 */
#include <stdio.h>

#include "common/db/docs.h"
#include "common/index/sums.h"
#include "scheduler/migrate/migrate.h"

#define BATCH 10 /* entities; a large one has some hundred weeks */

static int keep_incomplete(void *ctx, const bson_t *aggregate, struct err *err)
{
    struct docs *kept = ctx;
    return kept->n == BATCH || sums_are_complete(aggregate) ? 0 : docs_add(kept, aggregate, err);
}

/* Ids begin with the type; '0' is the character behind '/'. */
static struct docs *read_incomplete(struct db *db, enum entity_type type, struct err *err)
{
    char first[32], last[32];
    snprintf(first, sizeof first, "%s/", entity_type_name(type));
    snprintf(last, sizeof last, "%s0", entity_type_name(type));
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", "{", "$gte", BCON_UTF8(first), "$lt", BCON_UTF8(last), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "entity", BCON_INT32(1), "wanted", BCON_INT32(1),
                            "by_week", BCON_INT32(1), "summed", BCON_INT32(1), "}");
    return docs_read_by(db, &(struct docs_query){DB_AGGREGATES, filter, opts}, keep_incomplete,
                        err);
}

static int complete_some(struct db *db, enum entity_type type, int64_t *n, struct err *err)
{
    AUTO(docs_free) struct docs *found = read_incomplete(db, type, err);
    if (found == NULL) {
        return -1;
    }
    *n = (int64_t)found->n;
    for (size_t i = 0; i < found->n; i++) {
        const struct entity e = {.type = type, .name = doc_str(found->items[i], "entity", "")};
        if (sums_complete(db, &e, found->items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

int migrate_sums(struct db *db, int64_t *n, struct err *err)
{
    *n = 0;
    for (enum entity_type type = 0; type < ENTITY_TYPE_COUNT && *n == 0; type++) {
        if (!entity_type_is_single(type) && complete_some(db, type, n, err) != 0) {
            return -1;
        }
    }
    return 0;
}
