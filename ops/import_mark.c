/*
 * import_mark.c - the mark and the lease of an import.
 *
 * "imports/alphakraken" says "running" before the first write, and "done" after the last: in
 * between, schedulers step aside and verbs refuse the database (common/raw/database_owner.h). An
 * import changes only the mark that it has read or written itself ("run"), and it writes to the
 * database only while it holds the leader's lease. Its mark keeps the one before, and names what is
 * being written: so one that has written nothing can be undone, by itself or with --abandon.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/db/difference.h"
#include "common/raw/database_owner.h"
#include "common/task/pool.h"
#include "ops/import_internal.h"

#define TICK_MS 200
#define LEASE_TTL                                                                                  \
    4              /* times the lease's time to live: how long to wait for a leader to step aside */
#define RENEWALS 8 /* in a lease's time to live */

/* --- the lease --- */

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

static void show_progress(const struct importing *i)
{
    if (i->ask->progress != NULL) {
        i->ask->progress(i->ask->ctx, import_kind_name(i->kind), i->out->sums[i->kind].seen,
                         i->total);
    }
}

static int renew(struct importing *i, struct err *err)
{
    int64_t now = mono_ms();
    if (now >= i->renew_at_ms) {
        i->renew_at_ms = now + i->o->cfg->scheduler.lease_ms / RENEWALS;
        show_progress(i);
        if (i->lease != NULL && lease_tick(i->lease, err) != 0) {
            return -1;
        }
    }
    return i->lease == NULL || lease_held(i->lease)
               ? 0
               : ERR(err, ERR_TRANSIENT, 0,
                     "a scheduler or another import works with this database: run it again, it "
                     "resumes");
}

int importing_tick(struct importing *i, struct err *err)
{
    return renew(i, err);
}

/* --- the mark --- */

static int read_mark(struct importing *i, struct err *err)
{
    return db_find_id(i->o->db, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &i->was, err);
}

static bool was_in(const struct importing *i, const char *state)
{
    return i->was != NULL && doc_says(i->was, "state", state);
}

static int check_resumed(const struct importing *i, struct err *err)
{
    char command[IMPORT_COMMAND];
    bool same = strcmp(doc_str(i->was, "from", ""), i->from) == 0 &&
                doc_bool(i->was, "in_place", false) == i->in_place &&
                doc_bool(i->was, "switch", false) == i->ends_shadow;
    return same ? 0
                : ERR(err, ERR_REFUSED, 0, "another import has not ended: end that first, with %s",
                      database_import_command(i->was, command));
}

static int check_mark(const struct importing *i, struct err *err)
{
    if (was_in(i, IMPORT_RUNNING)) {
        return check_resumed(i, err);
    }
    if (was_in(i, IMPORT_SHADOW) != i->ends_shadow) {
        return ERR(err, ERR_REFUSED, 0,
                   i->ends_shadow ? "there is no shadow to end: leave out --switch"
                                  : "this is a shadow's database: --switch imports and ends it");
    }
    return 0;
}

int importing_may_begin(struct importing *i, struct err *err)
{
    return read_mark(i, err) != 0 ? -1 : check_mark(i, err);
}

static void make_mark(struct importing *i)
{
    char run[40];
    bson_t before;
    bool resumes = was_in(i, IMPORT_RUNNING);
    snprintf(run, sizeof run, "%016llx", (unsigned long long)mono_random(INT64_MAX));
    i->mark = BCON_NEW("_id", IMPORT_ALPHAKRAKEN, "state", IMPORT_RUNNING, "run", BCON_UTF8(run),
                       "from", BCON_UTF8(i->from), "in_place", BCON_BOOL(i->in_place), "login",
                       BCON_BOOL(i->has_login), "switch", BCON_BOOL(i->ends_shadow), "by",
                       BCON_UTF8(i->o->by), "began_at", BCON_DATE_TIME(wall_ms()), "writing",
                       BCON_UTF8(resumes ? doc_str(i->was, "writing", "") : ""));
    if (resumes && doc_sub(i->was, "before", &before)) {
        BSON_APPEND_DOCUMENT(i->mark, "before", &before);
    } else if (!resumes && i->was != NULL) {
        BSON_APPEND_DOCUMENT(i->mark, "before", i->was);
    }
}

/* That it is still as it was read or written. */
static bson_t *unchanged(const bson_t *mark)
{
    bson_t *filter =
        BCON_NEW("_id", IMPORT_ALPHAKRAKEN, "state", BCON_UTF8(doc_str(mark, "state", "")));
    const char *run = doc_str(mark, "run", "");
    if (run[0] != '\0') {
        BSON_APPEND_UTF8(filter, "run", run);
    } else {
        BSON_APPEND_NULL(filter, "run");
    }
    return filter;
}

static int put_mark(struct importing *i, const bson_t *mark, const bson_t *update, struct err *err)
{
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = unchanged(mark);
    if (db_update(i->o->db, DB_IMPORTS, filter, update, &won, err) != 0) {
        return -1;
    }
    return won ? 0
               : ERR(err, ERR_REFUSED, 0,
                     "another import of this database began or ended meanwhile: see trawl log, "
                     "then run it again");
}

/* From what it was to ours. */
static int write_mark(struct importing *i, struct err *err)
{
    bool made = false;
    if (i->was != NULL) {
        AUTO(bson_destroy) bson_t *update = doc_difference(i->was, i->mark);
        return put_mark(i, i->was, update, err);
    }
    if (db_insert(i->o->db, DB_IMPORTS, i->mark, &made, err) != 0) {
        return -1;
    }
    return made ? 0 : ERR(err, ERR_REFUSED, 0, "another import of this database has just begun");
}

