/*
 * sums.h - what the contributions to one entity in one week sum up to: the collection "sums", for
 * the types whose entities have many contributions. An aggregate of such an entity is folded from
 * its sums, so that a change costs what its week has, however old the entity is.
 *
 * Who writes contributions folds the sums of all weeks that they are in or have left, then the
 * aggregate (workers/index/store.c). Programs of earlier versions only raise the aggregate's
 * "wanted". Those of today raise its "by_week", too; the difference is the number of the others'
 * folds, and "summed" is that number as it was before all of the entity's weeks were summed. While
 * the two are equal, each contribution is in its sum, or its writer has yet to fold it.
 *
 * Any thread. -1: the database did not answer, or memory is short.
 */
#ifndef COMMON_INDEX_SUMS_H
#define COMMON_INDEX_SUMS_H
#include "common/index/fold.h"
#include "common/index/folded.h"
#include "common/index/week.h"

struct sum {
    struct entity of;
    int64_t week;
};

/* Fold the live contributions of each week into its sum. */
int sums_fold(struct db *db, const struct sum *sums, size_t n, struct err *err)
    __attribute__((nonnull(1, 4), warn_unused_result));
/* Add the rows of all of an entity's sums. */
int sums_read(struct db *db, const struct entity *e, struct fold *f, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Of an aggregate with its counters: how many folds were made by programs that do not sum. */
int64_t sums_missed(const bson_t *aggregate) __attribute__((nonnull));
/* Whether all that its entity's contributions say is in its sums. */
bool sums_are_complete(const bson_t *aggregate) __attribute__((nonnull));
/* Sum all weeks of the entity of an aggregate, as just read, and note that in it. */
int sums_complete(struct db *db, const struct entity *e, const bson_t *aggregate, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
