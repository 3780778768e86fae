/* cmd_pool.c - trawl pool ls|set: concurrency limits over all hosts, changed while everything runs.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/args.h"
#include "cli/facts.h"
#include "cli/pools.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/mono.h"

#define LOOK_MS 300 /* between two looks while waiting */

const char *const pool_names[] = {"file_copy",   "cluster_slots", "index", "file_move",
                                  "file_remove", "s3_upload",     NULL};

static int64_t config_default(const struct cli *c, const char *pool)
{
    int64_t n = config_pool_default(c->cfg, pool);
    return n < 0 ? 0 : n;
}

static void state_of(struct cli *c, const struct pool_facts *f, const char *name,
                     struct pool_state *out)
{
    const bson_t *doc = docs_by_id(f->pools, name);
    *out = (struct pool_state){
        .name = name,
        .slots = doc != NULL ? doc_i64(doc, "slots", 0) : config_default(c, name),
        .used = facts_slots_taken(f->slots, name),
        .reason = doc != NULL ? doc_str(doc, "reason", "") : "",
        .by = doc != NULL ? doc_str(doc, "by", "") : "",
        .at_ms = doc != NULL ? doc_i64(doc, "at", 0) : 0,
    };
    for (size_t i = 0; i < f->waiting->n; i++) {
        if (strcmp(doc_str(f->waiting->items[i], "_id", ""), name) == 0) {
            out->waiting = doc_i64(f->waiting->items[i], "n", 0);
        }
    }
}

struct docs *pool_waiting(struct cli *c, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "state", BCON_UTF8("ready"),
                                "}", "}", "{", "$group", "{", "_id", BCON_UTF8("$pool"), "n", "{",
                                "$sum", BCON_INT64(1), "}", "}", "}", "]");
    if (d == NULL || db_aggregate(c->db, DB_TASKS, pipeline, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

size_t pool_states(struct cli *c, const struct pool_facts *f, struct pool_state *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; pool_names[i] != NULL && n < room; i++) {
        state_of(c, f, pool_names[i], &out[n++]);
    }
    for (size_t i = 0; i < f->pools->n && n < room; i++) {
        const char *name = doc_str(f->pools->items[i], "_id", "");
        if (config_pool_default(c->cfg, name) < 0 && name[0] != '\0') {
            state_of(c, f, name, &out[n++]);
        }
    }
    return n;
}

json_t *pool_json(const struct pool_state *p)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "pool", json_text(p->name), "slots",
                     (json_int_t)p->slots, "used", (json_int_t)p->used, "waiting",
                     (json_int_t)p->waiting, "reason", json_text(p->reason), "by", json_text(p->by),
                     "at", json_date(p->at_ms));
}

