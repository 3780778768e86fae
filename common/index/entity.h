/*
 * entity.h - what the index knows of: raw files, their quantification results, projects and
 * instruments. Pure.
 */
#ifndef COMMON_INDEX_ENTITY_H
#define COMMON_INDEX_ENTITY_H
#include <stdbool.h>

#include "common/base/own.h"

enum entity_type {
    ENTITY_RAW_FILE,
    ENTITY_RESULT,
    ENTITY_PROJECT,
    ENTITY_INSTRUMENT,
    ENTITY_TYPE_COUNT
};

struct entity {
    enum entity_type type;
    const char *name;
};

/* "raw_files", "results", "projects", "instruments". */
const char *entity_type_name(enum entity_type t) __attribute__((returns_nonnull));

/* Whether one raw file alone contributes to an entity of this type. */
bool entity_type_is_single(enum entity_type t);

/* "<type>/<entity>": the aggregate's _id. free(); NULL when memory is short. */
char *entity_id(enum entity_type type, const char *entity) OWNED __attribute__((nonnull));
#endif
