/*
 * overview.c - one reading is ten queries, each of a small collection, by an index with a limit, or
 * a count over an index. Which processes live is judged by beats that move between two readings, so
 * no reading waits.
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

/* At first sight there is only the document's own date. */
static int record_beat(struct top *t, const bson_t *doc, struct err *err)
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
        return err_no_memory(err);
    }
    t->seen = more;
    seen = &more[t->n_seen++];
    *seen = (struct top_seen){.beat = beat, .moved_ms = mono_ms() - (age > 0 ? age : 0)};
    snprintf(seen->id, sizeof seen->id, "%s", id);
    return 0;
}

static int record_beats(struct top *t, const struct docs *d, struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (record_beat(t, d->items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Forget those whose documents are gone. */
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

static struct docs *read_sorted(const struct ops *o, const char *coll, struct err *err)
{
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){.coll = coll, .opts = opts}, err);
}

static struct docs *read_taken(const struct ops *o, struct err *err)
{
    AUTO(bson_destroy) bson_t *taken = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    return docs_read(o->db, &(struct docs_query){.coll = DB_SLOTS, .filter = taken}, err);
}

static struct docs *read_ended(const struct ops *o, int64_t now_ms, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$match", "{", "state", "{", "$in", "[", BCON_UTF8("done"),
                 BCON_UTF8("failed"), BCON_UTF8("dead"), BCON_UTF8("cancelled"), "]", "}",
                 "ended_at", "{", "$gt", BCON_DATE_TIME(now_ms - TOP_RATE_MS), "}", "}", "}", "{",
                 "$group", "{", "_id", BCON_UTF8("$state"), "n", "{", "$sum", BCON_INT64(1), "}",
                 "bytes", "{", "$sum", BCON_UTF8("$result.bytes_written"), "}", "}", "}", "]");
    if (d == NULL || db_aggregate(o->db, DB_TASKS, pipeline, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

static struct docs *read_oldest(const struct ops *o, struct err *err)
{
    AUTO(bson_destroy) bson_t *ready = BCON_NEW("state", BCON_UTF8("ready"));
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("sort", "{", "ready_at", BCON_INT32(1), "}", "limit", BCON_INT64(SHOWN),
                 "projection", "{", "pool", BCON_INT32(1), "ready_at", BCON_INT32(1), "not_before",
                 BCON_INT32(1), "attempt", BCON_INT32(1), "error", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_TASKS, ready, opts}, err);
}

static struct docs *read_errors(const struct ops *o, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *failed =
        BCON_NEW("state", "{", "$in", "[", BCON_UTF8("dead"), BCON_UTF8("failed"), "]", "}",
                 "error.code", "{", "$ne", BCON_UTF8(err_code_name(ERR_CODE_SOURCE_CHANGED)), "}");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "ended_at", BCON_INT32(-1), "}", "limit",
                            BCON_INT64(SHOWN), "projection", "{", "state", BCON_INT32(1), "error",
                            BCON_INT32(1), "ended_at", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_TASKS, failed, opts}, err);
}

static int read_all(const struct ops *o, struct top *t, struct err *err)
{
    AUTO(bson_destroy) bson_t *open = BCON_NEW("open", BCON_BOOL(true));
    return (t->workers = read_sorted(o, DB_WORKERS, err)) == NULL ||
                   (t->leases = read_sorted(o, DB_LEASES, err)) == NULL ||
                   (t->pools = read_sorted(o, DB_POOLS, err)) == NULL ||
                   (t->slots = read_taken(o, err)) == NULL ||
                   (t->waiting = pool_waiting(o, err)) == NULL ||
                   (t->ended = read_ended(o, t->now_ms, err)) == NULL ||
                   (t->oldest = read_oldest(o, err)) == NULL ||
                   (t->errors = read_errors(o, err)) == NULL ||
                   db_count(o->db, DB_ALERTS, open, &t->n_alerts, err) != 0 ||
                   record_beats(t, t->workers, err) != 0 || record_beats(t, t->leases, err) != 0
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

void top_read(const struct ops *o, struct top *t)
{
    struct err err = {0};
    struct top now = {.now_ms = wall_ms(), .seen = t->seen, .n_seen = t->n_seen};
    int rc = read_all(o, &now, &err);
    t->seen = now.seen;
    t->n_seen = now.n_seen;
    t->away = err;
    if (rc != 0) {
        clear_docs(&now);
        return;
    }
    const struct pool_facts f = {now.pools, now.slots, now.waiting};
    now.n_states = pool_states(o, &f, now.states, POOLS_MAX);
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

const bson_t *top_leader(const struct ops *o, const struct top *t)
{
    const bson_t *lease = docs_by_id(t->leases, "scheduler");
    bool led = lease != NULL && doc_str(lease, "holder", "")[0] != '\0' &&
               top_silence_ms(t, lease) <= o->cfg->scheduler.lease_ms;
    return led ? lease : NULL;
}

int64_t top_bytes(const struct top *t)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < t->ended->n; i++) {
        bytes += doc_i64(t->ended->items[i], "bytes", 0);
    }
    return bytes;
}

/* Each from its start to its worker's last beat, both on that worker's clock. */
static void add_copies(const bson_t *worker, struct top_copying *sum)
{
    bson_t runs, run;
    bson_iter_t at;
    for (bool more =
             doc_sub(worker, "running", &runs) && bson_iter_init(&at, &runs) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        if (!doc_sub(&runs, bson_iter_key(&at), &run) ||
            strcmp(doc_str(&run, "kind", ""), "copy") != 0) {
            continue;
        }
        int64_t ms = doc_i64(worker, "at", 0) - doc_i64(&run, "started", 0);
        sum->copies++;
        sum->bytes_per_s += ms > 0 ? doc_i64(&run, "done", 0) * 1000 / ms : 0;
    }
}

struct top_copying top_copying(const struct top *t)
{
    struct top_copying sum = {0};
    for (size_t i = 0; i < t->workers->n; i++) {
        add_copies(t->workers->items[i], &sum);
    }
    return sum;
}

/* --- JSON --- */

static json_t *ended_json(const struct top *t)
{
    json_t *out = json_object();
    for (size_t i = 0; i < t->ended->n; i++) {
        const bson_t *d = t->ended->items[i];
        json_object_set_new(out, doc_str(d, "_id", "?"), json_integer(doc_i64(d, "n", 0)));
    }
    return out;
}

static json_t *pools_json(const struct top *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->n_states; i++) {
        json_array_append_new(list, pool_json(&t->states[i]));
    }
    return list;
}

json_t *top_json(const struct ops *o, const struct top *t)
{
    const bson_t *leader = top_leader(o, t);
    const struct stopped stop = pools_stopped(t->pools);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:I}", "at",
                     json_date(t->now_ms), "leader",
                     json_text(leader != NULL ? doc_str(leader, "holder", "") : ""), "stopped",
                     stopped_json(&stop), "pools", pools_json(t), "ended_last_minute",
                     ended_json(t), "bytes_copied_last_minute", (json_int_t)top_bytes(t),
                     "bytes_copied_per_s", (json_int_t)top_copying(t).bytes_per_s, "workers",
                     json_of_docs(t->workers), "waits_longest", json_of_docs(t->oldest),
                     "failed_last", json_of_docs(t->errors), "alerts", (json_int_t)t->n_alerts);
}
