/* cmd_shadow.c - trawl shadow: where Trawl would have done otherwise than AlphaKraken. */
#include <inttypes.h>

#include "cli/args.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "ops/shadow.h"

#define NOTES_SHOWN 100

static int print_json(struct cli *c, const struct shadow_report *r, struct err *err)
{
    return json_print(json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "compared",
                                (json_int_t)r->compared, "same", (json_int_t)r->same, "early",
                                (json_int_t)r->early, "only_alphakraken",
                                (json_int_t)r->only_theirs, "only_trawl", (json_int_t)r->only_ours,
                                "differences", json_of_docs(&r->notes)),
                      c->out, err);
}

static int print_text(struct cli *c, const struct shadow_report *r, struct err *err)
{
    static const struct column columns[] = {{.title = "RAW FILE", .min = 12},
                                            {.title = "DIFFERS IN"},
                                            {.title = "ALPHAKRAKEN", .min = 10},
                                            {.title = "TRAWL", .min = 10},
                                            {0}};
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < r->notes.n && i < NOTES_SHOWN; i++) {
        const bson_t *n = r->notes.items[i];
        table_cell(t, STYLE_PLAIN, doc_str(n, "id", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "what", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "alphakraken", ""));
        table_cell(t, STYLE_PLAIN, doc_str(n, "trawl", ""));
    }
    if (t == NULL || (r->notes.n > 0 &&
                      table_print(t, &(struct table_look){c->width, c->color}, c->out, err) != 0)) {
        return -1;
    }
    if (r->notes.n > NOTES_SHOWN) {
        fprintf(c->out, "and %zu more: --json lists them\n", r->notes.n - NOTES_SHOWN);
    }
    fprintf(c->out,
            "%" PRId64 " raw files compared, %" PRId64 " are the same; %" PRId64
            " are still being acquired; only AlphaKraken has %" PRId64 ", only Trawl %" PRId64 "\n",
            r->compared, r->same, r->early, r->only_theirs, r->only_ours);
    return 0;
}

static enum cli_exit cmd_shadow(struct cli *c, const struct args *a, struct err *err)
{
    struct shadow_ask ask = {.from = c->ops.cfg->compat.alphakraken_uri};
    struct shadow_report r;
    const char *since = args_get(a, "since");
    if (text_since(since != NULL ? since : "7d", wall_ms(), &ask.since_ms, err) != 0) {
        return CLI_USAGE;
    }
    if (ask.from[0] == '\0') {
        return cli_fail(err, CLI_USAGE,
                        "[compat] alphakraken_uri is not set: AlphaKraken's database, as "
                        "mongodb://host:27017/krakendb");
    }
    int rc = shadow_compare(&c->ops, &ask, &r, err);
    rc = rc != 0 ? rc : c->json ? print_json(c, &r, err) : print_text(c, &r, err);
    enum cli_exit e = rc != 0 ? cli_exit_of(err) : r.notes.n > 0 ? CLI_NO : CLI_OK;
    shadow_report_clear(&r);
    return e;
}

static const struct cli_option shadow_options[] = {
    {"since", "WHEN", "raw files created since 30m, 2h, 3d, 1w ago, or 2026-11-21 (default 7d)"},
    {0},
};

const struct command command_shadow = {
    .name = "shadow",
    .args = "",
    .brief = "compare with AlphaKraken, beside which Trawl only watches",
    .help =
        "With [compat] shadow Trawl watches the instruments and plans, in a database of its own,\n"
        "and runs no task: AlphaKraken does the work. This compares what both made of the same "
        "raw\n"
        "files: project, end of the acquisition, size, files, settings. Exit 1 when they differ.\n"
        "It also takes AlphaKraken's projects and settings into the shadow's database: run it "
        "once\n"
        "after the scheduler's first start. The shadow ends with: trawl import alphakraken "
        "--switch.",
    .options = shadow_options,
    .need = NEED_DB,
    .run = cmd_shadow};
