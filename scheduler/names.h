/*
 * names.h - what names decide: which names are raw files of a type, ids on collisions, project
 * tokens, and the rules by which a raw file is not quantified. Pure; any thread.
 */
#ifndef SCHEDULER_NAMES_H
#define SCHEDULER_NAMES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/own.h"
#include "common/resolve.h"

/* Whether a name in the instrument's folder is a raw file (ingest.md §1.0). The extension's case
 * does not matter; a bare extension (".raw") is none, and names that we make are none. */
bool names_is_raw_file(const struct instrument *i, const char *name) __attribute__((nonnull));
/* Whether name belongs to the set of raw file main (Sciex: the same stem). */
bool names_is_companion(const struct instrument *i, const char *main, const char *name)
    __attribute__((nonnull));
/* The path below the folder whose size is watched ("x.d/analysis.tdf_bin"); free(). */
char *names_main_file(const struct instrument *i, const char *name) OWNED __attribute__((nonnull));
/* The length of the name without the type's extension. */
size_t names_stem(const struct instrument *i, const char *name) __attribute__((nonnull));

#define NAMES_PREFIX_LEN 23
/* "YYYYMMDD-HHMMSS-ffffff-" (UTC) of a moment in microseconds since 1970. */
void names_collision_prefix(int64_t us, char out[static NAMES_PREFIX_LEN + 1])
    __attribute__((nonnull));

/* What a file of the set is called in the backup: prefix and name. What would be longer than a file
 * name may be keeps its beginning, a hash of the stem (name's first stem bytes) and what follows
 * the stem, so that a set still has one stem. NULL without memory; free(). */
char *names_target(const char *prefix, const char *name, size_t stem) OWNED
    __attribute__((nonnull));

/* The one project whose id is a token of the name between '_' (case ignored), or the fallback when
 * none or several are. Borrowed from projects, which is NULL-terminated. */
const char *names_project(const char *name, const char *const *projects) __attribute__((nonnull));

/* Why a copied raw file is not quantified (ingest.md §1.2 f), first match wins. */
struct names_skip {
    const char *status;  /* acquisition_failed or done_not_quanted; NULL: go on */
    const char *details; /* the reference's text */
};
struct names_skip names_skip(const struct instrument *i, const char *id, const char *original_name,
                             int64_t size) __attribute__((nonnull(2, 3)));
#endif
