/* difference.h - the update that turns one document into another. Pure; any thread. */
#ifndef COMMON_DB_DIFFERENCE_H
#define COMMON_DB_DIFFERENCE_H
#include <bson/bson.h>

#include "common/base/own.h"

/* {$set, $unset} of the fields at the top that differ, _id left out; NULL when none does.
 * bson_destroy. */
bson_t *doc_difference(const bson_t *before, const bson_t *after) OWNED __attribute__((nonnull));
#endif
