/* raw_file_internal.h - what the raw file's changes have in common. Private to raw_file*.c. */
#ifndef COMMON_RAW_RAW_FILE_INTERNAL_H
#define COMMON_RAW_RAW_FILE_INTERNAL_H
#include "common/raw/raw_file.h"

/* A change that the index must see: the rest of $set, and $inc. */
void raw_append_change(bson_t *set, bson_t *update) __attribute__((nonnull));
/* Matches the raw file as it was read; a document of AlphaKraken's has no rev. */
bson_t *raw_guard(const bson_t *rf) OWNED __attribute__((nonnull));
void raw_append_original(bson_t *set, const struct raw_original *o) __attribute__((nonnull));
#endif