/* To what was before; mark is as it is in the database. */
static int undo_mark(struct importing *i, const bson_t *mark, const bson_t *before, struct err *err)
{
    int64_t n = 0;
    if (before != NULL) {
        AUTO(bson_destroy) bson_t *update = doc_difference(mark, before);
        return put_mark(i, mark, update, err);
    }
    AUTO(bson_destroy) bson_t *filter = unchanged(mark);
    return db_delete(i->o->db, DB_IMPORTS, filter, &n, err);
}

static int set_field(struct importing *i, const char *field, const char *value, struct err *err)
{
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", field, BCON_UTF8(value), "}");
    return put_mark(i, i->mark, update, err);
}

/* The source sees our mark. */
static int check_apart(struct importing *i, struct err *err)
{
    AUTO(bson_destroy) bson_t *mark = NULL;
    if (i->in_place) {
        return 0;
    }
    if (db_find_id(i->source, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &mark, err) != 0) {
        return -1;
    }
    return mark == NULL || !doc_says(mark, "run", doc_str(i->mark, "run", ""))
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "%s names the database that Trawl works with: leave it out to import in place",
                     i->ask->key);
}

/* --- an import's way --- */

/* A mark that says "running" has leaders step aside as it is; so it is changed under the lease. */
int importing_begin(struct importing *i, struct err *err)
{
    struct err ignored = {0};
    bool resumes = was_in(i, IMPORT_RUNNING);
    make_mark(i);
    if (!resumes && write_mark(i, err) != 0) {
        return -1;
    }
    if (take_lease(i, err) != 0 ||
        (resumes ? write_mark(i, err) : set_field(i, "by", i->o->by, err)) != 0 ||
        check_apart(i, err) != 0) {
        int rc = undo_mark(i, i->mark, i->was, &ignored); /* if it is ours at all */
        (void)rc;
        return -1;
    }
    i->writing = resumes ? doc_str(i->mark, "writing", "") : "";
    return 0;
}

int importing_writes(struct importing *i, const char *what, struct err *err)
{
    if (i->lease == NULL || renew(i, err) != 0) {
        return i->lease == NULL ? 0 : -1;
    }
    if (strcmp(i->writing, what) != 0) {
        if (set_field(i, "writing", what, err) != 0) {
            return -1;
        }
        i->writing = what;
    }
    return 0;
}

int importing_keep_lease(struct importing *i, struct err *err)
{
    return importing_writes(i, import_kind_name(i->kind), err);
}

bool importing_is_behind_shadow(const struct importing *i)
{
    return i->writing[0] != '\0' && strcmp(i->writing, IMPORT_WRITES_SHADOW) != 0;
}

static int make_pools(struct importing *i, struct err *err)
{
    int rc = 0;
    for (const char *const *pool = pool_names; *pool != NULL && rc == 0; pool++) {
        rc = pool_seed(i->o->db, i->o->cfg, *pool, err);
    }
    return rc;
}

/* What another program has changed meanwhile is half AlphaKraken's: only another run knows. */
int importing_end(struct importing *i, struct err *err)
{
    if (i->changed > 0) {
        return ERR(err, ERR_REFUSED, 0,
                   "%lld documents changed while they were taken over: stop AlphaKraken, then run "
                   "the same command again; until then the database is refused",
                   (long long)i->changed);
    }
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "state", IMPORT_DONE, "ended_at", BCON_DATE_TIME(wall_ms()), "}",
                 "$unset", "{", "before", BCON_BOOL(true), "writing", BCON_BOOL(true), "}");
    return importing_tick(i, err) != 0 || make_pools(i, err) != 0
               ? -1
               : put_mark(i, i->mark, update, err);
}

void importing_leave(struct importing *i)
{
    if (i->lease != NULL) {
        lease_release(i->lease);
    }
    lease_free(i->lease);
    bson_destroy(i->was);
    bson_destroy(i->mark);
    i->lease = NULL;
    i->was = i->mark = NULL;
}

/* --- the way out --- */

static int refuse_half(const bson_t *mark, struct err *err)
{
    char command[IMPORT_COMMAND], began[32];
    const char *what = doc_str(mark, "writing", "");
    wall_iso(doc_i64(mark, "began_at", 0), began, sizeof began);
    const char *other = doc_bool(mark, "in_place", false)
                            ? "restore the database from a backup that is older than the import"
                            : "drop Trawl's database and begin with a new one";
    return ERR(err, ERR_REFUSED, 0,
               "it has written, last to %s on %.19s: what was taken stays; end it with %s; or %s",
               what, began, database_import_command(mark, command), other);
}

int importing_abandon(struct importing *i, struct err *err)
{
    bson_t before;
    if (read_mark(i, err) != 0) {
        return -1;
    }
    if (!was_in(i, IMPORT_RUNNING)) {
        return ERR(err, ERR_REFUSED, 0, "there is no import that has not ended");
    }
    if (take_lease(i, err) != 0) { /* else it is at work */
        return -1;
    }
    bson_destroy(i->was);
    i->was = NULL;
    if (read_mark(i, err) != 0) {
        return -1;
    }
    if (!was_in(i, IMPORT_RUNNING)) {
        return ERR(err, ERR_REFUSED, 0, "it has ended meanwhile");
    }
    if (doc_str(i->was, "writing", "?")[0] != '\0') {
        return refuse_half(i->was, err);
    }
    return undo_mark(i, i->was, doc_sub(i->was, "before", &before) ? &before : NULL, err);
}
