/* find.c - finds the document that an operator's words mean. */
#include "ops/find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/db/docs.h"

#define CANDIDATES_MAX 6
#define LAST_CHAR      "\xf4\x8f\xbf\xbf" /* U+10FFFF sorts after every name */

/* In the order of the field that the filter asks for. */
static struct docs *find_candidates(const struct ops *o, bson_t *filter, struct err *err)
{
    AUTO(bson_destroy) bson_t *own = filter;
    bson_iter_t first;
    bool any = bson_iter_init(&first, own) && bson_iter_next(&first);
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("limit", BCON_INT64(CANDIDATES_MAX), "sort", "{",
                            any ? bson_iter_key(&first) : "_id", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_RAW_FILES, own, opts}, err);
}

/* Raw files whose id or original name begins with these words. */
static struct docs *find_beginning(const struct ops *o, const char *words, const char *end,
                                   struct err *err)
{
    AUTO(docs_free) struct docs *all = docs_new(err);
    const char *const fields[] = {"_id", "original_name"};
    for (size_t f = 0; all != NULL && f < sizeof fields / sizeof *fields; f++) {
        bson_t *begins =
            BCON_NEW(fields[f], "{", "$gte", BCON_UTF8(words), "$lt", BCON_UTF8(end), "}");
        AUTO(docs_free) struct docs *some = find_candidates(o, begins, err);
        if (some == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < some->n && all->n < CANDIDATES_MAX; i++) {
            if (docs_by_id(all, doc_str(some->items[i], "_id", "")) == NULL &&
                docs_add(all, some->items[i], err) != 0) {
                return NULL;
            }
        }
    }
    return TAKE(all);
}

static int err_ambiguous(const char *name, const struct docs *d, struct err *err)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < d->n && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                         i + 1 == CANDIDATES_MAX ? "…" : doc_str(d->items[i], "_id", "?"));
        used += n > 0 ? (size_t)n : 0;
    }
    return ERR(err, ERR_MISSING, 0, "'%s' fits more than one raw file, give the id of one: %s",
               name, list);
}

struct search {
    const struct ops *o;
    const char *name; /* as typed */
};

/* 0 with *out = NULL when nothing matches. Takes found; NULL: *err is set. */
static int only_one(const struct search *s, struct docs *found, bson_t **out, struct err *err)
{
    AUTO(docs_free) struct docs *d = found;
    if (d == NULL) {
        return -1;
    }
    if (d->n > 1) {
        return err_ambiguous(s->name, d, err);
    }
    *out = d->n == 1 ? bson_copy(d->items[0]) : NULL;
    return 0;
}

static int find_by_name(const struct search *s, const char *name, bson_t **out, struct err *err)
{
    AUTO(free) char *end = NULL;
    if (asprintf(&end, "%s" LAST_CHAR, name) < 0) {
        end = NULL;
        return err_no_memory(err);
    }
    const char *const fields[] = {"_id", "original_name"};
    int rc = 0;
    for (size_t f = 0; f < sizeof fields / sizeof *fields && rc == 0 && *out == NULL; f++) {
        bson_t *is = BCON_NEW(fields[f], BCON_UTF8(name));
        rc = only_one(s, find_candidates(s->o, is, err), out, err);
    }
    return rc == 0 && *out == NULL ? only_one(s, find_beginning(s->o, name, end, err), out, err)
                                   : rc;
}

int find_raw_file(const struct ops *o, const char *name, bson_t **out, struct err *err)
{
    *out = NULL;
    const struct search s = {o, name};
    int rc = 0;
    AUTO(free) char *escaped = path_escape(name);
    bool as_typed = bson_utf8_validate(name, strlen(name), false);
    if (*name != '\0' && as_typed) {
        rc = find_by_name(&s, name, out, err);
    }
    if (rc == 0 && *out == NULL && escaped != NULL && strcmp(escaped, name) != 0) {
        rc = find_by_name(&s, escaped, out, err);
    }
    if (rc == 0 && *out == NULL) {
        return ERR(err, ERR_MISSING, 0, "there is no raw file '%s'; trawl ls lists them",
                   escaped != NULL ? escaped : "");
    }
    return rc;
}

int find_task(const struct ops *o, const char *id, bson_t **out, struct err *err)
{
    *out = NULL;
    if (bson_utf8_validate(id, strlen(id), false) &&
        db_find_id(o->db, DB_TASKS, id, out, err) != 0) {
        return -1;
    }
    if (*out == NULL) {
        return ERR(err, ERR_MISSING, 0, "there is no task '%s'; trawl task ls lists them", id);
    }
    return 0;
}
