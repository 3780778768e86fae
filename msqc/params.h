/*
 * params.h - the cvParam elements of an mzML file that we understand, and the groups of them that a
 * file defines once and refers to later.
 * Threads: none; one owner.
 */
#ifndef MSQC_PARAMS_H
#define MSQC_PARAMS_H
#include <stddef.h>

#include "common/base/err.h"

/* Terms of the PSI-MS ontology; params.c has their accession numbers. */
enum params_id {
    PARAMS_IGNORED,
    PARAMS_MS_LEVEL,
    PARAMS_MS1_SPECTRUM,
    PARAMS_LIGHT_SPECTRUM, /* of a UV or PDA detector: no mass spectrum */
    PARAMS_TIC,
    PARAMS_START_TIME,
    PARAMS_INJECTION_TIME,
    PARAMS_SELECTED_MZ,
    PARAMS_TARGET_MZ,
    PARAMS_INTENSITY_ARRAY,
    PARAMS_PRESSURE_ARRAY,
    PARAMS_WAVELENGTH_ARRAY,
    PARAMS_FLOAT32,
    PARAMS_FLOAT64,
    PARAMS_NO_COMPRESSION,
    PARAMS_ZLIB,
    PARAMS_OTHER_COMPRESSION, /* one that is not read */
    PARAMS_PRESSURE_CHROMATOGRAM,
    PARAMS_ID_COUNT
};

enum params_unit {
    PARAMS_UNIT_NONE,
    PARAMS_UNIT_MINUTE,
    PARAMS_UNIT_SECOND,
    PARAMS_UNIT_MILLISECOND,
    PARAMS_UNIT_OTHER
};

struct params_param {
    enum params_id id;
    enum params_unit unit;
    double value; /* NAN: none, or not a finite number */
};

struct params_group; /* opaque; defined in params.c */

struct params_groups {
    struct params_group *at;
    size_t count;
};

/* The value of an attribute, or "" when it is not there; attrs as expat gives them. Borrowed. */
const char *params_attribute(const char *const *attrs, const char *name)
    __attribute__((nonnull, returns_nonnull));

/* Understand the attributes of a cvParam. What we do not know is PARAMS_IGNORED. Cannot fail. */
struct params_param params_read(const char *const *attrs) __attribute__((nonnull));

/* A time in minutes or milliseconds; NAN when the value or the unit is unknown. */
double params_minutes(const struct params_param *param) __attribute__((nonnull));
/* The term means milliseconds, so a missing unit is no doubt here. */
double params_milliseconds(const struct params_param *param) __attribute__((nonnull));

/* Start a group; its id is copied. On failure (too many, too long, memory): -1, *err set. */
int params_group_begin(struct params_groups *groups, const char *id, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Add to the newest group. On failure (too many, memory): -1, *err set. */
int params_group_add(struct params_groups *groups, const struct params_param *param,
                     struct err *err) __attribute__((nonnull, warn_unused_result));

/*
 * The parameters of a group and their number. Borrowed until the next params_group_*().
 * On failure (no group of that id): NULL, *err set.
 */
const struct params_param *params_group_find(const struct params_groups *groups, const char *id,
                                             size_t *count, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Free all groups; none are left. */
void params_groups_fini(struct params_groups *groups) __attribute__((nonnull));
#endif
