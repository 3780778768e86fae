/* pools.c - the state of the pools. */
#include "ops/pools.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/human.h"
#include "common/base/suggest.h"
#include "common/db/doc_json.h"
#include "common/task/kinds.h"
#include "ops/facts.h"

static int64_t config_default(const struct ops *o, const char *pool)
{
    int64_t n = config_pool_default(o->cfg, pool);
    return n < 0 ? 0 : n;
}

static void state_of(const struct ops *o, const struct pool_facts *f, const char *name,
                     struct pool_state *out)
{
    const bson_t *doc = docs_by_id(f->pools, name);
    *out = (struct pool_state){
        .name = name,
        .slots = config_default(o, name),
        .used = facts_slots_taken(f->slots, name),
        .reason = "",
        .by = "",
        .saved = -1,
    };
    if (doc != NULL) {
        bool stopped = pool_is_stopped(doc);
        out->slots = doc_i64(doc, "slots", 0);
        out->reason = doc_str(doc, stopped ? "stop.why" : "reason", "");
        out->by = doc_str(doc, stopped ? "stop.by" : "by", "");
        out->at_ms = doc_i64(doc, stopped ? "stop.at" : "at", 0);
        out->saved = doc_i64(doc, "saved_slots", -1);
    }
    for (size_t i = 0; i < f->waiting->n; i++) {
        if (strcmp(doc_str(f->waiting->items[i], "_id", ""), name) == 0) {
            out->waiting = doc_i64(f->waiting->items[i], "n", 0);
        }
    }
}

struct docs *pool_waiting(const struct ops *o, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "state", BCON_UTF8("ready"),
                                "}", "}", "{", "$group", "{", "_id", BCON_UTF8("$pool"), "n", "{",
                                "$sum", BCON_INT64(1), "}", "}", "}", "]");
    if (d == NULL || db_aggregate(o->db, DB_TASKS, pipeline, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

size_t pool_states(const struct ops *o, const struct pool_facts *f, struct pool_state *out,
                   size_t room)
{
    size_t n = 0;
    for (size_t i = 0; pool_names[i] != NULL && n < room; i++) {
        state_of(o, f, pool_names[i], &out[n++]);
    }
    for (size_t i = 0; i < f->pools->n && n < room; i++) {
        const char *name = doc_str(f->pools->items[i], "_id", "");
        if (config_pool_default(o->cfg, name) < 0 && name[0] != '\0') {
            state_of(o, f, name, &out[n++]);
        }
    }
    return n;
}

json_t *pool_json(const struct pool_state *p)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "pool", json_text(p->name),
                     "slots", (json_int_t)p->slots, "used", (json_int_t)p->used, "waiting",
                     (json_int_t)p->waiting, "reason", json_text(p->reason), "by", json_text(p->by),
                     "at", json_date(p->at_ms), "saved_slots",
                     p->saved >= 0 ? json_integer(p->saved) : json_null());
}

struct stopped pools_stopped(const struct docs *pools)
{
    struct stopped s = {.of = pools->n, .by = "", .why = ""};
    for (size_t i = 0; i < pools->n; i++) {
        const bson_t *pool = pools->items[i];
        if (!pool_is_stopped(pool)) {
            continue;
        }
        s.pools++;
        if (doc_i64(pool, "stop.at", 0) >= s.at_ms) {
            s.at_ms = doc_i64(pool, "stop.at", 0);
            s.by = doc_str(pool, "stop.by", "?");
            s.why = doc_str(pool, "stop.why", "");
        }
    }
    return s;
}

void stopped_text(const struct stopped *s, int64_t now_ms, char *buf, size_t room)
{
    char age[TEXT_SHORT];
    char some[64] = "";
    if (s->pools < s->of) {
        snprintf(some, sizeof some, "%zu of %zu pools, ", s->pools, s->of);
    }
    snprintf(buf, room, "%sby %s %s ago: %s", some, s->by, text_duration(now_ms - s->at_ms, age),
             s->why);
}

json_t *stopped_json(const struct stopped *s)
{
    if (s->pools == 0) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "by", json_text(s->by), "why", json_text(s->why),
                     "at", json_date(s->at_ms), "pools", (json_int_t)s->pools, "of",
                     (json_int_t)s->of);
}

int pool_find(const struct ops *o, const char *name, bson_t **out, struct err *err)
{
    *out = NULL;
    if (bson_utf8_validate(name, strlen(name), false) &&
        (pool_seed(o->db, o->cfg, name, err) != 0 ||
         db_find_id(o->db, DB_POOLS, name, out, err) != 0)) {
        return -1;
    }
    char meant[SUGGEST_MAX];
    return *out != NULL
               ? 0
               : ERR(err, ERR_MISSING, 0, "there is no pool '%s'%s trawl pool ls lists them", name,
                     suggest_text(name, pool_names, "", meant));
}

void pool_append(bson_t *out, const bson_t *pool)
{
    static const char *const fields[] = {"slots", "saved_slots"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (doc_has(pool, fields[i])) {
            BSON_APPEND_INT64(out, fields[i], doc_i64(pool, fields[i], 0));
        }
    }
    if (doc_str(pool, "reason", "")[0] != '\0') {
        BSON_APPEND_UTF8(out, "reason", doc_str(pool, "reason", ""));
    }
}
