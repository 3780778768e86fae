/*
 * settings_resolve.c - which settings apply to a raw file. The book holds all settings and
 * assignments in memory. For one raw file each assignment is tried in turn (resolve_fit): project,
 * scope, exclusions, name filter. Of those that fit, one winner for each software type is kept: the
 * higher score, which is the scope before the filter's length; of equals the one created first.
 * resolve_raw_file falls back to PROJECT_FALLBACK when nothing of the raw file's own project fits,
 * if the site wants that.
 */
#include "common/quant/settings_resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db/named.h"

static int add_project(void *ctx, const bson_t *doc, struct err *err)
{
    struct settings_book *b = ctx;
    char **more = realloc(b->projects, (b->n_projects + 2) * sizeof(char *));
    if (more == NULL) {
        return err_no_memory(err);
    }
    b->projects = more;
    more[b->n_projects++] = strdup(doc_str(doc, "_id", ""));
    more[b->n_projects] = NULL;
    return 0;
}

int settings_book_load_projects(struct settings_book *b, struct db *db, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    settings_book_clear(b);
    b->projects = calloc(1, sizeof(char *));
    return b->projects == NULL ? err_no_memory(err)
                               : db_each(db, DB_PROJECTS, &all, NULL, add_project, b, err);
}

int settings_book_load(struct settings_book *b, struct db *db, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    if (settings_book_load_projects(b, db, err) != 0 ||
        db_each(db, DB_SETTINGS, &all, NULL, settings_add, &b->settings, err) != 0 ||
        db_each(db, DB_ASSIGNMENTS, &all, NULL, docs_add, &b->assignments, err) != 0) {
        return -1;
    }
    named_drop_twins(&b->settings);
    named_drop_twins(&b->assignments);
    return 0;
}

void settings_book_rule(struct settings_book *b, const struct config *cfg)
{
    b->falls_back = strcmp(cfg->quant.without_settings, "fallback") == 0;
}

void settings_book_clear(struct settings_book *b)
{
    docs_clear(&b->settings);
    docs_clear(&b->assignments);
    for (size_t i = 0; i < b->n_projects; i++) {
        free(b->projects[i]);
    }
    free(b->projects);
    *b = (struct settings_book){0};
}

const bson_t *settings_of(const struct settings_book *b, const bson_t *assignment)
{
    for (size_t i = 0; i < b->settings.n; i++) {
        if (named_is_meant(b->settings.items[i], assignment, "settings")) {
            return b->settings.items[i];
        }
    }
    return NULL;
}

const char *settings_of_name(const struct settings_book *b, const bson_t *assignment,
                             char buf[static SETTINGS_ID_MAX])
{
    char id[NAMED_ROOM] = "";
    bson_iter_t at;
    const bson_t *settings = settings_of(b, assignment);
    if (settings != NULL) {
        return settings_id(settings, buf);
    }
    if (bson_iter_init_find(&at, assignment, "settings") && BSON_ITER_HOLDS_OID(&at)) {
        bson_oid_to_string(bson_iter_oid(&at), id);
    }
    snprintf(buf, SETTINGS_ID_MAX, "%.60s (missing)",
             id[0] != '\0' ? id : doc_str(assignment, "settings", "?"));
    return buf;
}

static bool is_excluded(const bson_t *assignment, const char *instrument)
{
    bson_t list;
    bson_iter_t at;
    if (!doc_sub(assignment, "excluded", &list) || !bson_iter_init(&at, &list)) {
        return false;
    }
    while (bson_iter_next(&at)) {
        if (BSON_ITER_HOLDS_UTF8(&at) && strcmp(bson_iter_utf8(&at, NULL), instrument) == 0) {
            return true;
        }
    }
    return false;
}

enum resolve_fit resolve_fit(const bson_t *a, const struct resolve_for *f, int64_t *score)
{
    const char *scope = doc_str(a, "scope", "*"), *filter = doc_str(a, "raw_file_id_filter", "");
    int64_t level = strcmp(scope, f->instrument) == 0 ? 2
                    : strcmp(scope, f->vendor) == 0   ? 1
                    : strcmp(scope, "*") == 0         ? 0
                                                      : -1;
    if (!doc_says(a, "project", f->project)) {
        return RESOLVE_OTHER_PROJECT;
    }
    if (level < 0) {
        return RESOLVE_OTHER_SCOPE;
    }
    if (is_excluded(a, f->instrument)) {
        return RESOLVE_EXCLUDED;
    }
    if (strstr(f->raw_file, filter) == NULL) {
        return RESOLVE_OTHER_NAME;
    }
    *score = level * 1000 + (int64_t)strlen(filter);
    return RESOLVE_FITS;
}

struct best {
    const bson_t *settings;
    int64_t score, created;
};

size_t resolve(const struct settings_book *b, const struct resolve_for *f,
               const bson_t *out[RESOLVE_MAX])
{
    struct best best[RESOLVE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < b->assignments.n; i++) {
        const bson_t *a = b->assignments.items[i];
        struct best now = {.settings = settings_of(b, a), .created = doc_i64(a, "created_at_", 0)};
        if (now.settings == NULL || resolve_fit(a, f, &now.score) != RESOLVE_FITS) {
            continue;
        }
        const char *type = settings_type(now.settings);
        size_t k = 0;
        while (k < n && strcmp(settings_type(best[k].settings), type) != 0) {
            k++;
        }
        if (k == RESOLVE_MAX) {
            continue;
        }
        if (k == n) {
            best[n++] = now;
        } else if (now.score > best[k].score ||
                   (now.score == best[k].score && now.created < best[k].created)) {
            best[k] = now;
        }
    }
    for (size_t k = 0; k < n; k++) {
        out[k] = best[k].settings;
    }
    return n;
}

size_t resolve_raw_file(const struct settings_book *b, const bson_t *raw_file, const char *vendor,
                        struct resolve_for *f, const bson_t *out[RESOLVE_MAX])
{
    const char *project = doc_str(raw_file, "project_id", "");
    *f = (struct resolve_for){
        .project = *project != '\0' ? project : PROJECT_FALLBACK,
        .instrument = doc_str(raw_file, "instrument_id", ""),
        .vendor = vendor,
        .raw_file = doc_str(raw_file, "_id", ""),
    };
    size_t n = resolve(b, f, out);
    if (n == 0 && b->falls_back) {
        f->project = PROJECT_FALLBACK;
        n = resolve(b, f, out);
    }
    return n;
}
