#include "common/db/difference.h"

#include <string.h>

#include "common/db/db.h"

static bool same_value(const bson_t *doc, bson_iter_t *want)
{
    bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
    bson_iter_t at;
    bool has = bson_iter_init_find(&at, doc, bson_iter_key(want));
    if (has) {
        BSON_APPEND_VALUE(&a, "v", bson_iter_value(&at));
        BSON_APPEND_VALUE(&b, "v", bson_iter_value(want));
    }
    bool same = has && bson_equal(&a, &b);
    bson_destroy(&a);
    bson_destroy(&b);
    return same;
}

bson_t *doc_difference(const bson_t *before, const bson_t *after)
{
    bson_t set = BSON_INITIALIZER, unset = BSON_INITIALIZER;
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, after) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (strcmp(bson_iter_key(&at), "_id") != 0 && !same_value(before, &at)) {
            BSON_APPEND_VALUE(&set, bson_iter_key(&at), bson_iter_value(&at));
        }
    }
    for (bool more = bson_iter_init(&at, before) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        if (!db_has_key(after, bson_iter_key(&at))) {
            BSON_APPEND_BOOL(&unset, bson_iter_key(&at), true);
        }
    }
    bson_t *update = bson_empty(&set) && bson_empty(&unset) ? NULL : bson_new();
    if (!bson_empty(&set)) {
        BSON_APPEND_DOCUMENT(update, "$set", &set);
    }
    if (!bson_empty(&unset)) {
        BSON_APPEND_DOCUMENT(update, "$unset", &unset);
    }
    bson_destroy(&set);
    bson_destroy(&unset);
    return update;
}
