/* cmd_retention.c - trawl retention: what the leader takes away when it has become old. */
#include <inttypes.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "ops/retained.h"

static int print_kinds(struct cli *c, const struct retained *r, struct err *err)
{
    static const struct column columns[] = {
        {.title = "WHAT"},
        {.title = "KEPT", .right = true},
        {.title = "DUE", .right = true},
        {.title = "GONE", .right = true},
        {.title = "LAST", .right = true},
        {0},
    };
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < RETENTION_KIND_COUNT; i++) {
        char age[TEXT_SHORT];
        table_cell(t, STYLE_BOLD, r[i].rule.name);
        if (r[i].rule.days > 0) {
            table_cellf(t, STYLE_PLAIN, "%" PRId64 " days", r[i].rule.days);
        } else {
            table_cell(t, STYLE_PLAIN, "for ever");
        }
        table_cellf(t, STYLE_PLAIN, "%" PRId64 "%s", r[i].due, r[i].due == DB_COUNT_MAX ? "+" : "");
        table_cellf(t, STYLE_PLAIN, "%" PRId64, r[i].gone);
        table_cell(t, STYLE_DIM, r[i].at_ms > 0 ? text_age(r[i].at_ms, wall_ms(), age) : "-");
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static enum cli_exit cmd_retention(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct retained r[RETENTION_KIND_COUNT];
    if (retained_read(&c->ops, r, err) != 0) {
        return cli_exit_of(err);
    }
    if (!c->json) {
        return print_kinds(c, r, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    AUTO(json_decref) json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < RETENTION_KIND_COUNT; i++) {
        json_array_append_new(list, retained_json(&r[i]));
    }
    return json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_retention = {
    .name = "retention",
    .args = "",
    .brief = "what becomes old: how long it is kept, what is due, what has gone",
    .help =
        "Changes nothing. The leading scheduler looks every hour, and takes what is due in small\n"
        "batches: done tasks lose their lists and settings and stay; entries of trawl log are\n"
        "written to a file and removed; alerts that are over, views of hosts that report no more,\n"
        "and the index's tombstones are removed. How long each is kept: section [retention] of\n"
        "trawl.ini. DUE is counted up to 100,000. Raw files, the lists of what is in their\n"
        "backups, metrics and settings are never removed.",
    .need = NEED_DB,
    .run = cmd_retention};
