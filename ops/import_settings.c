/*
 * import_settings.c - projects, settings and their assignments.
 *
 * An assignment without its project, or without settings that can run, is dropped, and of several
 * for one place all but the oldest: AlphaKraken refuses neither, and here the oldest counts. What
 * Trawl has made is never dropped, and out of another database nothing takes its place.
 *
 * Out of another database assignments come once. What AlphaKraken had when they were read is not
 * taken again: Trawl's operators may have removed or replaced it since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/docs.h"
#include "common/db/named.h"
#include "common/quant/settings.h"
#include "common/quant/settings_words.h"
#include "common/raw/database_owner.h"
#include "ops/import_convert.h"
#include "ops/import_internal.h"

struct assigning {
    struct importing *i;
    struct docs settings, projects; /* the source's */
    bson_t places;                  /* place -> the _id of the assignment that has it */
    int64_t read_ms;                /* when an earlier import read the source's; -1: none did */
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

/* --- places: of several assignments for one of them, one counts --- */

static const bson_t *find(const struct docs *d, const bson_t *assignment, const char *field)
{
    for (size_t i = 0; i < d->n; i++) {
        if (named_is_meant(d->items[i], assignment, field)) {
            return d->items[i];
        }
    }
    return NULL;
}

/* Project, scope, type in Trawl's words, filter. free(). */
static char *place_of(const bson_t *assignment, const bson_t *settings)
{
    char *place = NULL;
    AUTO(bson_destroy) bson_t *ours = settings_from_stored(settings);
    return asprintf(&place, "%s\n%s\n%s\n%s", doc_str(assignment, "project", ""),
                    doc_str(assignment, "scope", "*"), settings_type(ours),
                    doc_str(assignment, "raw_file_id_filter", "")) < 0
               ? NULL
               : place;
}

static bson_t *id_of(const bson_t *doc)
{
    bson_iter_t at;
    bson_t *id = bson_new();
    if (bson_iter_init_find(&at, doc, "_id")) {
        BSON_APPEND_VALUE(id, "_id", bson_iter_value(&at));
    }
    return id;
}

/* Take the place for this assignment, unless another one has it: *second. */
static int take_place(struct assigning *a, const bson_t *assignment, const bson_t *settings,
                      bool *second, struct err *err)
{
    bson_iter_t at, holder;
    AUTO(free) char *place = place_of(assignment, settings);
    AUTO(bson_destroy) bson_t *id = id_of(assignment);
    if (place == NULL) {
        return err_no_memory(err);
    }
    *second = false;
    if (!bson_iter_init_find(&at, &a->places, place)) {
        BSON_APPEND_DOCUMENT(&a->places, place, id);
    } else if (bson_iter_recurse(&at, &holder) && bson_iter_next(&holder)) {
        AUTO(bson_destroy) bson_t *held = bson_new();
        bson_append_iter(held, "_id", -1, &holder);
        *second = !bson_equal(held, id);
    }
    return 0;
}

/* --- what Trawl has --- */

static bool is_trawls(const bson_t *assignment)
{
    return doc_has(assignment, NAMED_FIELD) || doc_str(assignment, "_id", "")[0] != '\0';
}

/* What the target has stays where it is. */
static int take_targets_places(struct assigning *a, struct err *err)
{
    struct docs settings = {0}, all = {0};
    bson_t none = BSON_INITIALIZER;
    struct db *db = a->i->o->db;
    int rc = db_each(db, DB_SETTINGS, &none, NULL, docs_add, &settings, err) != 0
                 ? -1
                 : db_each(db, DB_ASSIGNMENTS, &none, NULL, docs_add, &all, err);
    for (size_t k = 0; k < all.n && rc == 0; k++) {
        bool second;
        const bson_t *meant = find(&settings, all.items[k], "settings");
        rc = meant != NULL ? take_place(a, all.items[k], meant, &second, err) : 0;
    }
    docs_clear(&settings);
    docs_clear(&all);
    return rc;
}

/* The document of "imports" that says when assignments of this source were read. */
static bson_t *reading_filter(const struct importing *i)
{
    char id[sizeof i->from + 32];
    snprintf(id, sizeof id, "assignments of %s", i->from);
    return BCON_NEW("_id", BCON_UTF8(id));
}

