/*
 * import_settings.c - projects, settings, their assignments, and metrics.
 *
 * An assignment without its project or its settings is dropped, and of several for one place all
 * but the oldest: AlphaKraken refuses neither, and here the oldest counts.
 */
#include <stdio.h>
#include <string.h>

#include "common/db/docs.h"
#include "common/db/named.h"
#include "common/quant/settings.h"
#include "ops/import_convert.h"
#include "ops/import_internal.h"

struct assigning {
    struct importing *i;
    struct docs settings, projects; /* the source's */
    bson_t places;                  /* keys: taken places */
};

static int take_converted(struct importing *i, const bson_t *theirs, bson_t *converted,
                          struct err *err)
{
    AUTO(bson_destroy) bson_t *ours = converted;
    return ours != NULL ? importing_take(i, theirs, ours, err) : err_no_memory(err);
}

static int take_project(void *ctx, const bson_t *theirs, struct err *err)
{
    struct importing *i = ctx;
    importing_sum(i)->seen++;
    return take_converted(i, theirs, import_project(theirs), err);
}

static int take_settings(void *ctx, const bson_t *theirs, struct err *err)
{
    char why[IMPORT_WHY];
    struct importing *i = ctx;
    bson_t *ours = import_settings(theirs, why);
    importing_sum(i)->seen++;
    if (why[0] != '\0' && importing_note(i, "archived", theirs, why, err) != 0) {
        bson_destroy(ours);
        return -1;
    }
    return take_converted(i, theirs, ours, err);
}

static int take_metrics(void *ctx, const bson_t *theirs, struct err *err)
{
    struct importing *i = ctx;
    importing_sum(i)->seen++;
    return take_converted(i, theirs, import_metrics(theirs, !i->in_place), err);
}

/* --- assignments --- */

static const bson_t *find(const struct docs *d, const bson_t *assignment, const char *field)
{
    for (size_t i = 0; i < d->n; i++) {
        if (named_is_meant(d->items[i], assignment, field)) {
            return d->items[i];
        }
    }
    return NULL;
}

/* Whether an older one has its place; else it takes it. */
static bool is_second(struct assigning *a, const bson_t *assignment, const bson_t *settings)
{
    char place[400];
    snprintf(place, sizeof place, "%.60s/%.80s/%.60s/%.150s", doc_str(assignment, "project", ""),
             doc_str(assignment, "scope", "*"), settings_type(settings),
             doc_str(assignment, "raw_file_id_filter", ""));
    bool taken = db_has_key(&a->places, place);
    if (!taken) {
        BSON_APPEND_BOOL(&a->places, place, true);
    }
    return taken;
}

static int take_assignment(struct assigning *a, const bson_t *theirs, struct err *err)
{
    struct importing *i = a->i;
    importing_sum(i)->seen++;
    const bson_t *settings = find(&a->settings, theirs, "settings");
    if (settings == NULL) {
        return importing_drop(i, theirs, "its settings are gone", err);
    }
    if (find(&a->projects, theirs, "project") == NULL) {
        return importing_drop(i, theirs, "its project is gone", err);
    }
    return is_second(a, theirs, settings)
               ? importing_drop(i, theirs, "an older one has its place", err)
               : take_converted(i, theirs, import_assignment(theirs), err);
}

static int by_age(const void *x, const void *y)
{
    int64_t a = doc_i64(*(bson_t *const *)x, "created_at_", 0);
    int64_t b = doc_i64(*(bson_t *const *)y, "created_at_", 0);
    return (a > b) - (a < b);
}

static int take_assignments(struct importing *i, struct err *err)
{
    struct assigning a = {.i = i, .places = BSON_INITIALIZER};
    struct docs all = {0};
    bson_t none = BSON_INITIALIZER;
    i->kind = IMPORT_ASSIGNMENTS;
    int rc =
        db_each(i->source, DB_SETTINGS, &none, NULL, docs_add, &a.settings, err) != 0 ||
                db_each(i->source, DB_PROJECTS, &none, NULL, docs_add, &a.projects, err) != 0 ||
                db_each(i->source, DB_ASSIGNMENTS, &none, NULL, docs_add, &all, err) != 0
            ? -1
            : 0;
    if (all.n > 0) {
        qsort(all.items, all.n, sizeof *all.items, by_age);
    }
    for (size_t k = 0; k < all.n && rc == 0; k++) {
        rc = take_assignment(&a, all.items[k], err);
    }
    rc = rc == 0 ? importing_flush(i, err) : rc;
    docs_clear(&all);
    docs_clear(&a.settings);
    docs_clear(&a.projects);
    bson_destroy(&a.places);
    return rc == 0 ? 0 : err_context(err, "%s", DB_ASSIGNMENTS);
}

int import_settings_of(struct importing *i, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    return importing_each(i, IMPORT_PROJECTS, &all, take_project, err) != 0 ||
                   importing_each(i, IMPORT_SETTINGS, &all, take_settings, err) != 0 ||
                   take_assignments(i, err) != 0
               ? -1
               : 0;
}

int import_metrics_of(struct importing *i, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    return importing_each(i, IMPORT_METRICS, &all, take_metrics, err);
}
