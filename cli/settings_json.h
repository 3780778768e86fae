/* settings_json.h - settings and assignments as JSON: both are known by their names, whatever ids
 * they have. */
#ifndef CLI_SETTINGS_JSON_H
#define CLI_SETTINGS_JSON_H
#include "common/db/doc_json.h"
#include "common/quant/settings_resolve.h"

/* "_id" is "<name>-v<version>". NULL when memory is short. */
json_t *settings_json(const bson_t *settings) OWNED __attribute__((nonnull));
/* "settings" is "<name>-v<version>" of what it refers to. NULL when memory is short. */
json_t *assignment_json(const struct settings_book *b, const bson_t *assignment) OWNED
    __attribute__((nonnull));
#endif
