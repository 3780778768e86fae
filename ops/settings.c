#include "ops/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/suggest.h"
#include "common/db/named.h"
#include "ops/facts.h"

struct docs *settings_versions(const struct ops *o, const char *name, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = bson_new();
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "name", BCON_INT32(1), "version", BCON_INT32(-1), "}");
    if (*name != '\0') {
        BSON_APPEND_UTF8(filter, "name", name);
    }
    struct docs *d =
        docs_read_by(o->db, &(struct docs_query){DB_SETTINGS, filter, opts}, settings_add, err);
    if (d != NULL) {
        named_drop_twins(d);
    }
    return d;
}

/* "<name>-v<n>" -> name and n; n = 0: any. */
static void split_version(const char *typed, char name[static SETTINGS_ID_MAX], int64_t *version)
{
    snprintf(name, SETTINGS_ID_MAX, "%s", typed);
    char *dash = strrchr(name, '-');
    *version = 0;
    if (dash != NULL && dash[1] == 'v' && dash[2 + strspn(dash + 2, "0123456789")] == '\0') {
        *version = strtoll(dash + 2, NULL, 10);
        *dash = '\0';
    }
}

static const bson_t *choose_version(const struct docs *d, int64_t version)
{
    for (size_t i = 0; i < d->n; i++) {
        bool active = strcmp(doc_str(d->items[i], "status", "active"), "active") == 0;
        if (version > 0 ? doc_i64(d->items[i], "version", 1) == version : active) {
            return d->items[i];
        }
    }
    return version == 0 && d->n > 0 ? d->items[0] : NULL;
}

#define NAMES_MAX 200

static int err_unknown(const struct ops *o, const char *typed, const char *name, struct err *err)
{
    const char *names[NAMES_MAX + 1] = {0};
    char meant[SUGGEST_MAX];
    AUTO(docs_free) struct docs *all = settings_versions(o, "", err);
    if (all == NULL) {
        return -1;
    }
    for (size_t i = 0; i < all->n && i < NAMES_MAX; i++) {
        names[i] = doc_str(all->items[i], "name", "?");
    }
    return ERR(err, ERR_MISSING, 0, "there are no settings '%s'%s trawl settings ls lists them",
               typed, suggest_text(name, names, "", meant));
}

int settings_find(const struct ops *o, const char *name, bson_t **out, struct err *err)
{
    char plain[SETTINGS_ID_MAX];
    int64_t version;
    split_version(name, plain, &version);
    *out = NULL;
    if (!bson_utf8_validate(plain, strlen(plain), false)) {
        return ERR(err, ERR_MISSING, 0, "there are no settings of that name");
    }
    AUTO(docs_free) struct docs *d = settings_versions(o, plain, err);
    if (d == NULL) {
        return -1;
    }
    const bson_t *found = choose_version(d, version);
    if (*plain == '\0' || found == NULL) {
        return err_unknown(o, name, plain, err);
    }
    *out = bson_copy(found);
    return 0;
}

int project_find(const struct ops *o, const char *id, bson_t **out, struct err *err)
{
    *out = NULL;
    if (bson_utf8_validate(id, strlen(id), false) &&
        db_find_id(o->db, DB_PROJECTS, id, out, err) != 0) {
        return -1;
    }
    return *out != NULL ? 0
                        : ERR(err, ERR_MISSING, 0,
                              "there is no project '%s'; trawl project ls lists them", id);
}

int instrument_vendor(const struct ops *o, const char *id, char buf[static 16], struct err *err)
{
    struct err not_here = {0};
    AUTO(instrument_free) struct instrument *i = facts_instrument(o, id, &not_here);
    AUTO(bson_destroy) bson_t *seen = NULL;
    if (i == NULL && db_find_id(o->db, DB_WATCHES, id, &seen, err) != 0) {
        return -1;
    }
    snprintf(buf, 16, "%s",
             i != NULL      ? instrument_type_name(i->type)
             : seen != NULL ? doc_str(seen, "type", "")
                            : "");
    return 0;
}
