#include "common/index/entity.h"

#include <assert.h>
#include <stdio.h>

static const char *const type_names[] = {
    [ENTITY_RAW_FILE] = "raw_files",
    [ENTITY_RESULT] = "results",
    [ENTITY_PROJECT] = "projects",
    [ENTITY_INSTRUMENT] = "instruments",
};
static_assert(sizeof type_names / sizeof *type_names == ENTITY_TYPE_COUNT, "a name for every type");

const char *entity_type_name(enum entity_type t)
{
    return type_names[t];
}

bool entity_type_is_single(enum entity_type t)
{
    return t == ENTITY_RAW_FILE || t == ENTITY_RESULT;
}

char *entity_id(enum entity_type type, const char *entity)
{
    char *id = NULL;
    return asprintf(&id, "%s/%s", type_names[type], entity) < 0 ? NULL : id;
}
