/*
 * store.h - the index's reads and guarded writes in MongoDB. docs/data-model/index.md has the
 * documents.
 */
#ifndef WORKERS_INDEX_STORE_H
#define WORKERS_INDEX_STORE_H
#include "common/index/week.h"
#include "workers/index/contribution.h"

struct store_source { /* who contributes, how new it is, and in which week */
    struct db *db;
    const char *raw_file;
    int64_t rev;
    int64_t week;
};

/*
 * Announce, before any of them is written, the entities that the list names and our week: the raw
 * file's own contribution takes our rev and adds them to "entities" and "weeks". Then the list gets
 * a tombstone for each other entity that is announced, and weeks all weeks that are announced or
 * that the contributions of the list are in now; those are announced, too. 1: all is announced; 0:
 * a higher rev was there, nothing of ours may be written.
 */
int store_announce(const struct store_source *s, struct contribution_list *list,
                   struct weeks *weeks, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Write each contribution over a lower or equal rev; a newer one stays, and that is success. */
int store_contribute(const struct store_source *s, const struct contribution_list *list,
                     struct err *err) __attribute__((nonnull, warn_unused_result));

/* Fold the live contributions of each entity of the list into its aggregate; where they are summed,
 * first these weeks. */
int store_fold(const struct store_source *s, const struct contribution_list *list,
               const struct weeks *weeks, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* All is folded: from now on the raw file's contribution names only the first n of the list, and
 * our week. */
int store_conclude(const struct store_source *s, const struct contribution_list *list, size_t n,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
