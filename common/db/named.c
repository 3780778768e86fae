/* named.c - names in place of ids, whichever kind of `_id` a document has. */
#include "common/db/named.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"

void named_oid(const char *name, bson_oid_t *out)
{
    char hex[HASH_XXH_HEX];
    hash_mem(name, strlen(name), hex);
    hex[NAMED_ROOM - 1] = '\0';
    bson_oid_init_from_string(out, hex);
}

bson_t *named_new(const char *name)
{
    bson_oid_t id;
    named_oid(name, &id);
    return BCON_NEW("_id", BCON_OID(&id), NAMED_FIELD, BCON_UTF8(name));
}

/* The object id of a field; false when it has another type. */
static bool get_oid(const bson_t *doc, const char *field, bson_oid_t *out)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, doc, field) || !BSON_ITER_HOLDS_OID(&at)) {
        return false;
    }
    bson_oid_copy(bson_iter_oid(&at), out);
    return true;
}

const char *named_name(const bson_t *doc, char buf[static NAMED_ROOM])
{
    bson_oid_t id;
    const char *name = doc_str(doc, NAMED_FIELD, doc_str(doc, "_id", ""));
    if (*name == '\0' && get_oid(doc, "_id", &id)) {
        bson_oid_to_string(&id, buf);
        return buf;
    }
    return name;
}

/* The `_id` that is made of the name of a document of an earlier version, or the one it has. */
static bool find_oid(const bson_t *doc, bson_oid_t *out)
{
    const char *name = doc_str(doc, "_id", "");
    if (*name != '\0') {
        named_oid(name, out);
        return true;
    }
    return get_oid(doc, "_id", out);
}

bool named_is_meant(const bson_t *doc, const bson_t *holder, const char *field)
{
    char buf[NAMED_ROOM];
    bson_oid_t ref, id;
    if (get_oid(holder, field, &ref)) {
        return find_oid(doc, &id) && bson_oid_equal(&ref, &id);
    }
    const char *name = doc_str(holder, field, "");
    return *name != '\0' && strcmp(named_name(doc, buf), name) == 0;
}

void named_append_ref(bson_t *out, const char *field, const bson_t *doc)
{
    bson_oid_t id;
    if (find_oid(doc, &id)) {
        BSON_APPEND_OID(out, field, &id);
    }
}

bson_t *named_filter(const bson_t *doc)
{
    bson_iter_t at;
    bson_t *filter = bson_new();
    if (bson_iter_init_find(&at, doc, "_id")) {
        bson_append_iter(filter, "_id", -1, &at);
    }
    BSON_APPEND_NULL(filter, NAMED_MIGRATING);
    return filter;
}

/* --- twins --- */

struct twin {
    const char *name;
    size_t at; /* among the documents */
    bool text; /* its `_id` is the name */
};

static int by_name(const void *a, const void *b)
{
    const struct twin *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (int)y->text - (int)x->text; /* the text first */
}

void named_drop_twins(struct docs *d)
{
    struct twin *all = d->n > 1 ? bson_malloc0(d->n * sizeof *all) : NULL;
    size_t kept = 0;
    for (size_t i = 0; all != NULL && i < d->n; i++) {
        const char *id = doc_str(d->items[i], "_id", "");
        all[i] = (struct twin){doc_str(d->items[i], NAMED_FIELD, id), i, *id != '\0'};
    }
    if (all != NULL) {
        qsort(all, d->n, sizeof *all, by_name);
    }
    for (size_t i = 0; all != NULL && i + 1 < d->n; i++) {
        if (all[i].text && !all[i + 1].text && strcmp(all[i].name, all[i + 1].name) == 0) {
            bson_destroy(d->items[all[i].at]);
            d->items[all[i].at] = NULL;
        }
    }
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i] != NULL) {
            d->items[kept++] = d->items[i];
        }
    }
    d->n = kept;
    bson_free(all);
}
