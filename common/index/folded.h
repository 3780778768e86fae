/*
 * folded.h - documents that are folded from others, each under a counter, so that any number of
 * workers may fold one at a time and die anywhere.
 *
 * A fold first raises the document's "wanted", then reads what it folds, and is stored as "rev"
 * over a lower one. What a fold is for was stored before it raised the counter. So who holds a
 * number began to read after all of that was stored for which it or a lower one was raised, and
 * losing against a higher one is success. The number is read after it was raised, and may be that
 * of another who raised it meanwhile: the same is true of it.
 */
#ifndef COMMON_INDEX_FOLDED_H
#define COMMON_INDEX_FOLDED_H
#include "common/db/db.h"

struct folded {
    char *id;
    bson_t *raise; /* the update that raises "wanted", and makes a missing document */
    bson_t *now;   /* its counters afterwards: wanted, by_week, summed (sums.h) */
    bson_t *news;  /* what the fold has found, for $set; made empty by folded_raise */
};
struct folded_list { /* of one collection; zeroed is empty */
    struct folded *items;
    size_t n;
};

/* Takes id and raise, also on failure: no memory. NULL is short memory, too. */
int folded_add(struct folded_list *l, char *id, bson_t *raise, struct err *err)
    __attribute__((nonnull(1, 4), warn_unused_result));
/* Raise all counters, and read them. */
int folded_raise(struct folded_list *l, struct db *db, const char *coll, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Store the news of all, each over a lower number. */
int folded_store(struct folded_list *l, struct db *db, const char *coll, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void folded_clear(struct folded_list *l) __attribute__((nonnull));
#define AUTO_FOLDED __attribute__((cleanup(folded_clear))) struct folded_list
#endif
