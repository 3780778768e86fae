/*
 * cmd_status_print.c - trawl status for people.
 *
 * Servers and the scheduler come first, then a stop that is in force, workers, instruments,
 * locations with a problem, pools, alerts, and how many raw files have which status.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cmd_mount_check.h"
#include "cli/cmd_pool.h"
#include "cli/cmd_status_print.h"
#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/db/schema.h"
#include "common/version.h"
#include "ops/locations.h"

void status_kinds(const bson_t *worker, char *buf, size_t room)
{
    bson_t kinds;
    bson_iter_t at;
    size_t used = 0;
    buf[0] = '\0';
    if (!doc_sub(worker, "kinds", &kinds) || !bson_iter_init(&at, &kinds)) {
        return;
    }
    while (bson_iter_next(&at) && used < room) {
        bson_t kind;
        const char *name = bson_iter_key(&at);
        if (!doc_sub(&kinds, name, &kind)) {
            continue;
        }
        int n = snprintf(buf + used, room - used, "%s%s %" PRId64 "/%" PRId64, used > 0 ? ", " : "",
                         name, doc_i64(&kind, "free", 0), doc_i64(&kind, "threads", 0));
        used += n > 0 ? (size_t)n : 0;
    }
}

static int64_t count_running(const bson_t *worker)
{
    bson_t runs;
    return doc_sub(worker, "running", &runs) ? (int64_t)bson_count_keys(&runs) : 0;
}

static void print_line(struct cli *c, const char *what, bool good, const char *text)
{
    enum style s = good ? STYLE_GOOD : STYLE_BAD;
    fprintf(c->out, "%-11s ", what);
    style_put(c->out, s, c->color, good ? "ok   " : "error");
    fputc(' ', c->out);
    text_put(c->out, text);
    fputc('\n', c->out);
}

static void print_stopped(struct cli *c, const struct status *s)
{
    char text[700];
    const struct stopped stop = pools_stopped(s->facts.pools);
    if (stop.pools > 0) {
        stopped_text(&stop, s->now_ms, text, sizeof text);
        style_put(c->out, STYLE_BAD, c->color, "STOPPED");
        fputs("     ", c->out);
        text_put(c->out, text);
        fputs("\n            to undo: trawl resume\n", c->out);
    }
}

static void print_servers(struct cli *c, const struct status *s)
{
    char buf[TEXT_SHORT];
    char text[400];
    fprintf(c->out, "%-11s %s   trawl %s\n", "environment", c->ops.cfg->trawl.env, TRAWL_VERSION);
    bool mongo = s->mongo.kind == ERR_NONE;
    print_line(c, "MongoDB", mongo, mongo ? c->ops.cfg->mongo.database : s->mongo.msg);
    print_line(c, "Kafka", s->kafka, c->ops.cfg->kafka.brokers);
    if (!mongo) {
        return;
    }
    const bson_t *leader = alive_leader(&s->facts.alive);
    if (leader == NULL) {
        print_line(c, "scheduler", false, "no scheduler leads: start trawl-scheduler");
        return;
    }
    snprintf(text, sizeof text, "%s leads, epoch %" PRId64 ", beat %s ago",
             doc_str(leader, "holder", "?"), doc_i64(leader, "epoch", 0),
             text_age(doc_i64(leader, "at", 0), s->now_ms, buf));
    print_line(c, "scheduler", !doc_has(leader, "trouble"), text);
    if (doc_has(leader, "trouble")) {
        const char *what = doc_str(leader, "trouble.what", "");
        snprintf(text, sizeof text, "cannot %s for %s: %.300s",
                 strcmp(what, "quant") == 0   ? "quantify"
                 : strcmp(what, "admit") == 0 ? "run any task"
                                              : "plan",
                 text_duration(s->now_ms - doc_i64(leader, "trouble.since", s->now_ms), buf),
                 doc_str(leader, "trouble.why", "?"));
        print_line(c, "", false, text);
    }
}

/* Whether a process that has written down its version has another one than this program. */
static bool differs(const bson_t *doc)
{
    return strcmp(doc_str(doc, "version", TRAWL_VERSION), TRAWL_VERSION) != 0;
}

