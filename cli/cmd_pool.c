/*
 * cmd_pool.c - trawl pool ls|set: how many tasks run over all hosts, changeable while they run.
 *
 * set is one update, guarded by the pool as it was read. With --wait it then polls the taken slots
 * until no more than the new size are left. A leader may admit by the old size for a moment, so
 * only what is read after ACTS_MS counts, and somebody else's change ends the wait.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_pool.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/task/audit.h"
#include "ops/alive.h"

#define POLL_MS 300  /* between two readings while waiting */
#define ACTS_MS 1000 /* how soon a leader applies a new size */

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
        if (p->saved >= 0) {
            table_cellf(t, STYLE_BAD, "stopped, was %" PRId64 ": %s", p->saved, p->reason);
        } else {
            table_cell(t, STYLE_PLAIN, p->reason);
        }
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static struct docs *read_taken(struct cli *c, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    return docs_read(c->ops.db, &(struct docs_query){.coll = DB_SLOTS, .filter = filter}, err);
}

static enum cli_exit cmd_pool_ls(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct pool_state states[POOLS_MAX];
    AUTO(docs_free)
    struct docs *pools = docs_read(c->ops.db, &(struct docs_query){.coll = DB_POOLS}, err);
    AUTO(docs_free) struct docs *slots = pools != NULL ? read_taken(c, err) : NULL;
    AUTO(docs_free) struct docs *waiting = slots != NULL ? pool_waiting(&c->ops, err) : NULL;
    if (waiting == NULL) {
        return cli_exit_of(err);
    }
    const struct pool_facts f = {.pools = pools, .slots = slots, .waiting = waiting};
    size_t n = pool_states(&c->ops, &f, states, POOLS_MAX);
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

const struct command command_pool_ls = {.name = "pool ls",
                                        .args = "",
                                        .brief = "pools: slots, taken, waiting, by whom and why",
                                        .need = NEED_DB,
                                        .run = cmd_pool_ls};

struct resize {
    struct cli *c;
    const char *pool, *why;
    int64_t slots, timeout_s; /* -1: wait as long as it takes */
    const bson_t *before;
};

static int store_size(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct resize *r = ctx;
    const struct pool_order o = {.by = r->c->ops.by, .why = r->why, .slots = r->slots};
    BCON_APPEND(after, "slots", BCON_INT64(r->slots));
    return pool_resize(r->c->ops.db, r->before, &o, won, err);
}

static enum cli_exit resize(struct resize *r, struct err *err)
{
    AUTO(bson_destroy) bson_t *pool = NULL;
    AUTO(bson_destroy) bson_t *before = bson_new();
    bool won;
    if (pool_find(&r->c->ops, r->pool, &pool, err) != 0) {
        return cli_exit_of(err);
    }
    pool_append(before, pool);
    r->before = pool;
    const struct audit_act entry = {.verb = "pool set",
                                    .target = r->pool,
                                    .by = r->c->ops.by,
                                    .why = r->why,
                                    .before = before,
                                    .run = store_size,
                                    .ctx = r};
    if (audit_make(r->c->ops.db, &entry, &won, err) != 0) {
        return cli_exit_of(err);
    }
    return won ? CLI_OK
               : cli_fail(err, CLI_REFUSED,
                          "somebody else changed the pool %s meanwhile: see trawl pool ls, then "
                          "try again",
                          r->pool);
}

static int count_used(struct cli *c, const char *pool, int64_t *used, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("pool", BCON_UTF8(pool), "task", "{", "$ne", BCON_NULL, "}");
    return db_count(c->ops.db, DB_SLOTS, filter, used, err);
}

/* On a terminal one line that changes, elsewhere one line for each change. */
static void show_wait(const struct cli *c, const struct resize *r, int64_t used, int64_t *shown)
{
    int64_t waiting = used > r->slots ? used - r->slots : 0;
    if (c->progress) {
        fprintf(stderr, "\r%s: %" PRId64 " taken, waiting for %" PRId64 " to end\033[K", r->pool,
                used, waiting);
    } else if (!c->quiet && used != *shown) {
        fprintf(stderr, "%s: %" PRId64 " taken, waiting for %" PRId64 " to end\n", r->pool, used,
                waiting);
    }
    *shown = used;
}

/* CLI_REFUSED when somebody else has given it another size meanwhile, which ends the wait. */
static enum cli_exit check_unchanged(const struct resize *r, struct err *err)
{
    AUTO(bson_destroy) bson_t *pool = NULL;
    if (pool_find(&r->c->ops, r->pool, &pool, err) != 0) {
        return cli_exit_of(err);
    }
    if (doc_i64(pool, "slots", -1) == r->slots) {
        return CLI_OK;
    }
    return cli_fail(err, CLI_REFUSED, "%s was given %" PRId64 " slots by %s meanwhile", r->pool,
                    doc_i64(pool, "slots", -1),
                    doc_str(pool, pool_is_stopped(pool) ? "stop.by" : "by", "somebody"));
}

/* Only a leader frees the slot of a task that has ended. */
static void warn_leaderless(struct cli *c)
{
    struct alive alive;
    struct err ignored = {0};
    if (alive_read(&c->ops, &alive, &ignored) == 0 && alive_leader(&alive) == NULL) {
        fputs("no scheduler leads, so no slot becomes free: start trawl-scheduler\n", stderr);
    }
    alive_free(&alive);
}

/* A leader may admit by the old size for ACTS_MS, so only what is read after that counts. */
static enum cli_exit wait_until_drained(const struct resize *r, int64_t *used, bool *drained,
                                        struct err *err)
{
    int64_t end_ms = r->timeout_s < 0 ? INT64_MAX : mono_ms() + r->timeout_s * 1000;
    int64_t acts_ms = mono_ms() + ACTS_MS, shown = -1;
    for (bool warned = false;;) {
        enum cli_exit e = check_unchanged(r, err);
        if (e != CLI_OK || count_used(r->c, r->pool, used, err) != 0) {
            return e != CLI_OK ? e : cli_exit_of(err);
        }
        show_wait(r->c, r, *used, &shown);
        *drained = *used <= r->slots && mono_ms() >= acts_ms;
        if (*drained || mono_ms() >= end_ms) {
            return CLI_OK;
        }
        if (!warned && mono_ms() >= acts_ms) {
            warn_leaderless(r->c);
            warned = true;
        }
        mono_sleep_ms(POLL_MS);
    }
}

static enum cli_exit wait_for_drain(const struct resize *r, struct err *err)
{
    int64_t used = 0;
    bool drained = false;
    enum cli_exit e = wait_until_drained(r, &used, &drained, err);
    if (r->c->progress) {
        fputs("\r\033[K", stderr);
    }
    if (e != CLI_OK || drained) {
        return e;
    }
    return used <= r->slots
               ? cli_fail(err, CLI_NO,
                          "%s: no more than %" PRId64 " slots are taken, but a new size "
                          "takes a second to act: allow a longer --timeout",
                          r->pool, r->slots)
               : cli_fail(err, CLI_NO,
                          "%s: %" PRId64 " slots are still taken; trawl why %s shows who has them",
                          r->pool, used, r->pool);
}

static enum cli_exit read_resize(const struct args *a, struct resize *r, struct err *err)
{
    static const struct args_number sizes = {"the size of a pool", 0, POOL_MAX_SLOTS, 0};
    static const struct args_number timeouts = {"timeout", 0, INT_MAX, -1};
    r->pool = a->words[0];
    return text_i64(a->words[1], &sizes, &r->slots, err) != 0 ||
                   args_i64(a, &timeouts, &r->timeout_s, err) != 0 ||
                   cli_why(a, false, &r->why, err) != 0
               ? CLI_USAGE
               : CLI_OK;
}

static enum cli_exit cmd_pool_set(struct cli *c, const struct args *a, struct err *err)
{
    struct resize r = {.c = c};
    enum cli_exit e = read_resize(a, &r, err);
    e = e == CLI_OK ? resize(&r, err) : e;
    if (e != CLI_OK) {
        return e;
    }
    ops_event(&c->ops, "pool", r.pool, NULL);
    if (args_get(a, "wait") != NULL) {
        e = wait_for_drain(&r, err);
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

static const struct cli_option pool_set_options[] = {
    {"why", "TEXT", "the reason, shown by pool ls and why and kept in trawl log"},
    {"wait", NULL, "wait until no more than <n> slots are taken"},
    {"timeout", "S", "with --wait: give up after S seconds and exit 1"},
    {0},
};

const struct command command_pool_set = {
    .name = "pool set",
    .args = "<pool> <n>",
    .brief = "change a pool's size now; 0 drains it",
    .help = "A smaller size ends nothing that runs: slots above it are not taken again.\n\n"
            "  trawl pool set file_copy 0 --why \"the switch is replaced\" --wait",
    .options = pool_set_options,
    .min_words = 2,
    .max_words = 2,
    .need = NEED_DB,
    .run = cmd_pool_set};