static int read_reading(struct assigning *a, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = reading_filter(a->i);
    AUTO(bson_destroy) bson_t *doc = NULL;
    int rc = db_find_one(a->i->o->db, DB_IMPORTS, filter, &doc, err);
    a->read_ms = doc != NULL ? doc_i64(doc, "at", -1) : -1;
    return rc;
}

/* Only an import writes it: trawl shadow reads the same, and ends with an import of all. */
static int write_reading(struct importing *i, int64_t now, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = reading_filter(i);
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "at", BCON_DATE_TIME(now), "}");
    return i->lease == NULL || i->in_place
               ? 0
               : db_upsert(i->o->db, DB_IMPORTS, filter, update, &won, err);
}

static int was_removed(const struct assigning *a, const bson_t *theirs, bool *removed,
                       struct err *err)
{
    AUTO(bson_destroy) bson_t *id = id_of(theirs);
    AUTO(bson_destroy) bson_t *there = NULL;
    *removed = false;
    if (a->i->in_place || a->i->ends_shadow || doc_i64(theirs, "created_at_", 0) > a->read_ms) {
        return 0;
    }
    int rc = db_find_one(a->i->o->db, DB_ASSIGNMENTS, id, &there, err);
    *removed = rc == 0 && there == NULL;
    return rc;
}

/* --- assignments --- */

static int take_fitting(struct assigning *a, const bson_t *theirs, const bson_t *settings,
                        struct err *err)
{
    bool second, removed;
    if (was_removed(a, theirs, &removed, err) != 0) {
        return -1;
    }
    if (removed) {
        importing_sum(a->i)->left++;
        return importing_note(a->i, "left", theirs,
                              "an earlier import has read it, and Trawl does not have it: it was "
                              "dropped then, or removed since; to have it: trawl settings assign",
                              err);
    }
    if (take_place(a, theirs, settings, &second, err) != 0) {
        return -1;
    }
    return second ? importing_drop(a->i, theirs,
                                   a->i->in_place ? "an older one has its place"
                                                  : "another one has its place, and stays",
                                   err)
                  : take_converted(a->i, theirs, import_assignment(theirs), err);
}

static int take_assignment(struct assigning *a, const bson_t *theirs, struct err *err)
{
    struct importing *i = a->i;
    bool second;
    importing_sum(i)->seen++;
    const bson_t *settings = find(&a->settings, theirs, "settings");
    if (i->in_place && is_trawls(theirs)) {
        importing_sum(i)->left++;
        return settings != NULL ? take_place(a, theirs, settings, &second, err) : 0;
    }
    if (settings == NULL) {
        return importing_drop(i, theirs, "its settings are gone", err);
    }
    if (find(&a->projects, theirs, "project") == NULL) {
        return importing_drop(i, theirs, "its project is gone", err);
    }
    return settings_engine_is_known(settings)
               ? take_fitting(a, theirs, settings, err)
               : importing_drop(i, theirs, "no engine of Trawl's can run its settings", err);
}

static int by_age(const void *x, const void *y)
{
    int64_t a = doc_i64(*(bson_t *const *)x, "created_at_", 0);
    int64_t b = doc_i64(*(bson_t *const *)y, "created_at_", 0);
    return (a > b) - (a < b);
}

static int read_all(struct assigning *a, struct docs *all, struct err *err)
{
    bson_t none = BSON_INITIALIZER;
    struct db *source = a->i->source;
    if (db_each(source, DB_SETTINGS, &none, NULL, docs_add, &a->settings, err) != 0 ||
        db_each(source, DB_PROJECTS, &none, NULL, docs_add, &a->projects, err) != 0 ||
        db_each(source, DB_ASSIGNMENTS, &none, NULL, docs_add, all, err) != 0 ||
        read_reading(a, err) != 0) {
        return -1;
    }
    if (all->n > 0) {
        qsort(all->items, all->n, sizeof *all->items, by_age);
    }
    return a->i->in_place || a->i->ends_shadow ? 0 : take_targets_places(a, err);
}

static int take_assignments(struct importing *i, struct err *err)
{
    struct assigning a = {.i = i, .places = BSON_INITIALIZER};
    struct docs all = {0};
    int64_t now = wall_ms();
    i->kind = IMPORT_ASSIGNMENTS;
    int rc = read_all(&a, &all, err);
    for (size_t k = 0; k < all.n && rc == 0; k++) {
        rc = take_assignment(&a, all.items[k], err);
    }
    rc = rc == 0 ? importing_flush(i, err) : rc;
    rc = rc == 0 ? write_reading(i, now, err) : rc;
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
