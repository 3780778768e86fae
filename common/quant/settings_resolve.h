/*
 * settings_resolve.h - which settings quantify a raw file (docs/rules.md, "Which settings apply").
 * Pure, over documents.
 *
 * Scopes: "*" < vendor < instrument. An assignment is out when its instrument is excluded or its
 * name filter is not a part of the raw file's id. The best (scope, length of filter) wins for each
 * software type, ties go to the earliest created.
 */
#ifndef COMMON_QUANT_SETTINGS_RESOLVE_H
#define COMMON_QUANT_SETTINGS_RESOLVE_H
#include <bson/bson.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/db/docs.h"
#include "common/quant/settings.h"

#define RESOLVE_MAX 16 /* software types that one raw file is quantified with */

/* What settings there are; read once a pass. */
struct settings_book { /* zeroed is empty */
    struct docs settings, assignments;
    char **projects; /* NULL-terminated */
    size_t n_projects;
    bool falls_back; /* settings_book_rule: a project without settings that apply takes others' */
};
/* INVALID: settings_add refuses some. */
int settings_book_load(struct settings_book *b, struct db *db, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Which rule holds for a project none of whose settings apply: [quant] without_settings. After the
 * book has been loaded. */
void settings_book_rule(struct settings_book *b, const struct config *cfg) __attribute__((nonnull));
/* Only the projects: a new file's is found by its name. */
int settings_book_load_projects(struct settings_book *b, struct db *db, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void settings_book_clear(struct settings_book *b) __attribute__((nonnull));
static inline void auto_settings_book_clear(struct settings_book *b)
{
    settings_book_clear(b);
}
/* The settings that an assignment refers to, borrowed; NULL when they are not there. */
const bson_t *settings_of(const struct settings_book *b, const bson_t *assignment)
    __attribute__((nonnull));
/* "<name>-v<version>" of them; "<what it refers to> (missing)". */
const char *settings_of_name(const struct settings_book *b, const bson_t *assignment,
                             char buf[static SETTINGS_ID_MAX]) __attribute__((nonnull));

#define PROJECT_FALLBACK                                                                           \
    "_FALLBACK" /* of files without a project, and of projects without settings */

struct resolve_for {
    const char *project, *instrument, *vendor, *raw_file;
};
/* Whether an assignment applies to a raw file, and if not, what keeps it out. */
enum resolve_fit {
    RESOLVE_FITS,
    RESOLVE_OTHER_PROJECT,
    RESOLVE_OTHER_SCOPE,
    RESOLVE_EXCLUDED,
    RESOLVE_OTHER_NAME, /* its filter is no part of the raw file's id */
    RESOLVE_FIT_COUNT
};
/* *score: the higher, the more specific; only when it fits. */
enum resolve_fit resolve_fit(const bson_t *assignment, const struct resolve_for *f, int64_t *score)
    __attribute__((nonnull));

/* The winning settings documents, borrowed from the book; returns how many. */
size_t resolve(const struct settings_book *b, const struct resolve_for *f,
               const bson_t *out[RESOLVE_MAX]) __attribute__((nonnull));
/* The same for a raw file's document, borrowed, too. Where the book falls back, a project without
 * settings that apply to it is quantified as the fallback is, and f->project says so. */
size_t resolve_raw_file(const struct settings_book *b, const bson_t *raw_file, const char *vendor,
                        struct resolve_for *f, const bson_t *out[RESOLVE_MAX])
    __attribute__((nonnull));
#endif
