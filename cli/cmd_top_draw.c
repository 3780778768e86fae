/*
 * cmd_top_draw.c - prints what trawl top shows, as lines or as JSON.
 *
 * What matters most comes first, because a small screen cuts the end: the head, a stop that is in
 * force, rates, then the tables of pools, newest errors, running and waiting tasks, and workers.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cmd_status_print.h"
#include "cli/cmd_top_draw.h"
#include "cli/table.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"

#define BAR_WIDTH     20
#define RUNNING_SHOWN 10
#define WORKERS_SHOWN 12

const char *top_bar(int64_t used, int64_t size, char buf[static TOP_BAR_MAX])
{
    int64_t fill = size > 0 ? used * BAR_WIDTH / size : used > 0 ? BAR_WIDTH : 0;
    fill = used > 0 && fill == 0 ? 1 : fill > BAR_WIDTH ? BAR_WIDTH : fill;
    buf[0] = '[';
    memset(buf + 1, '#', (size_t)fill);
    memset(buf + 1 + fill, '.', (size_t)(BAR_WIDTH - fill));
    memcpy(buf + 1 + BAR_WIDTH, "]", 2);
    return buf;
}

static int print_table(struct cli *c, const struct table *t, struct err *err)
{
    fputc('\n', c->out);
    return table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

/* --- the head --- */

static void print_head(struct cli *c, const struct top *t)
{
    char when[TEXT_SHORT];
    const bson_t *leader = top_leader(&c->ops, t);
    fprintf(c->out, "trawl %s  %s UTC  ", c->ops.cfg->trawl.env, text_time(t->now_ms, when));
    if (leader != NULL) {
        text_put(c->out, doc_str(leader, "holder", "?"));
        fputs(" leads", c->out);
    } else {
        style_put(c->out, STYLE_BAD, c->color, "no scheduler leads");
    }
    if (t->n_alerts > 0) {
        char alerts[48];
        snprintf(alerts, sizeof alerts, "  %" PRId64 " open alert%s", t->n_alerts,
                 t->n_alerts == 1 ? "" : "s");
        style_put(c->out, STYLE_BAD, c->color, alerts);
    }
    fputc('\n', c->out);
}

static void print_banner(struct cli *c, const struct top *t)
{
    const struct stopped stop = pools_stopped(t->pools);
    if (stop.pools > 0) {
        char text[700];
        stopped_text(&stop, t->now_ms, text, sizeof text);
        style_put(c->out, STYLE_BAD, c->color, "STOPPED ");
        text_put(c->out, text);
        fputs("   to undo: trawl resume\n", c->out);
    }
}

static void print_rates(struct cli *c, const struct top *t)
{
    char size[TEXT_SHORT];
    fputs("last minute: ", c->out);
    for (size_t i = 0; i < t->ended->n; i++) {
        const bson_t *d = t->ended->items[i];
        const char *state = doc_str(d, "_id", "?");
        fprintf(c->out, "%s%" PRId64 " ", i > 0 ? ", " : "", doc_i64(d, "n", 0));
        style_put(c->out, style_of_state(state), c->color, state);
    }
    if (t->ended->n == 0) {
        fputs("no task ended", c->out);
    }
    fprintf(c->out, "; %s copied", text_size(top_bytes(t), size));
    const struct top_copying now = top_copying(t);
    if (now.copies > 0) {
        fprintf(c->out, "; now %" PRId64 " cop%s at %s/s", now.copies,
                now.copies == 1 ? "y" : "ies", text_size(now.bytes_per_s, size));
    }
    fputc('\n', c->out);
}

/* --- the tables --- */

static int print_pools(struct cli *c, const struct top *t, struct err *err)
{
    static const struct column columns[] = {{.title = "POOL"},
                                            {.title = "", .rank = 1},
                                            {.title = "USED", .right = true},
                                            {.title = "SLOTS", .right = true},
                                            {.title = "WAITING", .right = true},
                                            {0}};
    AUTO(table_free) struct table *table = table_new(columns, err);
    for (size_t i = 0; table != NULL && i < t->n_states; i++) {
        char bar[TOP_BAR_MAX];
        const struct pool_state *p = &t->states[i];
        enum style s = p->slots == 0 ? STYLE_BAD : p->used >= p->slots ? STYLE_WAIT : STYLE_GOOD;
        table_cell(table, STYLE_PLAIN, p->name);
        table_cell(table, s, top_bar(p->used, p->slots, bar));
        table_cellf(table, STYLE_PLAIN, "%" PRId64, p->used);
        table_cellf(table, s, "%" PRId64, p->slots);
        table_cellf(table, p->waiting > 0 ? STYLE_BOLD : STYLE_DIM, "%" PRId64, p->waiting);
    }
    return table == NULL ? -1 : print_table(c, table, err);
}

static void run_row(struct table *table, const bson_t *worker, const bson_t *run,
                    const struct top *t)
{
    char percent[TEXT_SHORT], age[TEXT_SHORT];
    table_cell(table, STYLE_PLAIN, doc_str(run, "task", "?"));
    table_cell(table, STYLE_PLAIN, doc_str(run, "step", ""));
    table_cell(table, STYLE_WAIT,
               text_percent(doc_i64(run, "done", 0), doc_i64(run, "total", 0), percent));
    table_cell(table, STYLE_DIM, text_age(doc_i64(run, "started", 0), t->now_ms, age));
    table_cell(table, STYLE_DIM, doc_str(worker, "_id", "?"));
}

