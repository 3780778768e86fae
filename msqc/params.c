/*
 * params.c - the parameters of mzML that the figures need. The terms and units of mzML that the
 * figures need, as two tables; every other accession is PARAMS_IGNORED. params_read turns the
 * attributes of one cvParam into a term, a unit and a number (NAN when there is none). The groups
 * keep what a referenceableParamGroup defined until a spectrum refers to it; their number and sizes
 * are bounded, because the file is not ours.
 */
#include "msqc/params.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Real files have about ten groups of about ten parameters. */
#define MAX_GROUPS       ((size_t)4096)
#define MAX_GROUP_PARAMS ((size_t)16)
#define MAX_GROUP_ID     ((size_t)256)

struct params_group {
    char id[MAX_GROUP_ID];
    size_t count;
    struct params_param at[MAX_GROUP_PARAMS];
};

static const struct term {
    const char *accession;
    enum params_id id;
} terms[] = {
    {"MS:1000511", PARAMS_MS_LEVEL},
    {"MS:1000579", PARAMS_MS1_SPECTRUM},
    {"MS:1000285", PARAMS_TIC},
    {"MS:1000016", PARAMS_START_TIME},
    {"MS:1000927", PARAMS_INJECTION_TIME},
    {"MS:1000744", PARAMS_SELECTED_MZ},
    {"MS:1000827", PARAMS_TARGET_MZ},
    {"MS:1000515", PARAMS_INTENSITY_ARRAY},
    {"MS:1000821", PARAMS_PRESSURE_ARRAY},
    {"MS:1000521", PARAMS_FLOAT32},
    {"MS:1000523", PARAMS_FLOAT64},
    {"MS:1000576", PARAMS_NO_COMPRESSION},
    {"MS:1000574", PARAMS_ZLIB},
    {"MS:1003088", PARAMS_ZLIB},              /* truncation (already done) and zlib */
    {"MS:1002312", PARAMS_OTHER_COMPRESSION}, /* numpress: linear prediction */
    {"MS:1002313", PARAMS_OTHER_COMPRESSION}, /* positive integer */
    {"MS:1002314", PARAMS_OTHER_COMPRESSION}, /* short logged float */
    {"MS:1002746", PARAMS_OTHER_COMPRESSION}, /* the same three, followed by zlib */
    {"MS:1002747", PARAMS_OTHER_COMPRESSION},
    {"MS:1002748", PARAMS_OTHER_COMPRESSION},
    {"MS:1000804", PARAMS_LIGHT_SPECTRUM}, /* electromagnetic radiation */
    {"MS:1000805", PARAMS_LIGHT_SPECTRUM}, /* emission */
    {"MS:1000806", PARAMS_LIGHT_SPECTRUM}, /* absorption */
    {"MS:1000620", PARAMS_LIGHT_SPECTRUM}, /* PDA; obsolete */
    {"MS:1000617", PARAMS_WAVELENGTH_ARRAY},
    {"MS:1003019", PARAMS_PRESSURE_CHROMATOGRAM},
};

/* By accession; a unit without one goes by its name. */
static const struct unit {
    const char *text;
    enum params_unit unit;
} units[] = {
    {"UO:0000031", PARAMS_UNIT_MINUTE},       {"UO:0000010", PARAMS_UNIT_SECOND},
    {"UO:0000028", PARAMS_UNIT_MILLISECOND},  {"MS:1000038", PARAMS_UNIT_MINUTE},
    {"MS:1000039", PARAMS_UNIT_SECOND}, /* the last two: obsolete, but written until 2010 */
    {"minute", PARAMS_UNIT_MINUTE},           {"second", PARAMS_UNIT_SECOND},
    {"millisecond", PARAMS_UNIT_MILLISECOND},
};

const char *params_attribute(const char *const *attrs, const char *name)
{
    for (; attrs[0] != NULL; attrs += 2) {
        if (strcmp(attrs[0], name) == 0) {
            return attrs[1];
        }
    }
    return "";
}

static double read_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(value) ? value : (double)NAN;
}

static enum params_unit read_unit(const char *const *attrs)
{
    const char *accession = params_attribute(attrs, "unitAccession");
    const char *text = *accession != '\0' ? accession : params_attribute(attrs, "unitName");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].text, text) == 0) {
            return units[i].unit;
        }
    }
    return *text == '\0' ? PARAMS_UNIT_NONE : PARAMS_UNIT_OTHER;
}

struct params_param params_read(const char *const *attrs)
{
    struct params_param param = {.value = (double)NAN};
    const char *accession = params_attribute(attrs, "accession");
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        if (strcmp(terms[i].accession, accession) == 0) {
            param.id = terms[i].id;
            param.unit = read_unit(attrs);
            param.value = read_number(params_attribute(attrs, "value"));
            break;
        }
    }
    return param;
}

double params_minutes(const struct params_param *param)
{
    switch (param->unit) {
    case PARAMS_UNIT_MINUTE:
        return param->value;
    case PARAMS_UNIT_SECOND:
        return param->value / 60;
    case PARAMS_UNIT_MILLISECOND:
        return param->value / 60000;
    case PARAMS_UNIT_NONE:
    case PARAMS_UNIT_OTHER:
        break;
    }
    return (double)NAN;
}

double params_milliseconds(const struct params_param *param)
{
    return param->unit == PARAMS_UNIT_NONE ? param->value : params_minutes(param) * 60000;
}

int params_group_begin(struct params_groups *groups, const char *id, struct err *err)
{
    if (strlen(id) >= MAX_GROUP_ID || groups->count >= MAX_GROUPS) {
        return ERR(err, ERR_INVALID, 0,
                   "has more than %zu referenceableParamGroups or an id of more than %zu bytes",
                   MAX_GROUPS, MAX_GROUP_ID - 1);
    }
    struct params_group *at = realloc(groups->at, (groups->count + 1) * sizeof *at);
    if (at == NULL) {
        return ERR(err, ERR_FATAL, ENOMEM, "out of memory for a parameter group");
    }
    groups->at = at;
    struct params_group *group = &at[groups->count++];
    group->count = 0;
    memcpy(group->id, id, strlen(id) + 1);
    return 0;
}

int params_group_add(struct params_groups *groups, const struct params_param *param,
                     struct err *err)
{
    if (param->id == PARAMS_IGNORED || groups->count == 0) {
        return 0;
    }
    struct params_group *group = &groups->at[groups->count - 1];
    if (group->count == MAX_GROUP_PARAMS) {
        return ERR(err, ERR_INVALID, 0, "the referenceableParamGroup '%.60s' is too large",
                   group->id);
    }
    group->at[group->count++] = *param;
    return 0;
}

const struct params_param *params_group_find(const struct params_groups *groups, const char *id,
                                             size_t *count, struct err *err)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->at[i].id, id) == 0) {
            *count = groups->at[i].count;
            return groups->at[i].at;
        }
    }
    ERR(err, ERR_INVALID, 0, "refers to the referenceableParamGroup '%.60s', which is not defined",
        id);
    return NULL;
}

void params_groups_fini(struct params_groups *groups)
{
    free(groups->at);
    *groups = (struct params_groups){0};
}
