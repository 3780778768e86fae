/*
 * import_convert.h - AlphaKraken's metrics, settings, projects and assignments as documents of ours
 * (docs/alphakraken.md). Ids stay. Pure; any thread. What is returned is freed with bson_destroy.
 */
#ifndef OPS_IMPORT_CONVERT_H
#define OPS_IMPORT_CONVERT_H
#include <bson/bson.h>
#include <stdbool.h>

#include "common/base/own.h"

#define IMPORT_WHY 200

/* Legacy names as they are called today, where no field has that name; nulls left out. rename: the
 * raw file's name is still as AlphaKraken wrote it, and is escaped. NULL: out of memory. */
bson_t *import_metrics(const bson_t *theirs, bool rename) OWNED __attribute__((nonnull));
/* Engines as they are called here, defaults where fields are missing. why: "", or what people must
 * know: that no program here can run it, so that it is archived. */
bson_t *import_settings(const bson_t *theirs, char why[static IMPORT_WHY]) OWNED
    __attribute__((nonnull));
/* Without the settings that projects once had. */
bson_t *import_project(const bson_t *theirs) OWNED __attribute__((nonnull));
/* Defaults where fields are missing. */
bson_t *import_assignment(const bson_t *theirs) OWNED __attribute__((nonnull));
#endif