static int print_running(struct cli *c, const struct top *t, struct err *err)
{
    static const struct column columns[] = {
        {.title = "RUNNING", .min = 30},       {.title = "STEP"},
        {.title = "DONE", .right = true},      {.title = "FOR", .right = true},
        {.title = "ON", .min = 12, .rank = 1}, {0}};
    size_t n = 0;
    AUTO(table_free) struct table *table = table_new(columns, err);
    for (size_t i = 0; table != NULL && i < t->workers->n; i++) {
        bson_t runs, run;
        bson_iter_t at;
        if (!doc_sub(t->workers->items[i], "running", &runs) || !bson_iter_init(&at, &runs)) {
            continue;
        }
        while (n < RUNNING_SHOWN && bson_iter_next(&at)) {
            if (doc_sub(&runs, bson_iter_key(&at), &run)) {
                run_row(table, t->workers->items[i], &run, t);
                n++;
            }
        }
    }
    return table == NULL ? -1 : n > 0 ? print_table(c, table, err) : 0;
}

static int print_workers(struct cli *c, const struct top *t, struct err *err)
{
    static const struct column columns[] = {{.title = "WORKER", .min = 12},
                                            {.title = "FREE/THREADS", .min = 16},
                                            {.title = "BEAT", .right = true},
                                            {0}};
    AUTO(table_free) struct table *table = table_new(columns, err);
    size_t n = t->workers->n < WORKERS_SHOWN ? t->workers->n : WORKERS_SHOWN;
    for (size_t i = 0; table != NULL && i < n; i++) {
        const bson_t *w = t->workers->items[i];
        char kinds[200], beat[TEXT_SHORT];
        int64_t silence = top_silence_ms(t, w);
        status_kinds(w, kinds, sizeof kinds);
        table_cell(table, STYLE_PLAIN, doc_str(w, "_id", "?"));
        table_cell(table, STYLE_PLAIN, kinds);
        table_cell(table, silence > c->ops.cfg->worker.lease_ms ? STYLE_BAD : STYLE_DIM,
                   text_age(t->now_ms - silence, t->now_ms, beat));
    }
    if (table == NULL || n == 0) {
        fputc('\n', c->out);
        style_put(c->out, STYLE_BAD, c->color, n == 0 ? "no worker is alive" : "");
        fputc('\n', c->out);
        return table == NULL ? -1 : 0;
    }
    if (print_table(c, table, err) != 0) {
        return -1;
    }
    if (t->workers->n > n) {
        fprintf(c->out, "and %zu more\n", t->workers->n - n);
    }
    return 0;
}

static int print_waiting(struct cli *c, const struct top *t, struct err *err)
{
    static const struct column columns[] = {{.title = "WAITS LONGEST", .min = 30},
                                            {.title = "POOL", .rank = 1},
                                            {.title = "FOR", .right = true},
                                            {.title = "LAST ERROR", .min = 16},
                                            {0}};
    AUTO(table_free) struct table *table = table_new(columns, err);
    for (size_t i = 0; table != NULL && i < t->oldest->n; i++) {
        char age[TEXT_SHORT];
        const bson_t *d = t->oldest->items[i];
        table_cell(table, STYLE_PLAIN, doc_str(d, "_id", "?"));
        table_cell(table, STYLE_PLAIN, doc_str(d, "pool", ""));
        table_cell(table, STYLE_WAIT, text_age(doc_i64(d, "ready_at", 0), t->now_ms, age));
        table_cell(table, STYLE_DIM, doc_str(d, "error.msg", ""));
    }
    return table == NULL ? -1 : t->oldest->n > 0 ? print_table(c, table, err) : 0;
}

static int print_errors(struct cli *c, const struct top *t, struct err *err)
{
    static const struct column columns[] = {{.title = "FAILED LAST", .min = 30},
                                            {.title = "AGO", .right = true},
                                            {.title = "ERROR", .min = 20},
                                            {0}};
    AUTO(table_free) struct table *table = table_new(columns, err);
    for (size_t i = 0; table != NULL && i < t->errors->n; i++) {
        char age[TEXT_SHORT];
        const bson_t *d = t->errors->items[i];
        table_cell(table, STYLE_PLAIN, doc_str(d, "_id", "?"));
        table_cell(table, STYLE_DIM, text_age(doc_i64(d, "ended_at", 0), t->now_ms, age));
        table_cell(table, STYLE_BAD, doc_str(d, "error.msg", ""));
    }
    return table == NULL ? -1 : t->errors->n > 0 ? print_table(c, table, err) : 0;
}

int top_draw(struct cli *c, const struct top *t, struct err *err)
{
    if (t->away.kind != ERR_NONE) {
        style_put(c->out, STYLE_BAD, c->color, t->away.msg);
        fputc('\n', c->out);
    }
    if (t->workers == NULL) {
        return 0;
    }
    print_head(c, t);
    print_banner(c, t);
    print_rates(c, t);
    return print_pools(c, t, err) != 0 || print_errors(c, t, err) != 0 ||
                   print_running(c, t, err) != 0 || print_waiting(c, t, err) != 0 ||
                   print_workers(c, t, err) != 0
               ? -1
               : 0;
}
