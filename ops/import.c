/*
 * import.c - an import from its beginning to its end.
 *
 * "imports/alphakraken" says "running" before the first write, and "done" after the last: in
 * between, schedulers step aside and verbs refuse the database (common/raw/database_owner.h). Then
 * it takes the leader's lease, so that no scheduler, and no other import, works beside it. At the
 * end it makes the pools, by which a database is Trawl's.
 */
#include "ops/import.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/schema.h"
#include "common/raw/database_owner.h"
#include "common/raw/raw_file_import.h"
#include "common/task/audit.h"
#include "common/task/pool.h"
#include "ops/import_internal.h"

#define SOURCE_MS 600000
#define TICK_MS   200
#define LEASE_TTL                                                                                  \
    4 /* times the lease's time to live: how long to wait for a leader to step aside */

void import_report_clear(struct import_report *r)
{
    docs_clear(&r->notes);
    *r = (struct import_report){0};
}

/* --- where from --- */

static int parse_source(const char *text, char *database, size_t room, struct err *err)
{
    const char *host = strstr(text, "://");
    const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;
    size_t len = path != NULL ? strcspn(path + 1, "?") : 0;
    if (len == 0 || len >= room) {
        return ERR(err, ERR_INVALID, 0,
                   "--from must be a connection string that ends with the database, as in "
                   "mongodb://host:27017/krakendb");
    }
    snprintf(database, room, "%.*s", (int)len, path + 1);
    return 0;
}

int importing_open(struct importing *i, struct db **own, struct err *err)
{
    i->in_place = i->ask->from == NULL;
    if (i->in_place) {
        i->source = i->o->db;
        snprintf(i->from, sizeof i->from, "%s", i->o->cfg->mongo.database);
        return 0;
    }
    if (parse_source(i->ask->from, i->from, sizeof i->from, err) != 0) {
        return -1;
    }
    struct config cfg = *i->o->cfg; /* borrows, as db_new does not keep it */
    AUTO(free) char *uri = strdup(i->ask->from);
    cfg.mongo.uri = uri;
    cfg.mongo.database = i->from;
    cfg.mongo.timeout_ms = SOURCE_MS; /* AlphaKraken has no index for what is asked */
    i->source = *own = uri != NULL ? db_new(&cfg, "trawl-import", err) : NULL;
    return i->source != NULL ? db_ping(i->source, err) : -1;
}

/* --- one at a time --- */

/* Until the leader, which sees the mark, has stepped aside. */
static int take_lease(struct importing *i, struct err *err)
{
    char holder[160];
    int64_t ttl = i->o->cfg->scheduler.lease_ms, until = mono_ms() + LEASE_TTL * ttl;
    snprintf(holder, sizeof holder, "trawl import, %.100s, %d", i->o->by, (int)getpid());
    i->lease = lease_new(i->o->db, "scheduler", holder, ttl, err);
    while (i->lease != NULL && mono_ms() < until) {
        if (lease_tick(i->lease, err) != 0) {
            return -1;
        }
        if (lease_held(i->lease)) {
            return 0;
        }
        usleep(TICK_MS * 1000);
    }
    return i->lease == NULL
               ? -1
               : ERR(err, ERR_REFUSED, 0,
                     "a scheduler of an earlier version, or another import, holds this "
                     "database: stop it, then run trawl import again");
}

static bson_t *mark_filter(void)
{
    return BCON_NEW("_id", IMPORT_ALPHAKRAKEN);
}

static bool was_in(const bson_t *mark, const char *state)
{
    return mark != NULL && strcmp(doc_str(mark, "state", ""), state) == 0;
}

/* Whether the database is in a state for what is asked. */
static int check_mark(struct importing *i, const bson_t *was, struct err *err)
{
    if (was_in(was, IMPORT_RUNNING)) {
        i->ends_shadow |= doc_bool(was, "switch", false);
        return strcmp(doc_str(was, "from", ""), i->from) == 0
                   ? 0
                   : ERR(err, ERR_REFUSED, 0,
                         "the import from '%.60s' has not ended: end that first, with the --from "
                         "that it had",
                         doc_str(was, "from", "?"));
    }
    if (was_in(was, IMPORT_SHADOW) != i->ends_shadow) {
        return ERR(err, ERR_REFUSED, 0,
                   i->ends_shadow ? "there is no shadow to end: leave out --switch"
                                  : "this is a shadow's database: --switch imports and ends it");
    }
    return 0;
}

/* *was: the mark before, or NULL. */
static int set_mark(struct importing *i, int64_t now, bson_t **was, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = mark_filter();
    if (db_find_id(i->o->db, DB_IMPORTS, IMPORT_ALPHAKRAKEN, was, err) != 0 ||
        check_mark(i, *was, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "state", IMPORT_RUNNING, "from", BCON_UTF8(i->from),
                              "by", BCON_UTF8(i->o->by), "switch", BCON_BOOL(i->ends_shadow),
                              "began_at", BCON_DATE_TIME(now), "}");
    return db_upsert(i->o->db, DB_IMPORTS, filter, update, &won, err);
}

/* Nothing was written: the database is as usable as before. */
static void restore_mark(struct importing *i, const bson_t *was)
{
    struct err ignored = {0};
    bool won;
    int64_t n;
    AUTO(bson_destroy) bson_t *filter = mark_filter();
    const char *state = was != NULL ? doc_str(was, "state", IMPORT_DONE) : IMPORT_DONE;
    AUTO(bson_destroy) bson_t *before = BCON_NEW("$set", "{", "state", BCON_UTF8(state), "}");
    int rc = was == NULL ? db_delete(i->o->db, DB_IMPORTS, filter, &n, &ignored)
                         : db_update(i->o->db, DB_IMPORTS, filter, before, &won, &ignored);
    (void)rc;
}

/* The source sees our mark. */
static int check_apart(struct importing *i, int64_t now, struct err *err)
{
    AUTO(bson_destroy) bson_t *mark = NULL;
    if (i->in_place) {
        return 0;
    }
    if (db_find_id(i->source, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &mark, err) != 0) {
        return -1;
    }
    return mark == NULL || doc_i64(mark, "began_at", 0) != now
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "--from names the database that Trawl works with: leave it out to import in "
                     "place");
}