/* While an upgrade goes from host to host, or a host was forgotten. */
static void print_versions(struct cli *c, const struct status *s)
{
    char text[300];
    size_t others = 0;
    const struct docs *workers = s->facts.alive.workers;
    const bson_t *leader = alive_leader(&s->facts.alive);
    for (size_t i = 0; i < workers->n; i++) {
        others += differs(workers->items[i]);
    }
    bool leads = leader != NULL && differs(leader);
    if (others == 0 && !leads) {
        return;
    }
    snprintf(text, sizeof text,
             "mixed: this is %s, the leader %s, and %zu of %zu workers have another one than this",
             TRAWL_VERSION, leader != NULL ? doc_str(leader, "version", "unknown") : "missing",
             others, workers->n);
    print_line(c, "versions", false, text);
}

static void print_migration(struct cli *c, const struct status *s)
{
    char text[300], buf[TEXT_SHORT];
    bson_t m;
    if (s->schema == NULL || !doc_sub(s->schema, "migration", &m)) {
        return;
    }
    snprintf(text, sizeof text,
             "%" PRId64 " of %d has been running for %s: %s, %" PRId64 " documents so far",
             doc_i64(&m, "number", 0), SCHEMA_VERSION,
             text_duration(s->now_ms - doc_i64(&m, "since", s->now_ms), buf),
             doc_str(&m, "what", "?"), doc_i64(&m, "done", 0));
    print_line(c, "migration", true, text);
}

static void worker_row(struct table *t, const struct status *s, const bson_t *w, bool lives)
{
    char kinds[200];
    char buf[TEXT_SHORT];
    const char *state = !lives ? "lost" : doc_bool(w, "stopping", false) ? "stopping" : "ok";
    enum style look = !lives ? STYLE_BAD : style_of_state(state);
    status_kinds(w, kinds, sizeof kinds);
    table_cell(t, STYLE_PLAIN, doc_str(w, "_id", "?"));
    table_cell(t, look, state);
    table_cell(t, STYLE_PLAIN, kinds);
    table_cellf(t, STYLE_PLAIN, "%" PRId64, count_running(w));
    table_cell(t, STYLE_DIM, text_age(doc_i64(w, "at", 0), s->now_ms, buf));
    table_cell(t, differs(w) ? STYLE_BAD : STYLE_DIM, doc_str(w, "version", "-"));
}

static int print_workers(struct cli *c, const struct status *s, struct err *err)
{
    static const struct column columns[] = {{.title = "WORKER", .min = 12},
                                            {.title = "STATE"},
                                            {.title = "FREE/THREADS", .min = 16},
                                            {.title = "RUNNING", .right = true},
                                            {.title = "BEAT", .right = true},
                                            {.title = "VERSION", .rank = 1},
                                            {0}};
    const struct alive *a = &s->facts.alive;
    if (a->workers->n + a->stale->n == 0) {
        print_line(c, "workers", false, "none is alive: start trawl-worker");
        return 0;
    }
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < a->workers->n; i++) {
        worker_row(t, s, a->workers->items[i], true);
    }
    for (size_t i = 0; t != NULL && i < a->stale->n; i++) {
        worker_row(t, s, a->stale->items[i], false);
    }
    fputc('\n', c->out);
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static int print_instruments(struct cli *c, const struct status *s, struct err *err)
{
    static const struct column columns[] = {
        {.title = "INSTRUMENT", .min = 8},
        {.title = "TYPE", .rank = 2},
        {.title = "STATUS"},
        {.title = "FILES", .right = true},
        {.title = "OPEN", .right = true},
        {.title = "FREE GB", .right = true, .rank = 1},
        {.title = "SEEN", .right = true},
        {.title = "DETAIL", .min = 12},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < s->watches->n; i++) {
        const bson_t *w = s->watches->items[i];
        char buf[TEXT_SHORT];
        const char *status = doc_str(w, "status", "?");
        int64_t free_gb = doc_i64(w, "free_space_gb", -1);
        table_cell(t, STYLE_PLAIN, doc_str(w, "_id", "?"));
        table_cell(t, STYLE_PLAIN, doc_str(w, "type", ""));
        table_cell(t, style_of_state(status), status);
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(w, "files", 0));
        table_cellf(t, STYLE_PLAIN, "%" PRId64, doc_i64(w, "open", 0));
        if (free_gb >= 0) {
            table_cellf(t, STYLE_PLAIN, "%" PRId64, free_gb);
        } else {
            table_cell(t, STYLE_DIM, "-");
        }
        table_cell(t, STYLE_DIM, text_age(doc_i64(w, "at", 0), s->now_ms, buf));
        table_cell(t, STYLE_BAD, doc_str(w, "detail", ""));
    }
    fputc('\n', c->out);
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

