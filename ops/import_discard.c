/*
 * import_discard.c - the end of a shadow: what it has seen is AlphaKraken's to say.
 *
 * It has begun no task, so what it planned can go. What people defined in it, and AlphaKraken does
 * not have, is named in the report.
 */
#include <string.h>

#include "common/raw/raw_file_import.h"
#include "ops/import_internal.h"

#define AT_ONCE 500

/* A task that was admitted has a fence, whatever became of it; what people have skipped or
 * cancelled has none. */
static int check_idle(struct importing *i, struct err *err)
{
    AUTO(bson_destroy) bson_t *one = NULL;
    AUTO(bson_destroy)
    bson_t *begun = BCON_NEW("state", "{", "$gt", "", "}", "fence", "{", "$gt", BCON_INT64(0), "}");
    if (db_find_one(i->o->db, DB_TASKS, begun, &one, err) != 0) {
        return -1;
    }
    return one == NULL ? 0
                       : ERR(err, ERR_REFUSED, 0,
                             "the task %.100s was begun in this shadow, which begins none, so it "
                             "may have copied or removed files: name a new database in [mongo] "
                             "database, and import into that with --from",
                             doc_str(one, "_id", "?"));
}

/* --- what people defined --- */

static bool has_id(const struct docs *d, const bson_t *doc)
{
    for (size_t i = 0; i < d->n; i++) {
        if (importing_same_id(d->items[i], doc)) {
            return true;
        }
    }
    return false;
}

static int note_defined(struct importing *i, enum import_kind kind, struct err *err)
{
    const char *coll = import_kind_name(kind);
    i->kind = kind;
    AUTO(docs_free)
    struct docs *ours = docs_read(i->o->db, &(struct docs_query){.coll = coll}, err);
    AUTO(docs_free)
    struct docs *theirs =
        ours != NULL ? docs_read(i->source, &(struct docs_query){.coll = coll}, err) : NULL;
    int rc = theirs != NULL ? 0 : -1;
    for (size_t k = 0; rc == 0 && k < ours->n; k++) {
        if (!has_id(theirs, ours->items[k])) {
            rc = importing_note(i, "discarded", ours->items[k],
                                "it was made in the shadow, AlphaKraken does not have it", err);
        }
    }
    return rc;
}

static int drop_defined(struct importing *i, enum import_kind kind, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    int64_t n;
    if (note_defined(i, kind, err) != 0) {
        return -1;
    }
    return i->ask->dry ? 0
           : importing_writes(i, IMPORT_WRITES_SHADOW, err) != 0
               ? -1
               : db_delete(i->o->db, import_kind_name(kind), &all, &n, err);
}

/* --- what it has seen and planned --- */

static int drop_up_to(struct importing *i, const char *coll, const char *last, struct err *err)
{
    int64_t n;
    if (strcmp(coll, DB_RAW_FILES) == 0) {
        return raw_file_import_discard(i->o->db, last, err);
    }
    AUTO(bson_destroy)
    bson_t *some = BCON_NEW("_id", "{", "$gt", "", "$lte", BCON_UTF8(last), "}");
    return db_delete(i->o->db, coll, some, &n, err);
}

/* Some at a time: no command lasts long, and the lease is renewed. */
static int drop_all(struct importing *i, const char *coll, int64_t *dropped, struct err *err)
{
    AUTO(bson_destroy) bson_t *texts = BCON_NEW("_id", "{", "$gt", "", "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(AT_ONCE),
                            "projection", "{", "_id", BCON_INT32(1), "}");
    if (i->ask->dry) {
        return db_estimate(i->o->db, coll, dropped, err);
    }
    for (;;) {
        AUTO(docs_free)
        struct docs *some = docs_read(i->o->db, &(struct docs_query){coll, texts, opts}, err);
        if (some == NULL || some->n == 0) {
            return some != NULL ? 0 : -1;
        }
        const char *last = doc_str(some->items[some->n - 1], "_id", "");
        if (importing_writes(i, IMPORT_WRITES_SHADOW, err) != 0 ||
            drop_up_to(i, coll, last, err) != 0) {
            return -1;
        }
        *dropped += (int64_t)some->n;
    }
}

int importing_discard(struct importing *i, struct err *err)
{
    if (!i->ask->dry && importing_is_behind_shadow(i)) {
        return 0;
    }
    return check_idle(i, err) != 0 ||
                   drop_all(i, DB_RAW_FILES, &i->out->dropped_raw_files, err) != 0 ||
                   drop_all(i, DB_TASKS, &i->out->dropped_tasks, err) != 0 ||
                   drop_defined(i, IMPORT_ASSIGNMENTS, err) != 0 ||
                   drop_defined(i, IMPORT_SETTINGS, err) != 0 ||
                   drop_defined(i, IMPORT_PROJECTS, err) != 0
               ? -1
               : 0;
}
