/* locations.c - which locations there are, and the table of their states. */
#include "ops/locations.h"

#include <string.h>

#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/mount/location.h"
#include "ops/instruments.h"

struct walk {
    struct cli *c;
    const struct locations_wanted *wanted;
    location_fn *fn;
    void *ctx;
    struct err *err;
    bool met[32]; /* beside wanted->names */
};

/* "astral1" means "instrument/astral1"; a location's own name goes first. */
static bool is_meant(const char *typed, const char *location)
{
    size_t len = strlen(LOCATION_INSTRUMENT);
    return strcmp(typed, location) == 0 ||
           (strncmp(location, LOCATION_INSTRUMENT, len) == 0 && strcmp(typed, location + len) == 0);
}

static bool is_wanted(struct walk *w, const char *location)
{
    bool any = w->wanted->n == 0;
    for (size_t i = 0; i < w->wanted->n; i++) {
        if (!w->met[i] && is_meant(w->wanted->names[i], location)) {
            w->met[i] = any = true;
        }
    }
    return any;
}

static int visit(struct walk *w, const struct mount_need *need)
{
    return is_wanted(w, need->location) ? w->fn(w->ctx, need, w->err) : 0;
}

static int visit_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    struct walk *w = ctx;
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", id);
    if (i == NULL) {
        if (w->wanted->n == 0) {
            fprintf(stderr, "trawl: instrument %s is left out: %s\n", id, why->msg);
        }
        return 0;
    }
    bool written = i->file_move_delay_m >= 0 || i->min_free_space_gb > 0;
    return visit(w, &(struct mount_need){.location = location, .path = i->path, .write = written});
}

enum cli_exit locations_each(struct cli *c, const struct locations_wanted *wanted, location_fn *fn,
                             void *ctx, struct err *err)
{
    static const struct mount_need own[] = {{.location = "backup", .write = true},
                                            {.location = "output"}};
    struct walk w = {.c = c, .wanted = wanted, .fn = fn, .ctx = ctx, .err = err};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct mount_need need = own[i];
        need.path = location_path(c->cfg, need.location);
        if (need.path[0] != '\0' && visit(&w, &need) != 0) {
            return cli_exit_of(err);
        }
    }
    if (instruments_each(c->cfg, visit_instrument, &w, err) != 0) {
        return cli_exit_of(err);
    }
    for (size_t i = 0; i < wanted->n; i++) {
        if (!w.met[i]) {
            return cli_fail(err, CLI_MISSING,
                            "there is no location '%s': it is backup or output with a path in the "
                            "configuration, or an instrument (trawl config check --instruments)",
                            wanted->names[i]);
        }
    }
    return CLI_OK;
}

bson_t *locations_doc(const char *host, const struct mounts_view *v)
{
    return BCON_NEW("location", BCON_UTF8(v->location), "host", BCON_UTF8(host), "path",
                    BCON_UTF8(v->path), "status", BCON_UTF8(mount_status_name(v->status)), "detail",
                    BCON_UTF8(v->detail), "initialised", BCON_BOOL(v->initialised), "at",
                    BCON_DATE_TIME(wall_ms()), "free_bytes", BCON_INT64(v->free_bytes),
                    "total_bytes", BCON_INT64(v->total_bytes));
}

bool locations_well(const bson_t *doc)
{
    return strcmp(doc_str(doc, "status", ""), "ok") == 0;
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
