/* cmd_status.c - trawl status: gathers; cmd_status_print.c shows. */
#include <string.h>

#include "cli/args.h"
#include "common/base/clock.h"
#include "common/db/doc_json.h"
#include "ops/status.h"

#define MOUNTS_LATELY_MS (15 * 60 * 1000)
#define ALERTS_SHOWN     20
#define KAFKA_WAIT_MS    3000
#define KAFKA_LOOK_MS    20

static struct docs *count_statuses(struct cli *c, struct err *err)
{
    AUTO(docs_free) struct docs *d = docs_new(err);
    AUTO(bson_destroy)
    bson_t *pipeline = BCON_NEW("pipeline", "[", "{", "$group", "{", "_id", BCON_UTF8("$status"),
                                "n", "{", "$sum", BCON_INT64(1), "}", "}", "}", "{", "$sort", "{",
                                "_id", BCON_INT32(1), "}", "}", "]");
    if (d == NULL || db_aggregate(c->db, DB_RAW_FILES, pipeline, docs_add, d, err) != 0) {
        return NULL;
    }
    return TAKE(d);
}

/* A host that reports no more says nothing about today. */
static struct docs *read_mounts(struct cli *c, const bson_t *sorted, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *lately = BCON_NEW("at", "{", "$gt", BCON_DATE_TIME(wall_ms() - MOUNTS_LATELY_MS), "}");
    return docs_read(
        c->db, &(struct docs_query){.coll = DB_MOUNTS, .filter = lately, .opts = sorted}, err);
}

static int read_alerts(struct cli *c, struct status *s, struct err *err)
{
    AUTO(bson_destroy) bson_t *open = BCON_NEW("open", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *newest = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(1), "}", "limit",
                              BCON_INT64(ALERTS_SHOWN));
    s->alerts = docs_read(c->db, &(struct docs_query){DB_ALERTS, open, newest}, err);
    return s->alerts == NULL ? -1 : db_count(c->db, DB_ALERTS, open, &s->n_alerts, err);
}

static int gather(struct cli *c, struct status *s, struct err *err)
{
    AUTO(bson_destroy) bson_t *sorted = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    if (facts_read(c, &s->facts, err) != 0) {
        return -1;
    }
    s->watches = docs_read(c->db, &(struct docs_query){.coll = DB_WATCHES, .opts = sorted}, err);
    s->mounts = s->watches != NULL ? read_mounts(c, sorted, err) : NULL;
    s->counts = s->mounts != NULL && read_alerts(c, s, err) == 0 ? count_statuses(c, err) : NULL;
    s->waiting = s->counts != NULL ? pool_waiting(c, err) : NULL;
    if (s->waiting == NULL) {
        return -1;
    }
    const struct pool_facts f = {s->facts.pools, s->facts.slots, s->waiting};
    s->n_pools = pool_states(c, &f, s->pools, POOLS_MAX);
    return 0;
}

static void clear(struct status *s)
{
    facts_free(&s->facts);
    docs_free(s->watches);
    docs_free(s->mounts);
    docs_free(s->alerts);
    docs_free(s->counts);
    docs_free(s->waiting);
}

/* The client connects by itself; a broker that is up answers within milliseconds. */
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

/* The worst news decides. */
static enum cli_exit judge(const struct cli *c, const struct status *s, struct err *err)
{
    if (s->mongo.kind != ERR_NONE) {
        *err = s->mongo;
        return cli_exit_of(err);
    }
    if (!s->kafka) {
        return cli_fail(err, CLI_AWAY,
                        "Kafka at %s does not answer: is it running? See [kafka] brokers",
                        c->cfg->kafka.brokers);
    }
    return alive_leader(&s->facts.alive) != NULL && s->facts.alive.workers->n > 0 ? CLI_OK : CLI_NO;
}

static enum cli_exit show(struct cli *c, const struct status *s, struct err *err)
{
    int rc = c->json ? json_print(status_json(c, s), c->out, err) : status_print(c, s, err);
    return rc == 0 ? judge(c, s, err) : cli_exit_of(err);
}

enum cli_exit cmd_status(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct status s = {.now_ms = wall_ms()};
    AUTO(bus_free) struct bus *bus = bus_new(c->cfg, "trawl", err);
    if (bus == NULL) {
        return cli_exit_of(err);
    }
    if (db_ping(c->db, &s.mongo) == 0) {
        (void)!gather(c, &s, &s.mongo); /* shown with the rest */
    }
    s.kafka = kafka_answers(bus);
    s.now_ms = wall_ms();
    enum cli_exit e = show(c, &s, err);
    clear(&s);
    return e;
}
