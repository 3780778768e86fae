/*
 * cmd_mount_check.c - trawl mount check|status: the locations as this host sees them now, and as
 * all hosts reported them.
 *
 * check looks in two rounds: the first starts the probes of all shares, so that the second waits
 * for a hung share only once. Harmful mount options are printed as warnings below the table. status
 * joins the workers' reports, the leading scheduler's view of the instruments, and the locations
 * that nobody has reported.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_mount_check.h"
#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"
#include "common/mount/location.h"
#include "common/mount/mount_traits.h"

struct checking {
    struct cli *c;
    struct mounts *mounts;
    struct docs *seen;
    char host[64];
    bool ask; /* the first round: only start the probes */
    struct err *err;
    int failed;
};

/* Harmful mount options are no reason to refuse a share, so they are printed beside its status.
 * Only for a share that answers. */
static void add_warnings(const struct mounts_view *v, bson_t *doc)
{
    struct mount_place place;
    struct mount_warnings w;
    struct err ignored = {0};
    char buf[16];
    const char *key;
    bson_t list;
    if (v->status == MOUNT_HANGS || v->status == MOUNT_MISSING || v->status == MOUNT_STALE ||
        mount_find(v->path, &place, &ignored) != 0) {
        return;
    }
    size_t len = strlen(LOCATION_INSTRUMENT);
    mount_warn(&place, strncmp(v->location, LOCATION_INSTRUMENT, len) == 0, &w);
    BSON_APPEND_ARRAY_BEGIN(doc, "warnings", &list);
    for (size_t i = 0; i < w.n; i++) {
        bson_uint32_to_string((uint32_t)i, &key, buf, sizeof buf);
        BSON_APPEND_UTF8(&list, key, w.text[i]);
    }
    bson_append_array_end(doc, &list);
}

static void keep_view(void *ctx, const struct mounts_view *v)
{
    struct checking *k = ctx;
    AUTO(bson_destroy) bson_t *doc = locations_doc(k->host, v);
    add_warnings(v, doc);
    k->failed |= docs_add(k->seen, doc, k->err);
}

static int check_location(void *ctx, const struct mount_need *need, struct err *err)
{
    struct checking *k = ctx;
    struct mount_need n = *need;
    n.max_age_ms = 60000; /* the result of the first round is recent enough */
    if (k->ask) {
        mounts_ask(k->mounts, &n);
        return 0;
    }
    return mounts_look(k->mounts, &n, keep_view, k, err) != 0 || k->failed != 0 ? -1 : 0;
}

int locations_table(struct cli *c, const struct docs *d, struct err *err)
{
    static const struct column columns[] = {
        {.title = "LOCATION", .min = 8},
        {.title = "HOST", .min = 6, .rank = 1},
        {.title = "PATH", .min = 12},
        {.title = "STATUS"},
        {.title = "INITIALISED", .rank = 2},
        {.title = "FREE", .right = true, .rank = 1},
        {.title = "SEEN", .right = true},
        {.title = "DETAIL", .min = 12},
        {0},
    };
    int64_t now = wall_ms();
    AUTO(table_free) struct table *t = table_new(columns, err);
    for (size_t i = 0; t != NULL && i < d->n; i++) {
        const bson_t *m = d->items[i];
        char size[TEXT_SHORT];
        char age[TEXT_SHORT];
        const char *status = doc_str(m, "status", "?");
        enum style look = locations_well(m) ? STYLE_GOOD : STYLE_BAD;
        bool known = doc_bool(m, "initialised", false);
        table_cell(t, STYLE_PLAIN, doc_str(m, "location", "?"));
        table_cell(t, STYLE_PLAIN, doc_str(m, "host", "-"));
        table_cell(t, STYLE_PLAIN, doc_str(m, "path", ""));
        table_cell(t, look, status);
        table_cell(t, known ? STYLE_PLAIN : STYLE_WAIT, known ? "yes" : "no");
        table_cell(t, STYLE_PLAIN, text_size(doc_i64(m, "free_bytes", -1), size));
        table_cell(t, STYLE_DIM, text_age(doc_i64(m, "at", 0), now, age));
        table_cell(t, STYLE_PLAIN, doc_str(m, "detail", ""));
    }
    return t == NULL ? -1 : table_print(t, &(struct table_look){c->width, c->color}, c->out, err);
}

static void print_warnings(struct cli *c, const struct docs *d)
{
    bson_t list;
    bson_iter_t at;
    for (size_t i = 0; i < d->n; i++) {
        if (!doc_sub(d->items[i], "warnings", &list) || !bson_iter_init(&at, &list)) {
            continue;
        }
        while (bson_iter_next(&at)) {
            fprintf(c->out, "%s: %s\n", doc_str(d->items[i], "location", "?"),
                    bson_iter_utf8(&at, NULL));
        }
    }
}

static enum cli_exit print_states(struct cli *c, const struct docs *d, struct err *err)
{
    enum cli_exit e = CLI_OK;
    for (size_t i = 0; i < d->n; i++) {
        e = locations_well(d->items[i]) ? e : CLI_NO;
    }
    int rc = c->json ? json_print(json_of_docs(d), c->out, err) : locations_table(c, d, err);
    if (rc == 0 && !c->json && !c->quiet) {
        print_warnings(c, d);
    }
    return rc == 0 ? e : cli_exit_of(err);
}