/* Only locations with a problem; a list of what works would hide them. */
static int print_locations(struct cli *c, const struct status *s, struct err *err)
{
    AUTO(docs_free) struct docs *bad = docs_new(err);
    for (size_t i = 0; bad != NULL && i < s->mounts->n; i++) {
        if (!locations_well(s->mounts->items[i]) && docs_add(bad, s->mounts->items[i], err) != 0) {
            return -1;
        }
    }
    if (bad == NULL || bad->n == 0) {
        return bad == NULL ? -1 : 0;
    }
    fputc('\n', c->out);
    return locations_table(c, bad, err);
}

static void print_alerts(struct cli *c, const struct status *s)
{
    if (s->n_alerts == 0) {
        return;
    }
    fprintf(c->out, "\nalerts      ");
    style_put(c->out, STYLE_BAD, c->color, "open");
    fprintf(c->out, " %" PRId64 "\n", s->n_alerts);
    for (size_t i = 0; i < s->alerts->n; i++) {
        const bson_t *a = s->alerts->items[i];
        char age[TEXT_SHORT];
        fprintf(c->out, "  %4s  ", text_age(doc_i64(a, "at", 0), s->now_ms, age));
        text_put(c->out, doc_str(a, "raw_file", ""));
        fputs(": ", c->out);
        text_put(c->out, doc_str(a, "text", doc_str(a, "kind", "?")));
        fputc('\n', c->out);
    }
    if (s->n_alerts > (int64_t)s->alerts->n) {
        fprintf(c->out, "        and %" PRId64 " more\n", s->n_alerts - (int64_t)s->alerts->n);
    }
}

static void print_counts(struct cli *c, const struct status *s)
{
    int64_t total = 0;
    fputs("\nraw files  ", c->out);
    for (size_t i = 0; i < s->counts->n; i++) {
        const char *name = doc_str(s->counts->items[i], "_id", "?");
        int64_t n = doc_i64(s->counts->items[i], "n", 0);
        enum style look = style_of_state(name);
        total += n;
        fputs(i == 0 ? "" : i % 4 == 0 ? ",\n           " : ", ", c->out);
        style_put(c->out, look, c->color, name);
        fprintf(c->out, " %" PRId64, n);
    }
    fprintf(c->out, "%s%" PRId64 " in all, %" PRId64 " with an error\n",
            s->counts->n > 0 ? "\n           " : "", total, status_errors(s));
}

int status_print(struct cli *c, const struct status *s, struct err *err)
{
    print_servers(c, s);
    print_migration(c, s);
    if (s->mongo.kind != ERR_NONE) {
        return 0;
    }
    print_versions(c, s);
    print_stopped(c, s);
    if (print_workers(c, s, err) != 0 || (s->watches->n > 0 && print_instruments(c, s, err) != 0) ||
        print_locations(c, s, err) != 0) {
        return -1;
    }
    fputc('\n', c->out);
    if (pool_table(c, s->pools, s->n_pools, err) != 0) {
        return -1;
    }
    print_alerts(c, s);
    print_counts(c, s);
    return 0;
}
