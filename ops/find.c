/* find.c - from what the operator typed to a document. */
#include "ops/find.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/path.h"
#include "common/db/docs.h"

#define CANDIDATES_MAX 6
#define LAST_CHAR      "\xf4\x8f\xbf\xbf" /* U+10FFFF sorts after every name */

static struct docs *few(struct cli *c, bson_t *filter, struct err *err)
{
    AUTO(bson_destroy) bson_t *own = filter;
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("limit", BCON_INT64(CANDIDATES_MAX), "sort", "{", "_id", BCON_INT32(1), "}");
    return docs_read(c->db, &(struct docs_query){DB_RAW_FILES, own, opts}, err);
}

/* Names that begin so, as id or as original name. */
static bson_t *begins(const char *prefix, const char *end)
{
    return BCON_NEW("$or", "[", "{", "_id", "{", "$gte", BCON_UTF8(prefix), "$lt", BCON_UTF8(end),
                    "}", "}", "{", "original_name", "{", "$gte", BCON_UTF8(prefix), "$lt",
                    BCON_UTF8(end), "}", "}", "]");
}

static enum cli_exit ambiguous(const char *name, const struct docs *d, struct err *err)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < d->n && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                         i + 1 == CANDIDATES_MAX ? "…" : doc_str(d->items[i], "_id", "?"));
        used += n > 0 ? (size_t)n : 0;
    }
    return cli_fail(err, CLI_MISSING, "'%s' is more than one raw file, give the id: %s", name,
                    list);
}

struct search {
    struct cli *c;
    const char *name; /* as typed */
};

/* CLI_OK with *out = NULL when nothing matches. Takes filter. */
static enum cli_exit only_one(const struct search *s, bson_t *filter, bson_t **out, struct err *err)
{
    AUTO(docs_free) struct docs *d = few(s->c, filter, err);
    if (d == NULL) {
        return cli_exit_of(err);
    }
    if (d->n > 1) {
        return ambiguous(s->name, d, err);
    }
    *out = d->n == 1 ? bson_copy(d->items[0]) : NULL;
    return CLI_OK;
}

static enum cli_exit look_up(const struct search *s, const char *name, bson_t **out,
                             struct err *err)
{
    AUTO(free) char *end = NULL;
    if (asprintf(&end, "%s" LAST_CHAR, name) < 0) {
        end = NULL;
        return cli_fail(err, CLI_AWAY, "out of memory");
    }
    bson_t *filters[] = {
        BCON_NEW("_id", BCON_UTF8(name)),
        BCON_NEW("original_name", BCON_UTF8(name)),
        begins(name, end),
    };
    enum cli_exit e = CLI_OK;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (e == CLI_OK && *out == NULL) {
            e = only_one(s, filters[i], out, err);
        } else {
            bson_destroy(filters[i]);
        }
    }
    return e;
}

enum cli_exit find_raw_file(struct cli *c, const char *name, bson_t **out, struct err *err)
{
    *out = NULL;
    const struct search s = {c, name};
    enum cli_exit e = CLI_OK;
    AUTO(free) char *escaped = path_escape(name);
    bool as_typed = bson_utf8_validate(name, strlen(name), false);
    if (*name != '\0' && as_typed) {
        e = look_up(&s, name, out, err);
    }
    if (e == CLI_OK && *out == NULL && escaped != NULL && strcmp(escaped, name) != 0) {
        e = look_up(&s, escaped, out, err);
    }
    if (e == CLI_OK && *out == NULL) {
        return cli_fail(err, CLI_MISSING, "there is no raw file '%s'; trawl ls lists them",
                        escaped != NULL ? escaped : "");
    }
    return e;
}

enum cli_exit find_task(struct cli *c, const char *id, bson_t **out, struct err *err)
{
    *out = NULL;
    if (bson_utf8_validate(id, strlen(id), false) &&
        db_find_id(c->db, DB_TASKS, id, out, err) != 0) {
        return cli_exit_of(err);
    }
    if (*out == NULL) {
        return cli_fail(err, CLI_MISSING, "there is no task '%s'; trawl task ls lists them", id);
    }
    return CLI_OK;
}
