/*
 * import_ids.h - the ids of the raw files that an import has come by, and which of them it did not
 * take: some 60 bytes each. One thread; freed with import_ids_clear.
 */
#ifndef OPS_IMPORT_IDS_H
#define OPS_IMPORT_IDS_H
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct import_id {
    char *text;
    bool refused;
    bool noted; /* the caller's */
};

struct import_ids { /* zeroed is empty */
    struct import_id *at;
    size_t n;
    bool sorted;
};

/* One that is added twice is refused if it was so once. */
int import_ids_add(struct import_ids *ids, const char *id, bool refused, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Borrowed until the next import_ids_add; NULL: it was not added. */
struct import_id *import_ids_find(struct import_ids *ids, const char *id) __attribute__((nonnull));
void import_ids_clear(struct import_ids *ids) __attribute__((nonnull));
#endif
