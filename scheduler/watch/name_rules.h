/*
 * name_rules.h - what follows from names: ids on collisions, project tokens, what a file in a
 * folder means, and which raw files are not quantified. Which names belong to which raw file:
 * common/raw/members.h. Pure; any thread.
 */
#ifndef SCHEDULER_WATCH_NAME_RULES_H
#define SCHEDULER_WATCH_NAME_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/own.h"
#include "common/config/config.h"
#include "common/quant/settings_resolve.h"
#include "common/raw/raw_file.h"

/* What a file means for the acquisition, in a raw file that is a folder. */
enum names_inside {
    NAMES_MAIN,  /* its size is watched: Bruker's analysis.tdf_bin or .tsf_bin, or main_file */
    NAMES_DATA,  /* data of a format without a main file of its own: the whole folder is watched */
    NAMES_INDEX, /* of data that must follow: Bruker's analysis.tdf, analysis.tsf */
    NAMES_NOTE,  /* means nothing: reports, logs, methods */
    NAMES_INSIDE_COUNT
};
/* relative: below the folder ("analysis.tdf_bin"), compared as Windows does. */
enum names_inside names_inside(const struct instrument *i, const char *relative)
    __attribute__((nonnull));
/* Whether only a folder can be a whole raw file: its main file is in it. */
bool names_is_folder(const struct instrument *i) __attribute__((nonnull));

#define NAMES_PREFIX_LEN 23
/* "YYYYMMDD-HHMMSS-ffffff-" (UTC) of a moment in microseconds since 1970. */
void names_collision_prefix(int64_t us, char out[static NAMES_PREFIX_LEN + 1])
    __attribute__((nonnull));

/* What a file of the set is called in the backup: prefix and name. A name that would be too long
 * keeps its beginning, a hash of the stem (name's first stem bytes) and what follows the stem, so
 * that a set still has one stem. NULL without memory; free(). */
char *names_target(const char *prefix, const char *name, size_t stem) OWNED
    __attribute__((nonnull));

/* The one project whose id is a token of the name between '_' (case ignored), or the fallback when
 * none or several are. Borrowed from projects, which is NULL-terminated. */
const char *names_project(const char *name, const char *const *projects) __attribute__((nonnull));

/* Why a copied raw file is not quantified (docs/rules.md, "Statuses of a raw file"), first match
 * wins. */
struct names_skip {
    enum raw_status status; /* acquisition failed or done, not quanted; RAW_UNKNOWN: go on */
    const char *details;    /* the text in docs/rules.md */
};
struct names_skip names_skip(const struct instrument *i, const char *id, const char *original_name,
                             int64_t size) __attribute__((nonnull(2, 3)));
#endif
