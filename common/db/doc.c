/* doc.c - reading fields of a document at dotted paths, with a default instead of an error. */
#include <string.h>

#include "common/db/db.h"

static bool find(const bson_t *doc, const char *path, bson_iter_t *at)
{
    bson_iter_t top;
    return bson_iter_init(&top, doc) && bson_iter_find_descendant(&top, path, at);
}

const char *doc_str(const bson_t *doc, const char *path, const char *or_else)
{
    bson_iter_t at;
    return find(doc, path, &at) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : or_else;
}

int64_t doc_i64(const bson_t *doc, const char *path, int64_t or_else)
{
    bson_iter_t at;
    if (!find(doc, path, &at)) {
        return or_else;
    }
    if (BSON_ITER_HOLDS_DATE_TIME(&at)) {
        return bson_iter_date_time(&at);
    }
    return BSON_ITER_HOLDS_NUMBER(&at) ? bson_iter_as_int64(&at) : or_else;
}

double doc_f64(const bson_t *doc, const char *path, double or_else)
{
    bson_iter_t at;
    return find(doc, path, &at) && BSON_ITER_HOLDS_NUMBER(&at) ? bson_iter_as_double(&at) : or_else;
}

bool doc_bool(const bson_t *doc, const char *path, bool or_else)
{
    bson_iter_t at;
    return find(doc, path, &at) && BSON_ITER_HOLDS_BOOL(&at) ? bson_iter_bool(&at) : or_else;
}

bool doc_has(const bson_t *doc, const char *path)
{
    bson_iter_t at;
    return find(doc, path, &at) && !BSON_ITER_HOLDS_NULL(&at);
}

bool doc_says(const bson_t *doc, const char *path, const char *text)
{
    return *text != '\0' && strcmp(doc_str(doc, path, ""), text) == 0;
}

bool doc_sub(const bson_t *doc, const char *path, bson_t *view)
{
    bson_iter_t at;
    if (!find(doc, path, &at)) {
        return false;
    }
    const uint8_t *data = NULL;
    uint32_t len = 0;
    if (BSON_ITER_HOLDS_DOCUMENT(&at)) {
        bson_iter_document(&at, &len, &data);
    } else if (BSON_ITER_HOLDS_ARRAY(&at)) {
        bson_iter_array(&at, &len, &data);
    }
    return data != NULL && bson_init_static(view, data, len);
}

void db_append_keys(bson_t *array, const bson_t *set)
{
    bson_iter_t at;
    uint32_t n = 0;
    for (bool more = bson_iter_init(&at, set) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        char room[16];
        const char *key;
        size_t len = bson_uint32_to_string(n++, &key, room, sizeof room);
        bson_append_utf8(array, key, (int)len, bson_iter_key(&at), -1);
    }
}

bool db_has_key(const bson_t *doc, const char *key)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, doc, key);
}
