/* locations.c - the configured locations and instruments. */
#include "ops/locations.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/mount/location.h"
#include "ops/instruments.h"

struct walking {
    const struct locations_walk *walk;
    struct err *err;
    bool met[32]; /* whether walk->names[i] was found */
};

/* "astral1" means "instrument/astral1", unless a location has that name. */
static bool is_meant(const char *typed, const char *location)
{
    size_t len = strlen(LOCATION_INSTRUMENT);
    return strcmp(typed, location) == 0 ||
           (strncmp(location, LOCATION_INSTRUMENT, len) == 0 && strcmp(typed, location + len) == 0);
}

static bool is_wanted(struct walking *w, const char *location)
{
    bool any = w->walk->n == 0;
    for (size_t i = 0; i < w->walk->n; i++) {
        if (!w->met[i] && is_meant(w->walk->names[i], location)) {
            w->met[i] = any = true;
        }
    }
    return any;
}

static int visit(struct walking *w, const struct mount_need *need)
{
    return is_wanted(w, need->location) ? w->walk->visit(w->walk->ctx, need, w->err) : 0;
}

static int visit_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    struct walking *w = ctx;
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", id);
    if (i == NULL) {
        if (w->walk->n == 0 && w->walk->left_out != NULL) {
            w->walk->left_out(id, why);
        }
        return 0;
    }
    bool written = i->file_move_delay_m >= 0 || i->min_free_space_gb > 0;
    return visit(w, &(struct mount_need){.location = location, .path = i->path, .write = written});
}

int locations_each(const struct ops *o, const struct locations_walk *walk, struct err *err)
{
    static const struct mount_need own[] = {{.location = "backup", .write = true},
                                            {.location = "output"}};
    struct walking w = {.walk = walk, .err = err};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct mount_need need = own[i];
        need.path = location_path(o->cfg, need.location);
        if (need.path[0] != '\0' && visit(&w, &need) != 0) {
            return -1;
        }
    }
    if (instruments_each(o->cfg, visit_instrument, &w, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < walk->n; i++) {
        if (!w.met[i]) {
            return ERR(err, ERR_MISSING, 0,
                       "there is no location '%s': name backup or output, if it has a path in "
                       "the configuration, or an instrument (trawl config check --instruments)",
                       walk->names[i]);
        }
    }
    return 0;
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
