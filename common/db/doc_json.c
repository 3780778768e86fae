/* doc_json.c - documents as JSON, for scripts. */
#include <math.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/path.h"
#include "common/db/doc_json.h"
#include "common/db/named.h"

json_t *json_text(const char *s)
{
    if (s == NULL || *s == '\0') {
        return json_null();
    }
    json_t *text = json_string(s);
    if (text == NULL) { /* not UTF-8 */
        AUTO(free) char *escaped = path_escape(s);
        text = escaped != NULL ? json_string(escaped) : NULL;
    }
    return text;
}

json_t *json_date(int64_t ms)
{
    char buf[32];
    return ms == 0 ? json_null() : json_string(wall_iso(ms, buf, sizeof buf));
}

static json_t *of_oid(const bson_iter_t *at)
{
    char hex[25];
    bson_oid_to_string(bson_iter_oid(at), hex);
    return json_string(hex);
}

static json_t *of_nested(const bson_iter_t *at)
{
    const uint8_t *data = NULL;
    uint32_t len = 0;
    bson_t view;
    bool array = BSON_ITER_HOLDS_ARRAY(at);
    if (array) {
        bson_iter_array(at, &len, &data);
    } else {
        bson_iter_document(at, &len, &data);
    }
    if (data == NULL || !bson_init_static(&view, data, len)) {
        return json_null();
    }
    return array ? json_of_array(&view) : json_of_doc(&view);
}

static json_t *of_value(const bson_iter_t *at)
{
    switch ((int)bson_iter_type(at)) {
    case BSON_TYPE_UTF8: {
        json_t *text = json_string(bson_iter_utf8(at, NULL));
        return text != NULL ? text : json_text(bson_iter_utf8(at, NULL));
    }
    case BSON_TYPE_INT32:
        return json_integer(bson_iter_int32(at));
    case BSON_TYPE_INT64:
        return json_integer(bson_iter_int64(at));
    case BSON_TYPE_DOUBLE: {
        double n = bson_iter_double(at);
        return isfinite(n) ? json_real(n) : json_null();
    }
    case BSON_TYPE_BOOL:
        return json_boolean(bson_iter_bool(at));
    case BSON_TYPE_DATE_TIME:
        return json_date(bson_iter_date_time(at));
    case BSON_TYPE_OID:
        return of_oid(at);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return of_nested(at);
    default: /* types that we never write */
        return json_null();
    }
}

json_t *json_of_doc(const bson_t *doc)
{
    AUTO(json_decref) json_t *out = json_object();
    bson_iter_t at;
    if (out == NULL || !bson_iter_init(&at, doc)) {
        return TAKE(out);
    }
    while (bson_iter_next(&at)) {
        if (json_object_set_new(out, bson_iter_key(&at), of_value(&at)) != 0) {
            return NULL;
        }
    }
    return TAKE(out);
}

json_t *json_of_array(const bson_t *array)
{
    AUTO(json_decref) json_t *out = json_array();
    bson_iter_t at;
    if (out == NULL || !bson_iter_init(&at, array)) {
        return TAKE(out);
    }
    while (bson_iter_next(&at)) {
        if (json_array_append_new(out, of_value(&at)) != 0) {
            return NULL;
        }
    }
    return TAKE(out);
}

static json_t *of_each(const struct docs *d, json_t *(*of)(const bson_t *))
{
    AUTO(json_decref) json_t *out = json_array();
    for (size_t i = 0; out != NULL && i < d->n; i++) {
        if (json_array_append_new(out, of(d->items[i])) != 0) {
            return NULL;
        }
    }
    return TAKE(out);
}

json_t *json_of_docs(const struct docs *d)
{
    return of_each(d, json_of_doc);
}

json_t *json_of_named(const bson_t *doc)
{
    char buf[NAMED_ROOM];
    AUTO(json_decref) json_t *out = json_of_doc(doc);
    if (out == NULL || json_object_set_new(out, "_id", json_text(named_name(doc, buf))) != 0) {
        return NULL;
    }
    json_object_del(out, NAMED_FIELD);
    json_object_del(out, NAMED_MIGRATING);
    return TAKE(out);
}

json_t *json_of_all_named(const struct docs *d)
{
    return of_each(d, json_of_named);
}

int json_print(json_t *root, FILE *out, struct err *err)
{
    AUTO(json_decref) json_t *own = root;
    if (own == NULL) {
        return err_no_memory(err);
    }
    /* A write error shows in ferror(out), which main.c looks at. */
    (void)json_dumpf(own, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputc('\n', out);
    return 0;
}
