/*
 * store.h - the index's reads and guarded writes in MongoDB. docs/data-model.md has the documents.
 */
#ifndef WORKERS_INDEX_STORE_H
#define WORKERS_INDEX_STORE_H
#include "workers/index/contribution.h"

struct store_source { /* who contributes, and how new it is */
    struct db *db;
    const char *raw_file;
    int64_t rev;
};

/*
 * Announce, before any of them is written, the entities that the list names: the raw file's own
 * contribution takes our rev and adds them to "entities". *before = all that it names now (array;
 * bson_destroy), or NULL when a higher rev was there: then nothing of ours may be written.
 */
int store_announce(const struct store_source *s, const struct contribution_list *list,
                   bson_t **before, struct err *err) __attribute__((nonnull, warn_unused_result));

/* Write one contribution over a lower or equal rev; a newer one stays, and that is success. */
int store_contribute(const struct store_source *s, const struct contribution *c, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Fold the live contributions of c's entity into its aggregate. */
int store_fold(const struct store_source *s, const struct contribution *c, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* All is folded: the raw file's contribution names from now on only the first n of the list. */
int store_conclude(const struct store_source *s, const struct contribution_list *list, size_t n,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