int pool_table(struct cli *c, const struct pool_state *states, size_t n, struct err *err)
{
    static const struct column columns[] = {
        {.title = "POOL"},
        {.title = "SLOTS", .right = true},
        {.title = "USED", .right = true},
        {.title = "WAITING", .right = true},
        {.title = "SET BY", .min = 8, .rank = 1},
        {.title = "AT", .rank = 2},
        {.title = "REASON", .min = 10},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < n; i++) {
        char buf[TEXT_SHORT];
        const struct pool_state *p = &states[i];
        enum style s = p->slots == 0 ? STYLE_BAD : p->used >= p->slots ? STYLE_WAIT : STYLE_PLAIN;
        table_cell(t, STYLE_PLAIN, p->name);
        table_cellf(t, s, "%" PRId64, p->slots);
        table_cellf(t, s, "%" PRId64, p->used);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, p->waiting);
        table_cell(t, STYLE_PLAIN, p->by);
        table_cell(t, STYLE_DIM, p->at_ms > 0 ? text_time(p->at_ms, buf) : "");
        table_cell(t, STYLE_PLAIN, p->reason);
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static struct docs *taken(struct cli *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    return docs_read(c->db, &(struct docs_query){.coll = DB_SLOTS, .filter = filter}, err);
}

enum cli_exit cmd_pool_ls(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct pool_state states[POOLS_MAX];
    AUTO(docs_free)
    struct docs *pools = docs_read(c->db, &(struct docs_query){.coll = DB_POOLS}, err);
    AUTO(docs_free) struct docs *slots = pools != NULL ? taken(c, err) : NULL;
    AUTO(docs_free) struct docs *waiting = slots != NULL ? pool_waiting(c, err) : NULL;
    if (waiting == NULL) {
        return cli_exit_of(err);
    }
    const struct pool_facts f = {.pools = pools, .slots = slots, .waiting = waiting};
    size_t n = pool_states(c, &f, states, POOLS_MAX);
    if (!c->json) {
        return pool_table(c, states, n, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(list, pool_json(&states[i])) != 0) {
            return cli_fail(err, CLI_AWAY, "out of memory");
        }
    }
    return json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit check_name(struct cli *c, const char *pool, struct err *err)
{
    AUTO(bson_destroy) bson_t *doc = NULL;
    if (config_pool_default(c->cfg, pool) >= 0) {
        return CLI_OK;
    }
    if (db_find_id(c->db, DB_POOLS, pool, &doc, err) != 0) {
        return cli_exit_of(err);
    }
    if (doc != NULL) {
        return CLI_OK;
    }
    char meant[SUGGEST_MAX];
    return cli_fail(err, CLI_MISSING, "there is no pool '%s'%s trawl pool ls lists them", pool,
                    suggest_text(pool, pool_names, "", meant));
}

static int store_size(struct cli *c, const struct args *a, int64_t slots, struct err *err)
{
    char who[200];
    const char *reason = args_get(a, "reason");
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(a->words[0]));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW(
        "$set", "{", "slots", BCON_INT64(slots), "reason", BCON_UTF8(reason != NULL ? reason : ""),
        "by", BCON_UTF8(cli_who(who, sizeof who)), "at", BCON_DATE_TIME(wall_ms()), "}");
    bool won = false;
    for (int i = 0; i < 2 && !won; i++) { /* a lost insert means that it is there now */
        if (db_upsert(c->db, DB_POOLS, filter, update, &won, err) != 0) {
            return -1;
        }
    }
    return won ? 0 : ERR(err, ERR_TRANSIENT, 0, "the pool changed meanwhile: try again");
}

static int count_used(struct cli *c, const char *pool, int64_t *used, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("pool", BCON_UTF8(pool), "task", "{", "$ne", BCON_NULL, "}");
    return db_count(c->db, DB_SLOTS, filter, used, err);
}

static void show_wait(const struct cli *c, const char *pool, int64_t used, int64_t slots)
{
    if (c->progress) {
        fprintf(stderr, "\r%s: %" PRId64 " taken, waiting for %" PRId64 " to end\033[K", pool, used,
                used > slots ? used - slots : 0);
    }
}

struct resize {
    const char *pool;
    int64_t slots, timeout_s; /* -1: wait as long as it takes */
};

static enum cli_exit wait_until(struct cli *c, const struct resize *r, struct err *err)
{
    int64_t used = 0;
    int64_t end_ms = r->timeout_s < 0 ? INT64_MAX : mono_ms() + r->timeout_s * 1000;
    for (;;) {
        if (count_used(c, r->pool, &used, err) != 0) {
            return cli_exit_of(err);
        }
        show_wait(c, r->pool, used, r->slots);
        if (used <= r->slots || mono_ms() >= end_ms) {
            break;
        }
        mono_sleep_ms(LOOK_MS);
    }
    if (c->progress) {
        fputs("\r\033[K", stderr);
    }
    return used <= r->slots
               ? CLI_OK
               : cli_fail(err, CLI_NO,
                          "%s: %" PRId64 " slots are still taken; trawl task ls --state "
                          "running shows by whom",
                          r->pool, used);
}

static enum cli_exit read_resize(const struct args *a, struct resize *r, struct err *err)
{
    static const struct args_number sizes = {"the size of a pool", 0, 100000, 0};
    static const struct args_number timeouts = {"timeout", 0, INT_MAX, -1};
    r->pool = a->words[0];
    return text_i64(a->words[1], &sizes, &r->slots, err) != 0 ||
                   args_i64(a, &timeouts, &r->timeout_s, err) != 0
               ? CLI_USAGE
               : CLI_OK;
}

enum cli_exit cmd_pool_set(struct cli *c, const struct args *a, struct err *err)
{
    struct resize r;
    enum cli_exit e = read_resize(a, &r, err);
    if (e == CLI_OK) {
        e = check_name(c, r.pool, err);
    }
    if (e != CLI_OK) {
        return e;
    }
    if (store_size(c, a, r.slots, err) != 0) {
        return cli_exit_of(err);
    }
    cli_event(c, "pool", r.pool, NULL);
    if (args_get(a, "wait") != NULL) {
        e = wait_until(c, &r, err);
    }
    if (c->json) {
        json_t *answer = json_pack("{s:s, s:I}", "pool", r.pool, "slots", (json_int_t)r.slots);
        return json_print(answer, c->out, err) == 0 ? e : cli_exit_of(err);
    }
    if (!c->quiet) {
        fprintf(c->out, "%s: %" PRId64 " slot%s\n", r.pool, r.slots, r.slots == 1 ? "" : "s");
    }
    return e;
}