static int make_pools(struct importing *i, struct err *err)
{
    int rc = 0;
    for (const char *const *pool = pool_names; *pool != NULL && rc == 0; pool++) {
        rc = pool_seed(i->o->db, i->o->cfg, *pool, err);
    }
    return rc;
}

static int end_mark(struct importing *i, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = mark_filter();
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "state", IMPORT_DONE, "ended_at", BCON_DATE_TIME(wall_ms()), "}");
    return make_pools(i, err) != 0 ? -1
                                   : db_update(i->o->db, DB_IMPORTS, filter, update, &won, err);
}

/* --- a shadow ends --- */

/* It has done nothing: what it has seen is AlphaKraken's to say. */
static int check_idle(struct importing *i, struct err *err)
{
    AUTO(bson_destroy) bson_t *one = NULL;
    AUTO(bson_destroy)
    bson_t *begun = BCON_NEW("state", "{", "$gt", "", "$ne", "ready", "}");
    if (db_find_one(i->o->db, DB_TASKS, begun, &one, err) != 0) {
        return -1;
    }
    return one == NULL ? 0
                       : ERR(err, ERR_REFUSED, 0,
                             "the task %.200s was begun in this shadow, which does none: look into "
                             "that before its raw files are dropped",
                             doc_str(one, "_id", "?"));
}

static int discard_shadow(struct importing *i, struct err *err)
{
    static const char *const colls[] = {DB_ASSIGNMENTS, DB_SETTINGS, DB_PROJECTS, NULL};
    AUTO(bson_destroy) bson_t *texts = BCON_NEW("_id", "{", "$gt", BCON_UTF8(""), "}");
    bson_t all = BSON_INITIALIZER;
    int64_t n;
    if (check_idle(i, err) != 0 || raw_file_import_discard(i->o->db, err) != 0 ||
        db_delete(i->o->db, DB_TASKS, texts, &n, err) != 0) {
        return -1;
    }
    for (const char *const *coll = colls; *coll != NULL; coll++) {
        if (db_delete(i->o->db, *coll, &all, &n, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- the work --- */

static int take_all(struct importing *i, struct err *err)
{
    int rc = import_settings_of(i, err) != 0 || import_raw_files_of(i, err) != 0 ||
                     import_metrics_of(i, err) != 0
                 ? -1
                 : 0;
    import_ids_clear(&i->raw_files);
    docs_clear(&i->inserts);
    db_batch_clear(&i->change);
    return rc;
}

static void append_sums(const struct import_report *r, bson_t *after)
{
    for (int k = 0; k < IMPORT_KIND_COUNT; k++) {
        const struct import_sum *s = &r->sums[k];
        BCON_APPEND(after, import_kind_name((enum import_kind)k), "{", "taken",
                    BCON_INT64(s->taken), "left", BCON_INT64(s->left), "dropped",
                    BCON_INT64(s->dropped), "refused", BCON_INT64(s->refused), "}");
    }
}

static int run_import(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct importing *i = ctx;
    int64_t now = wall_ms();
    AUTO(bson_destroy) bson_t *was = NULL;
    if (set_mark(i, now, &was, err) != 0) {
        return -1;
    }
    if (check_apart(i, now, err) != 0 || take_lease(i, err) != 0) {
        restore_mark(i, was);
        return -1;
    }
    int rc = (i->ends_shadow && discard_shadow(i, err) != 0) || take_all(i, err) != 0 ||
                     end_mark(i, err) != 0
                 ? -1
                 : 0;
    lease_release(i->lease);
    append_sums(i->out, after);
    *won = rc == 0;
    return rc;
}

int import_alphakraken(const struct ops *o, const struct import_ask *a, struct import_report *out,
                       struct err *err)
{
    struct importing i = {.o = o, .ask = a, .out = out, .ends_shadow = a->ends_shadow};
    AUTO(db_free) struct db *own = NULL;
    *out = (struct import_report){0};
    int rc = schema_check(o->db, err) != 0 ? -1 : importing_open(&i, &own, err);
    const struct audit_act act = {.verb = "import alphakraken",
                                  .target = i.from,
                                  .by = o->by,
                                  .why = o->why,
                                  .run = run_import,
                                  .ctx = &i};
    bool won;
    rc = rc != 0 ? rc : a->dry ? take_all(&i, err) : audit_make(o->db, &act, &won, err);
    lease_free(i.lease);
    snprintf(out->from, sizeof out->from, "%s", i.from);
    return rc;
}
