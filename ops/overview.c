/*
 * overview.c - one reading: ten queries, each of a small collection, by an index with a limit, or
 * over what an index counts. Who is alive is judged by beats that move between two readings, so no
 * reading waits.
 */
#include "ops/overview.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

#define SHOWN 5 /* waiting tasks, and errors */

/* --- beats --- */

static struct top_seen *find_seen(const struct top *t, const char *id)
{
    for (size_t i = 0; i < t->n_seen; i++) {
        if (strcmp(t->seen[i].id, id) == 0) {
            return &t->seen[i];
        }
    }
    return NULL;
}

/* At first sight only the document's own date can tell. */
static int note_beat(struct top *t, const bson_t *doc, struct err *err)
{
    int64_t beat = doc_i64(doc, "beat", 0), age = t->now_ms - doc_i64(doc, "at", t->now_ms);
    const char *id = doc_str(doc, "_id", "");
    struct top_seen *seen = find_seen(t, id);
    if (seen != NULL) {
        seen->moved_ms = seen->beat != beat ? mono_ms() : seen->moved_ms;
        seen->beat = beat;
        return 0;
    }
    struct top_seen *more = reallocarray(t->seen, t->n_seen + 1, sizeof *more);
    if (more == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    t->seen = more;
    seen = &more[t->n_seen++];
    *seen = (struct top_seen){.beat = beat, .moved_ms = mono_ms() - (age > 0 ? age : 0)};
    snprintf(seen->id, sizeof seen->id, "%s", id);
    return 0;
}

static int note_beats(struct top *t, const struct docs *d, struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (note_beat(t, d->items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Those whose documents are gone are forgotten. */
static void forget_gone(struct top *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n_seen; i++) {
        if (docs_by_id(t->workers, t->seen[i].id) != NULL ||
            docs_by_id(t->leases, t->seen[i].id) != NULL) {
            t->seen[kept++] = t->seen[i];
        }
    }
    t->n_seen = kept;
}

int64_t top_silence_ms(const struct top *t, const bson_t *doc)
{
    const struct top_seen *seen = find_seen(t, doc_str(doc, "_id", ""));
    return seen != NULL ? mono_ms() - seen->moved_ms : 0;
}

/* --- queries --- */

static struct docs *read_sorted(struct cli *c, const char *coll, struct err *err)
{
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return docs_read(c->db, &(struct docs_query){.coll = coll, .opts = opts}, err);
}

static struct docs *read_taken(struct cli *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *taken = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    return docs_read(c->db, &(struct docs_query){.coll = DB_SLOTS, .filter = taken}, err);
}

static struct docs *read_ended(struct cli *c, int64_t now_ms, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$match", "{", "state", "{", "$in", "[", BCON_UTF8("done"),
                 BCON_UTF8("failed"), BCON_UTF8("dead"), BCON_UTF8("cancelled"), "]", "}",
                 "ended_at", "{", "$gt", BCON_DATE_TIME(now_ms - TOP_RATE_MS), "}", "}", "}", "{",
                 "$group", "{", "_id", BCON_UTF8("$state"), "n", "{", "$sum", BCON_INT64(1), "}",
                 "bytes", "{", "$sum", BCON_UTF8("$result.bytes_written"), "}", "}", "}", "]");
    if (d == NULL || db_aggregate(c->db, DB_TASKS, pipeline, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

static struct docs *read_oldest(struct cli *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *ready = BCON_NEW("state", BCON_UTF8("ready"));
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("sort", "{", "ready_at", BCON_INT32(1), "}", "limit", BCON_INT64(SHOWN),
                 "projection", "{", "pool", BCON_INT32(1), "ready_at", BCON_INT32(1), "not_before",
                 BCON_INT32(1), "attempt", BCON_INT32(1), "error", BCON_INT32(1), "}");
    return docs_read(c->db, &(struct docs_query){DB_TASKS, ready, opts}, err);
}

static struct docs *read_errors(struct cli *c, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *failed =
        BCON_NEW("state", "{", "$in", "[", BCON_UTF8("dead"), BCON_UTF8("failed"), "]", "}",
                 "error.code", "{", "$ne", BCON_UTF8(err_code_name(ERR_CODE_SOURCE_CHANGED)), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "ended_at", BCON_INT32(-1), "}", "limit",
                            BCON_INT64(SHOWN), "projection", "{", "state", BCON_INT32(1), "error",
                            BCON_INT32(1), "ended_at", BCON_INT32(1), "}");
    return docs_read(c->db, &(struct docs_query){DB_TASKS, failed, opts}, err);
}

static int read_all(struct cli *c, struct top *t, struct err *err)
{
    AUTO(bson_destroy) bson_t *open = BCON_NEW("open", BCON_BOOL(true));
    return (t->workers = read_sorted(c, DB_WORKERS, err)) == NULL ||
                   (t->leases = read_sorted(c, DB_LEASES, err)) == NULL ||
                   (t->pools = read_sorted(c, DB_POOLS, err)) == NULL ||
                   (t->slots = read_taken(c, err)) == NULL ||
                   (t->waiting = pool_waiting(c, err)) == NULL ||
                   (t->ended = read_ended(c, t->now_ms, err)) == NULL ||
                   (t->oldest = read_oldest(c, err)) == NULL ||
                   (t->errors = read_errors(c, err)) == NULL ||
                   db_count(c->db, DB_ALERTS, open, &t->n_alerts, err) != 0 ||
                   note_beats(t, t->workers, err) != 0 || note_beats(t, t->leases, err) != 0
               ? -1
               : 0;
}

static void clear_docs(struct top *t)
{
    struct docs *const owned[] = {t->workers, t->leases, t->pools,  t->slots,
                                  t->waiting, t->ended,  t->oldest, t->errors};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        docs_free(owned[i]);
    }
}

void top_read(struct cli *c, struct top *t)
{
    struct err err = {0};
    struct top now = {.now_ms = wall_ms(), .seen = t->seen, .n_seen = t->n_seen};
    int rc = read_all(c, &now, &err);
    t->seen = now.seen;
    t->n_seen = now.n_seen;
    t->away = err;
    if (rc != 0) {
        clear_docs(&now);
        return;
    }
    const struct pool_facts f = {now.pools, now.slots, now.waiting};
    now.n_states = pool_states(c, &f, now.states, POOLS_MAX);
    clear_docs(t);
    *t = now;
    forget_gone(t);
}

void top_clear(struct top *t)
{
    clear_docs(t);
    free(t->seen);
    *t = (struct top){0};
}
