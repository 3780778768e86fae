#include "ops/act.h"

struct write {
    struct db *db;
    const char *coll;
    const bson_t *filter, *doc; /* doc: to insert, or the update; NULL: delete */
};

int act_run(const struct act *a, audit_fn *run, void *ctx, bool *won, struct err *err)
{
    const struct audit_act act = {.verb = a->verb,
                                  .target = a->target,
                                  .by = a->ops->by,
                                  .why = a->ops->why,
                                  .before = a->before,
                                  .run = run,
                                  .ctx = ctx};
    return audit_make(a->ops->db, &act, won, err);
}

static int run_insert(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct write *w = ctx;
    bson_concat(after, w->doc);
    return db_insert(w->db, w->coll, w->doc, won, err);
}

static int run_update(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct write *w = ctx;
    bson_t set;
    if (doc_sub(w->doc, "$set", &set)) {
        bson_concat(after, &set);
    }
    return db_update(w->db, w->coll, w->filter, w->doc, won, err);
}

static int run_delete(void *ctx, bool *won, bson_t *after, struct err *err)
{
    (void)after;
    const struct write *w = ctx;
    int64_t n = 0;
    int rc = db_delete(w->db, w->coll, w->filter, &n, err);
    *won = n > 0;
    return rc;
}

int act_insert(const struct act *a, const char *coll, const bson_t *doc, bool *won, struct err *err)
{
    struct write w = {.db = a->ops->db, .coll = coll, .doc = doc};
    return act_run(a, run_insert, &w, won, err);
}

int act_update(const struct act *a, const char *coll, const bson_t *filter, const bson_t *change,
               bool *won, struct err *err)
{
    struct write w = {.db = a->ops->db, .coll = coll, .filter = filter, .doc = change};
    return act_run(a, run_update, &w, won, err);
}

int act_delete(const struct act *a, const char *coll, const bson_t *filter, bool *won,
               struct err *err)
{
    struct write w = {.db = a->ops->db, .coll = coll, .filter = filter};
    return act_run(a, run_delete, &w, won, err);
}