void print_left_out(const char *instrument, const struct err *why)
{
    fprintf(stderr, "trawl: instrument %s is left out: %s\n", instrument, why->msg);
}

static enum cli_exit cmd_mount_check(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(docs_free) struct docs *seen = docs_new(err);
    AUTO(mounts_free) struct mounts *mounts = mounts_new(c->ops.cfg, c->ops.db, err);
    if (seen == NULL || mounts == NULL) {
        return cli_exit_of(err);
    }
    struct checking k = {.c = c, .mounts = mounts, .seen = seen, .ask = true, .err = err};
    location_host(k.host, sizeof k.host);
    const struct locations_walk walk = {a->words, a->n, check_location, print_left_out, &k};
    int rc = locations_each(&c->ops, &walk, err);
    k.ask = false;
    rc = rc == 0 ? locations_each(&c->ops, &walk, err) : rc;
    return rc == 0 ? print_states(c, seen, err) : cli_exit_of(err);
}

const struct command command_mount_check = {.name = "mount check",
                                            .args = "[<location>|<instrument>…]",
                                            .brief = "prove the locations from this host, now",
                                            .help =
                                                "Exit 1 when one is not ok: missing, empty (no "
                                                "identity), wrong (another share), read_only,\n"
                                                "stale, hangs, full, or uninitialised where "
                                                "[mount] require is set. Below the table: harmful\n"
                                                "mount options, and what to mount with (--json: "
                                                "warnings); they do not change the exit code.",
                                            .max_words = 8,
                                            .need = NEED_DB,
                                            .run = cmd_mount_check};

/* --- status --- */

/* Add the leading scheduler's view of an instrument in the form of a worker's report. */
static int add_watch(void *ctx, const bson_t *watch, struct err *err)
{
    struct docs *d = ctx;
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", doc_str(watch, "_id", ""));
    int64_t gb = doc_i64(watch, "free_space_gb", -1);
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW(
        "location", BCON_UTF8(location), "host", BCON_UTF8("(scheduler)"), "path",
        BCON_UTF8(doc_str(watch, "path", "")), "status", BCON_UTF8(doc_str(watch, "status", "?")),
        "detail", BCON_UTF8(doc_str(watch, "detail", "")), "at",
        BCON_DATE_TIME(doc_i64(watch, "at", 0)), "free_bytes", BCON_INT64(gb < 0 ? -1 : gb << 30));
    return docs_add(d, doc, err);
}

struct unseen {
    struct docs *d;
};

static int add_unseen(void *ctx, const struct mount_need *need, struct err *err)
{
    struct docs *d = ((struct unseen *)ctx)->d;
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(doc_str(d->items[i], "location", ""), need->location) == 0) {
            return 0;
        }
    }
    AUTO(bson_destroy)
    bson_t *doc =
        BCON_NEW("location", BCON_UTF8(need->location), "path", BCON_UTF8(need->path), "status",
                 BCON_UTF8("unknown"), "detail",
                 BCON_UTF8("no worker has reported it: check that one is running (trawl status)"),
                 "free_bytes", BCON_INT64(-1));
    return docs_add(d, doc, err);
}

/* Add whether each is initialised, from "locations". */
static int add_initialised(struct cli *c, struct docs *d, struct err *err)
{
    AUTO(docs_free)
    struct docs *known = docs_read(c->ops.db, &(struct docs_query){.coll = DB_LOCATIONS}, err);
    for (size_t i = 0; known != NULL && i < d->n; i++) {
        bson_t *doc = bson_new();
        bson_copy_to_excluding_noinit(d->items[i], doc, "initialised", NULL);
        BSON_APPEND_BOOL(doc, "initialised",
                         docs_by_id(known, doc_str(doc, "location", "")) != NULL);
        bson_destroy(d->items[i]);
        d->items[i] = doc;
    }
    return known == NULL ? -1 : 0;
}

static int by_location(const void *a, const void *b)
{
    const bson_t *x = *(bson_t *const *)a, *y = *(bson_t *const *)b;
    int order = strcmp(doc_str(x, "location", ""), doc_str(y, "location", ""));
    return order != 0 ? order : strcmp(doc_str(x, "host", ""), doc_str(y, "host", ""));
}

static enum cli_exit cmd_mount_status(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    AUTO(bson_destroy) bson_t *all = bson_new();
    AUTO(docs_free)
    struct docs *d = docs_read(c->ops.db, &(struct docs_query){.coll = DB_MOUNTS}, err);
    struct unseen unseen = {.d = d};
    if (d == NULL || db_each(c->ops.db, DB_WATCHES, all, NULL, add_watch, d, err) != 0) {
        return cli_exit_of(err);
    }
    const struct locations_walk walk = {
        .visit = add_unseen, .left_out = print_left_out, .ctx = &unseen};
    if (locations_each(&c->ops, &walk, err) != 0 || add_initialised(c, d, err) != 0) {
        return cli_exit_of(err);
    }
    if (d->n > 0) {
        qsort(d->items, d->n, sizeof *d->items, by_location);
    }
    return print_states(c, d, err);
}

const struct command command_mount_status = {
    .name = "mount status",
    .args = "",
    .brief = "what every host reports of the locations",
    .help =
        "Workers check every [mount] check_s and before each step of a task; the scheduler before\n"
        "each poll of an instrument. Exit 1 when one is not ok.",
    .need = NEED_DB,
    .run = cmd_mount_status};
