/*
 * cmd_stop.c - trawl stop --all and trawl resume: stops everything, and undoes that.
 *
 * Each pool is changed by one guarded update, so that either command may be interrupted and run
 * again: a stopped pool keeps the size that was saved first.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/task/audit.h"
#include "common/task/kinds.h"
#include "ops/pools.h"

#define TRIES 5 /* others may be changing the same pool */

struct button {
    struct cli *c;
    const char *verb, *why, *by;
    bool stop;
    const bson_t *pool; /* as it was read */
    json_t *list;
    size_t changed;
};

static int run_change(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct button *b = ctx;
    const struct pool_order o = {.by = b->by, .why = b->why};
    const char *id = doc_str(b->pool, "_id", "");
    AUTO(bson_destroy) bson_t *now = NULL;
    int rc = b->stop ? pool_stop(b->c->ops.db, b->pool, &o, won, err)
                     : pool_resume(b->c->ops.db, b->pool, won, err);
    if (rc != 0 || db_find_id(b->c->ops.db, DB_POOLS, id, &now, err) != 0) {
        return -1;
    }
    if (*won && now != NULL) {
        pool_append(after, now);
    }
    return 0;
}

static int change_with_entry(struct button *b, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *before = bson_new();
    pool_append(before, b->pool);
    const struct audit_act entry = {.verb = b->verb,
                                    .target = doc_str(b->pool, "_id", ""),
                                    .by = b->by,
                                    .why = b->why,
                                    .before = before,
                                    .run = run_change,
                                    .ctx = b};
    return audit_make(b->c->ops.db, &entry, won, err);
}

/* what: "stopped", "resumed", "kept" (an operator gave it a size meanwhile), "was stopped". */
static void add_pool(struct button *b, const char *what)
{
    int64_t slots = doc_i64(b->pool, "slots", 0), saved = doc_i64(b->pool, "saved_slots", -1);
    const char *id = doc_str(b->pool, "_id", "?");
    json_array_append_new(b->list, json_pack("{s:s, s:s, s:I, s:o}", "pool", id, "what", what,
                                             "slots_before", (json_int_t)slots, "saved_slots",
                                             saved >= 0 ? json_integer(saved) : json_null()));
    if (b->c->json || b->c->quiet) {
        return;
    }
    text_put(b->c->out, id);
    if (strcmp(what, "stopped") == 0) {
        fprintf(b->c->out, ": %" PRId64 " -> 0\n", slots);
    } else if (strcmp(what, "resumed") == 0) {
        fprintf(b->c->out, ": 0 -> %" PRId64 "\n", saved);
    } else if (strcmp(what, "kept") == 0) {
        fprintf(b->c->out, ": left at %" PRId64 ", which %s set meanwhile\n", slots,
                doc_str(b->pool, "by", "somebody"));
    } else {
        fprintf(b->c->out, ": stopped already by %s, was %" PRId64 "\n",
                doc_str(b->pool, "stop.by", "?"), saved);
    }
}

static bool is_concerned(const struct button *b, const bson_t *pool)
{
    return b->stop ? !pool_is_stopped(pool) : pool_has_stop(pool);
}

static int change_pool(struct button *b, const bson_t *pool, struct err *err)
{
    AUTO(bson_destroy) bson_t *now = bson_copy(pool);
    for (int i = 0; i < TRIES; i++) {
        bool won = false;
        b->pool = now;
        if (!is_concerned(b, now)) {
            if (b->stop) {
                add_pool(b, "was stopped");
            }
            return 0;
        }
        if (change_with_entry(b, &won, err) != 0) {
            return -1;
        }
        if (won) {
            add_pool(b, b->stop ? "stopped" : pool_is_stopped(now) ? "resumed" : "kept");
            b->changed++;
            return 0;
        }
        bson_destroy(now);
        now = NULL;
        if (db_find_id(b->c->ops.db, DB_POOLS, doc_str(pool, "_id", ""), &now, err) != 0 ||
            now == NULL) {
            return now == NULL && err->kind == ERR_NONE ? 0 : -1;
        }
    }
    return ERR(err, ERR_TRANSIENT, 0, "the pool %s keeps changing: try again",
               doc_str(pool, "_id", "?"));
}

static int change_pools(struct button *b, struct err *err)
{
    for (size_t i = 0; pool_names[i] != NULL && b->stop; i++) {
        if (pool_seed(b->c->ops.db, b->c->ops.cfg, pool_names[i], err) != 0) {
            return -1;
        }
    }
    AUTO(bson_destroy) bson_t *sorted = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    AUTO(docs_free)
    struct docs *pools =
        docs_read(b->c->ops.db, &(struct docs_query){.coll = DB_POOLS, .opts = sorted}, err);
    for (size_t i = 0; pools != NULL && i < pools->n; i++) {
        if (change_pool(b, pools->items[i], err) != 0) {
            return -1;
        }
    }
    return pools != NULL ? 0 : -1;
}

static void print_end(const struct button *b)
{
    if (b->c->json || b->c->quiet) {
        return;
    }
    if (b->stop) {
        fputs("no new task starts; running tasks finish. To undo: trawl resume\n", b->c->out);
    } else if (json_array_size(b->list) == 0) {
        fputs("nothing is stopped\n", b->c->out);
    }
}

static enum cli_exit run_button(struct cli *c, const struct args *a, bool stop, struct err *err)
{
    struct button b = {.c = c, .verb = a->command->name, .stop = stop};
    if (cli_why(a, stop, &b.why, err) != 0) {
        return CLI_USAGE;
    }
    AUTO(json_decref) json_t *list = json_array();
    b.by = c->ops.by;
    b.list = list;
    int rc = change_pools(&b, err);
    if (b.changed > 0) {
        ops_event(&c->ops, "pool", stop ? "stop" : "resume", NULL);
    }
    if (rc != 0) {
        return cli_exit_of(err);
    }
    print_end(&b);
    return !c->json || json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static enum cli_exit cmd_stop(struct cli *c, const struct args *a, struct err *err)
{
    if (args_get(a, "all") == NULL) {
        return cli_fail(err, CLI_USAGE,
                        "add --all to stop every pool; for one pool: trawl pool set <pool> 0");
    }
    return run_button(c, a, true, err);
}

static const struct cli_option stop_options[] = {
    {"all", NULL, "required: every pool"},
    {"why", "TEXT", "the reason, required: shown by status, why and top, and kept in trawl log"},
    {0},
};

const struct command command_stop = {
    .name = "stop",
    .args = "",
    .brief = "stop everything: no pool starts a task",
    .help = "No new task starts; running tasks finish. The sizes are kept until trawl resume, even "
            "after a\n"
            "second stop. A pool that gets a size meanwhile keeps that size.\n\n"
            "  trawl stop --all --why \"smoke in room 4\"",
    .options = stop_options,
    .need = NEED_DB,
    .destructive = true,
    .run = cmd_stop};

static enum cli_exit cmd_resume(struct cli *c, const struct args *a, struct err *err)
{
    return run_button(c, a, false, err);
}

const struct command command_resume = {
    .name = "resume",
    .args = "",
    .brief = "undo trawl stop: every pool gets its size back",
    .help = "A pool that was given a size since the stop keeps it, and is named.\n\n"
            "  trawl resume --why \"false alarm\"",
    .options = why_option,
    .need = NEED_DB,
    .run = cmd_resume};
