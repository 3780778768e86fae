/*
 * status.c - everything that trawl status shows, read at once.
 *
 * A server that is away is part of the answer and no error: without MongoDB everything but Kafka's
 * state stays empty. The same struct is printed by cli/cmd_status_print.c and turned into JSON
 * here.
 */
#include "ops/status.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/bus/bus.h"
#include "common/db/doc_json.h"
#include "common/db/schema.h"
#include "common/raw/raw_file.h"
#include "common/version.h"

#define MOUNTS_LATELY_MS (15 * 60 * 1000)
#define ALERTS_SHOWN     20
#define KAFKA_WAIT_MS    3000
#define KAFKA_LOOK_MS    2

/* Nearly all are done after years: those are what is left of the collection's own number. */
static int add_done(const struct ops *o, struct docs *counts, struct err *err)
{
    int64_t done = 0;
    if (db_estimate(o->db, DB_RAW_FILES, &done, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < counts->n; i++) {
        done -= doc_i64(counts->items[i], "n", 0);
    }
    AUTO(bson_destroy)
    bson_t *row = BCON_NEW("_id", BCON_UTF8(raw_status_names[RAW_DONE]), "n", BCON_INT64(done));
    return done > 0 ? docs_add(counts, row, err) : 0;
}

static struct docs *count_statuses(const struct ops *o, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$match", "{", "status", "{", "$ne",
                 BCON_UTF8(raw_status_names[RAW_DONE]), "}", "}", "}", "{", "$group", "{", "_id",
                 BCON_UTF8("$status"), "n", "{", "$sum", BCON_INT64(1), "}", "}", "}", "]");
    if (d == NULL || db_aggregate(o->db, DB_RAW_FILES, pipeline, docs_add, d, err) != 0 ||
        add_done(o, d, err) != 0) {
        return NULL;
    }
    docs_sort(d);
    return TAKE(d);
}

/* The report of a host that has stopped reporting is out of date. */
static struct docs *read_mounts(const struct ops *o, const bson_t *sorted, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *lately = BCON_NEW("at", "{", "$gt", BCON_DATE_TIME(wall_ms() - MOUNTS_LATELY_MS), "}");
    return docs_read(
        o->db, &(struct docs_query){.coll = DB_MOUNTS, .filter = lately, .opts = sorted}, err);
}

static int read_alerts(const struct ops *o, struct status *s, struct err *err)
{
    AUTO(bson_destroy) bson_t *open = BCON_NEW("open", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *newest = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(1), "}", "limit",
                              BCON_INT64(ALERTS_SHOWN));
    s->alerts = docs_read(o->db, &(struct docs_query){DB_ALERTS, open, newest}, err);
    return s->alerts == NULL ? -1 : db_count(o->db, DB_ALERTS, open, &s->n_alerts, err);
}

static int gather(const struct ops *o, struct status *s, struct err *err)
{
    AUTO(bson_destroy) bson_t *sorted = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    if (facts_read(o, &s->facts, err) != 0 || schema_read(o->db, &s->schema, err) != 0) {
        return -1;
    }
    s->watches = docs_read(o->db, &(struct docs_query){.coll = DB_WATCHES, .opts = sorted}, err);
    s->mounts = s->watches != NULL ? read_mounts(o, sorted, err) : NULL;
    s->counts = s->mounts != NULL && read_alerts(o, s, err) == 0 ? count_statuses(o, err) : NULL;
    s->waiting = s->counts != NULL ? pool_waiting(o, err) : NULL;
    if (s->waiting == NULL) {
        return -1;
    }
    const struct pool_facts f = {s->facts.pools, s->facts.slots, s->waiting};
    s->n_pools = pool_states(o, &f, s->pools, POOLS_MAX);
    return 0;
}

void status_clear(struct status *s)
{
    bson_destroy(s->schema);
    facts_free(&s->facts);
    docs_free(s->watches);
    docs_free(s->mounts);
    docs_free(s->alerts);
    docs_free(s->counts);
    docs_free(s->waiting);
}

/* The client connects in the background; a broker that is up answers within milliseconds. */
static bool kafka_answers(const struct bus *bus)
{
    int64_t end = mono_ms() + KAFKA_WAIT_MS;
    struct bus_stats stats = {0};
    for (;;) {
        bus_stats(bus, &stats);
        if (stats.connected || mono_ms() >= end) {
            return stats.connected;
        }
        mono_sleep_ms(KAFKA_LOOK_MS);
    }
}

int status_read(const struct ops *o, struct status *out, struct err *err)
{
    *out = (struct status){.now_ms = wall_ms()};
    AUTO(bus_free) struct bus *bus = bus_new(o->cfg, "trawl", err);
    if (bus == NULL) {
        return -1;
    }
    if (db_ping(o->db, &out->mongo) == 0) {
        (void)!gather(o, out, &out->mongo); /* shown with the rest */
    }
    out->kafka = kafka_answers(bus);
    out->now_ms = wall_ms();
    return 0;
}

int64_t status_errors(const struct status *s)
{
    int64_t n = 0;
    for (size_t i = 0; s->counts != NULL && i < s->counts->n; i++) {
        if (raw_status_is_error(raw_status_parse(doc_str(s->counts->items[i], "_id", "")))) {
            n += doc_i64(s->counts->items[i], "n", 0);
        }
    }
    return n;
}

static json_t *server_json(bool ok, const char *what, const char *value, const char *error)
{
    return json_pack("{s:b, s:o, s:o}", "ok", (int)ok, what, json_text(value), "error",
                     json_text(error));
}

static json_t *scheduler_json(const struct status *s)
{
    const bson_t *leader = s->facts.alive.leases != NULL ? alive_leader(&s->facts.alive) : NULL;
    if (leader == NULL) {
        return json_pack("{s:b, s:n, s:n, s:n, s:n, s:n}", "ok", 0, "holder", "epoch", "beat_at",
                         "trouble", "version");
    }
    bool stuck = doc_has(leader, "trouble");
    return json_pack("{s:b, s:o, s:o, s:o, s:I, s:o}", "ok", !stuck, "version",
                     json_text(doc_str(leader, "version", NULL)), "trouble",
                     json_text(doc_str(leader, "trouble.why", NULL)), "holder",
                     json_text(doc_str(leader, "holder", "")), "epoch",
                     (json_int_t)doc_i64(leader, "epoch", 0), "beat_at",
                     json_date(doc_i64(leader, "at", 0)));
}

/* Append the documents, each with "alive"; -1: out of memory. */
static int add_workers(json_t *list, const struct docs *d, bool lives)
{
    for (size_t i = 0; d != NULL && i < d->n; i++) {
        AUTO(json_decref) json_t *w = json_of_doc(d->items[i]);
        if (w == NULL || json_object_set_new(w, "alive", json_boolean(lives)) != 0 ||
            json_array_append(list, w) != 0) {
            return -1;
        }
    }
    return 0;
}

static json_t *workers_json(const struct status *s)
{
    AUTO(json_decref) json_t *list = json_array();
    if (list == NULL || add_workers(list, s->facts.alive.workers, true) != 0 ||
        add_workers(list, s->facts.alive.stale, false) != 0) {
        return NULL;
    }
    return TAKE(list);
}

static json_t *pools_json(const struct status *s)
{
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < s->n_pools; i++) {
        if (json_array_append_new(list, pool_json(&s->pools[i])) != 0) {
            return NULL;
        }
    }
    return TAKE(list);
}

static json_t *counts_json(const struct status *s)
{
    json_t *out = json_object();
    for (size_t i = 0; s->counts != NULL && i < s->counts->n; i++) {
        const bson_t *d = s->counts->items[i];
        json_object_set_new(out, doc_str(d, "_id", "unknown"), json_integer(doc_i64(d, "n", 0)));
    }
    return out;
}

static json_t *stop_json(const struct status *s)
{
    const struct stopped none = {0};
    const struct stopped stop = s->facts.pools != NULL ? pools_stopped(s->facts.pools) : none;
    return stopped_json(&stop);
}

static json_t *migration_json(const struct status *s)
{
    bson_t m;
    return s->schema != NULL && doc_sub(s->schema, "migration", &m) ? json_of_doc(&m) : json_null();
}

static json_t *alerts_json(const struct status *s)
{
    return json_pack("{s:I, s:o}", "open", (json_int_t)s->n_alerts, "newest",
                     s->alerts != NULL ? json_of_docs(s->alerts) : json_array());
}

json_t *status_json(const struct ops *o, const struct status *s)
{
    bool mongo = s->mongo.kind == ERR_NONE;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "environment",
        o->cfg->trawl.env, "version", TRAWL_VERSION, "mongo",
        server_json(mongo, "database", o->cfg->mongo.database, s->mongo.msg), "kafka",
        server_json(s->kafka, "brokers", o->cfg->kafka.brokers, s->kafka ? "" : "does not answer"),
        "scheduler", scheduler_json(s), "migration", migration_json(s), "workers", workers_json(s),
        "instruments", s->watches != NULL ? json_of_docs(s->watches) : json_array(), "locations",
        s->mounts != NULL ? json_of_docs(s->mounts) : json_array(), "alerts", alerts_json(s),
        "stopped", stop_json(s), "pools", pools_json(s), "raw_files", counts_json(s), "errors",
        (json_int_t)status_errors(s));
}
