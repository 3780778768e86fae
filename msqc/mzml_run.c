/*
 * mzml_run.c - from elements to figures.
 *
 * The only thing that costs time is decoding, so an array is decoded only when its numbers are
 * needed: the intensities of a spectrum without a "total ion current", and the pressures of a
 * pressure chromatogram. The schema puts every parameter of an item before its arrays, hence the
 * question is answered when <binary> begins.
 */
#include "msqc/mzml_run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct name {
    const char *name;
    enum mzml_element element;
} names[] = {
    {"cvParam", MZML_CV_PARAM}, /* the most frequent first */
    {"userParam", MZML_USER_PARAM},
    {"binaryDataArray", MZML_ARRAY},
    {"binary", MZML_BINARY},
    {"spectrum", MZML_SPECTRUM},
    {"scan", MZML_SCAN},
    {"precursor", MZML_PRECURSOR},
    {"isolationWindow", MZML_ISOLATION_WINDOW},
    {"selectedIon", MZML_SELECTED_ION},
    {"referenceableParamGroupRef", MZML_GROUP_REF},
    {"referenceableParamGroup", MZML_GROUP},
    {"chromatogram", MZML_CHROMATOGRAM},
    {"spectrumList", MZML_SPECTRUM_LIST},
    {"chromatogramList", MZML_CHROMATOGRAM_LIST},
    {"mzML", MZML_ROOT},
    {"indexedmzML", MZML_ROOT},
};

enum mzml_element mzml_element_find(const char *name)
{
    const char *colon = strchr(name, ':');
    const char *local = colon != NULL ? colon + 1 : name;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, local) == 0) {
            return names[i].element;
        }
    }
    return MZML_OTHER;
}

int mzml_run_init(struct mzml_run *run, struct figures *figures, struct err *err)
{
    *run = (struct mzml_run){
        .figures = figures, .pump_hp_max = (double)NAN, .other_pressure_max = (double)NAN};
    run->decoder = arrays_new(err);
    return run->decoder != NULL ? 0 : -1;
}

void mzml_run_fini(struct mzml_run *run)
{
    arrays_free(run->decoder);
    run->decoder = NULL;
    params_groups_fini(&run->groups);
}

static bool read_count(const char *text, uint64_t *count)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *count = value;
    return errno == 0 && *end == '\0';
}

static void begin_item(struct mzml_run *run, enum mzml_element item, const char *const *attrs)
{
    const double unknown = (double)NAN;
    run->item = item;
    run->default_length_valid =
        read_count(params_attribute(attrs, "defaultArrayLength"), &run->default_length);
    run->spectrum = (struct figures_spectrum){
        .retention_min = unknown, .tic = unknown, .injection_ms = unknown};
    run->light = false;
    run->unread = false;
    snprintf(run->item_id, sizeof run->item_id, "%s", params_attribute(attrs, "id"));
    run->is_pressure = false;
    run->is_pump_hp = item == MZML_CHROMATOGRAM &&
                      strcasestr(params_attribute(attrs, "id"), "PumpHP_pressure") != NULL;
    run->pressure_max = unknown;
}

static void begin_array(struct mzml_run *run, const char *const *attrs)
{
    const char *own = params_attribute(attrs, "arrayLength");
    run->array = (struct mzml_array){.length = run->default_length};
    if (*own != '\0' && !read_count(own, &run->array.length)) {
        run->array.length_problem = "arrayLength";
    } else if (*own == '\0' && !run->default_length_valid) {
        run->array.length_problem = "defaultArrayLength";
    }
}

static bool array_is_needed(const struct mzml_run *run)
{
    if (run->item == MZML_SPECTRUM) {
        return run->array.intensity && isnan(run->spectrum.tic) && !run->light;
    }
    return run->item == MZML_CHROMATOGRAM && (run->is_pressure || run->is_pump_hp) &&
           (run->array.intensity || run->array.pressure);
}

/* What is not read is counted, and the first of it named. */
static void pass_over(struct mzml_run *run)
{
    if (run->unsupported++ == 0) {
        const char *name = run->array.not_read[0] != '\0' ? run->array.not_read : "number type";
        snprintf(run->unsupported_name, sizeof run->unsupported_name, "%s", name);
    }
    run->unread = true;
}

static int begin_binary(struct mzml_run *run, struct err *err)
{
    const struct mzml_array *array = &run->array;
    if (run->decoding) {
        return ERR(err, ERR_INVALID, 0, "has a <binary> within a <binary>");
    }
    if (!array_is_needed(run)) {
        return 0;
    }
    if (array->compression == MZML_UNSUPPORTED || array->width == 0) {
        pass_over(run);
        return 0;
    }
    if (array->length_problem != NULL) {
        return ERR(err, ERR_INVALID, 0, "%s is missing or not a number", array->length_problem);
    }
    const struct arrays_spec spec = {
        .count = array->length, .width = array->width, .zlib = array->compression == MZML_ZLIB};
    run->decoding = true;
    return arrays_begin(run->decoder, &spec, err);
}

int mzml_run_begin(struct mzml_run *run, enum mzml_element element, const char *const *attrs,
                   struct err *err)
{
    switch (element) {
    case MZML_GROUP:
        return params_group_begin(&run->groups, params_attribute(attrs, "id"), err);
    case MZML_SPECTRUM_LIST:
        if (!read_count(params_attribute(attrs, "count"), &run->announced)) {
            run->announced = 0;
        }
        return 0;
    case MZML_SPECTRUM:
    case MZML_CHROMATOGRAM:
        begin_item(run, element, attrs);
        return 0;
    case MZML_PRECURSOR:
        run->in_precursor = true;
        run->precursor_selected = false;
        run->precursor_target_mz = (double)NAN;
        return 0;
    case MZML_ARRAY:
        begin_array(run, attrs);
        return 0;
    case MZML_BINARY:
        return begin_binary(run, err);
    case MZML_OTHER:
    case MZML_ROOT:
    case MZML_CV_PARAM:
    case MZML_USER_PARAM:
    case MZML_GROUP_REF:
    case MZML_SCAN:
    case MZML_ISOLATION_WINDOW:
    case MZML_SELECTED_ION:
    case MZML_CHROMATOGRAM_LIST:
    case MZML_ELEMENT_COUNT:
        break;
    }
    return 0;
}

static void spectrum_param(struct mzml_run *run, const struct params_param *param)
{
    struct figures_spectrum *spectrum = &run->spectrum;
    if (param->id == PARAMS_TIC) {
        spectrum->tic = param->value;
    } else if (param->id == PARAMS_LIGHT_SPECTRUM) {
        run->light = true;
    } else if (param->id == PARAMS_MS1_SPECTRUM && spectrum->level == 0) {
        spectrum->level = 1;
    } else if (param->id == PARAMS_MS_LEVEL && param->value >= 1 && param->value <= 99) {
        spectrum->level = (int)param->value;
    }
}

/* A spectrum that sums several scans has the time of its first. */
static void scan_param(struct mzml_run *run, const struct params_param *param)
{
    struct figures_spectrum *spectrum = &run->spectrum;
    if (param->id == PARAMS_START_TIME && isnan(spectrum->retention_min)) {
        spectrum->retention_min = params_minutes(param);
        run->times_unknown += isnan(spectrum->retention_min) ? 1 : 0;
    } else if (param->id == PARAMS_INJECTION_TIME && isnan(spectrum->injection_ms)) {
        spectrum->injection_ms = params_milliseconds(param);
    }
}

static void array_param(struct mzml_run *run, const struct params_param *param)
{
    struct mzml_array *array = &run->array;
    if (param->id == PARAMS_INTENSITY_ARRAY) {
        array->intensity = true;
    } else if (param->id == PARAMS_PRESSURE_ARRAY) {
        array->pressure = true;
    } else if (param->id == PARAMS_WAVELENGTH_ARRAY) {
        /* Some writers say no more of a spectrum of light. */
        run->light = run->light || (run->item == MZML_SPECTRUM && run->spectrum.level == 0);
    } else if (param->id == PARAMS_FLOAT32) {
        array->width = 4;
    } else if (param->id == PARAMS_FLOAT64) {
        array->width = 8;
    } else if (param->id == PARAMS_OTHER_COMPRESSION) {
        array->compression = MZML_UNSUPPORTED;
    } else if (param->id == PARAMS_ZLIB && array->compression != MZML_UNSUPPORTED) {
        /* Older writers state numpress and zlib as two terms: numpress stays. */
        array->compression = MZML_ZLIB;
    }
}

static int selected_ion_param(struct mzml_run *run, const struct params_param *param,
                              struct err *err)
{
    if (param->id != PARAMS_SELECTED_MZ || !run->in_precursor || run->spectrum.level != 2) {
        return 0;
    }
    run->precursor_selected = true;
    run->spectrum.has_precursor = run->spectrum.has_precursor || !isnan(param->value);
    return figures_add_precursor(run->figures, param->value, err);
}

static int apply(struct mzml_run *run, enum mzml_element parent, const struct params_param *param,
                 struct err *err)
{
    if (param->id == PARAMS_IGNORED) {
        return 0;
    }
    if (parent == MZML_GROUP) {
        return params_group_add(&run->groups, param, err);
    }
    if (parent == MZML_ARRAY) {
        array_param(run, param);
    } else if (run->item == MZML_CHROMATOGRAM && parent == MZML_CHROMATOGRAM) {
        run->is_pressure = run->is_pressure || param->id == PARAMS_PRESSURE_CHROMATOGRAM;
    } else if (run->item != MZML_SPECTRUM) {
        return 0;
    } else if (parent == MZML_SPECTRUM) {
        spectrum_param(run, param);
    } else if (parent == MZML_SCAN) {
        scan_param(run, param);
    } else if (parent == MZML_ISOLATION_WINDOW && run->in_precursor &&
               param->id == PARAMS_TARGET_MZ) {
        run->precursor_target_mz = param->value;
    } else if (parent == MZML_SELECTED_ION) {
        return selected_ion_param(run, param, err);
    }
    return 0;
}

static int apply_group(struct mzml_run *run, enum mzml_element parent, const char *id,
                       struct err *err)
{
    if (parent == MZML_GROUP) {
        return ERR(err, ERR_INVALID, 0, "has a referenceableParamGroup that refers to another");
    }
    size_t count = 0;
    const struct params_param *param = params_group_find(&run->groups, id, &count, err);
    if (param == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (apply(run, parent, &param[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A compression that is new to us shows by its name; of what is not read the name is kept. */
static void note_unread(struct mzml_run *run, enum mzml_element parent, struct params_param *param,
                        const char *const *attrs)
{
    if (parent != MZML_ARRAY && parent != MZML_GROUP) {
        return;
    }
    const char *name = params_attribute(attrs, "name");
    if (param->id == PARAMS_IGNORED && strstr(name, "compression") != NULL) {
        param->id = PARAMS_OTHER_COMPRESSION;
    }
    bool number = param->id == PARAMS_IGNORED && strstr(name, "integer") != NULL;
    if (parent == MZML_ARRAY && (param->id == PARAMS_OTHER_COMPRESSION || number)) {
        snprintf(run->array.not_read, sizeof run->array.not_read, "%s",
                 *name != '\0' ? name : params_attribute(attrs, "accession"));
    }
}

int mzml_run_param(struct mzml_run *run, enum mzml_element parent, enum mzml_element element,
                   const char *const *attrs, struct err *err)
{
    if (element == MZML_GROUP_REF) {
        return apply_group(run, parent, params_attribute(attrs, "ref"), err);
    }
    if (parent == MZML_CHROMATOGRAM &&
        (strcasestr(params_attribute(attrs, "name"), "PumpHP_pressure") != NULL ||
         strcasestr(params_attribute(attrs, "value"), "PumpHP_pressure") != NULL)) {
        run->is_pump_hp = true;
    }
    if (element == MZML_USER_PARAM) {
        return 0;
    }
    struct params_param param = params_read(attrs);
    note_unread(run, parent, &param, attrs);
    return apply(run, parent, &param, err);
}

int mzml_run_text(struct mzml_run *run, const char *text, size_t size, struct err *err)
{
    return arrays_feed(run->decoder, text, size, err);
}

static int end_binary(struct mzml_run *run, struct err *err)
{
    if (!run->decoding) {
        return 0;
    }
    run->decoding = false;
    struct arrays_summary summary;
    if (arrays_end(run->decoder, &summary, err) != 0) {
        return -1;
    }
    if (run->item == MZML_SPECTRUM) {
        run->spectrum.tic = summary.sum;
    } else {
        run->pressure_max = fmax(run->pressure_max, summary.max);
    }
    return 0;
}

static void end_chromatogram(struct mzml_run *run)
{
    run->item = MZML_OTHER;
    if (run->is_pump_hp) {
        run->pump_hps++;
        run->pump_hps_unread += run->unread ? 1 : 0;
        run->pump_hp_max = fmax(run->pump_hp_max, run->pressure_max);
    } else if (run->is_pressure) {
        run->other_pressures++;
        run->other_pressure_max = run->pressure_max;
    }
}

int mzml_run_end(struct mzml_run *run, enum mzml_element element, struct err *err)
{
    if (element == MZML_BINARY) {
        return end_binary(run, err);
    }
    if (element == MZML_CHROMATOGRAM) {
        end_chromatogram(run);
    } else if (element == MZML_PRECURSOR) {
        run->in_precursor = false;
        if (run->item == MZML_SPECTRUM && run->spectrum.level == 2 && !run->precursor_selected) {
            run->spectrum.has_precursor =
                run->spectrum.has_precursor || !isnan(run->precursor_target_mz);
            return figures_add_precursor(run->figures, run->precursor_target_mz, err);
        }
    } else if (element == MZML_SPECTRUM) {
        run->item = MZML_OTHER;
        run->found++;
        if (run->light) {
            run->lights++;
            return 0;
        }
        return figures_add(run->figures, &run->spectrum, err);
    }
    return 0;
}

static void summarise_pressure(const struct mzml_run *run, struct result *result)
{
    const struct result_part all = {0};
    const struct result_part of = {run->pump_hps - run->pump_hps_unread, run->pump_hps,
                                   "chromatograms"};
    result_set(result, RESULT_PRESSURE, run->pump_hp_max, &of);
    if (run->pump_hps == 0 && run->other_pressures == 1) {
        result_set(result, RESULT_PRESSURE, run->other_pressure_max, &all);
        result_note(result, "the pressure is from the only pressure chromatogram, which is not "
                            "named PumpHP_pressure");
    } else if (run->pump_hps == 0 && run->other_pressures > 1) {
        result_note(result, "%zu pressure chromatograms, none named PumpHP_pressure",
                    run->other_pressures);
    }
}

void mzml_run_summarise(const struct mzml_run *run, struct result *result)
{
    if (run->found == run->lights) {
        result_note(result, "the file holds no %sspectrum", run->lights > 0 ? "mass " : "");
    }
    if (run->lights > 0) {
        result_note(result, "%zu spectra of another detector (UV, PDA) are left out", run->lights);
    }
    if (run->announced != run->found && run->announced != 0) {
        result_note(result, "the spectrum list announces %" PRIu64 " spectra and holds %zu",
                    run->announced, run->found);
    }
    if (run->unsupported > 0) {
        result_note(result,
                    "%zu arrays use an unsupported compression or number type (%s): their TIC or "
                    "pressure is unknown",
                    run->unsupported, run->unsupported_name);
    }
    if (run->times_unknown > 0) {
        result_note(result, "%zu scan start times have no known unit or are no number",
                    run->times_unknown);
    }
    summarise_pressure(run, result);
    /* Without MS2 there are none; with MS2 and no precursor element the number is unknown. */
    if (run->figures->scans[FIGURES_MS2] == 0) {
        result_set(result, RESULT_PRECURSORS, 0, &(struct result_part){0});
    }
}
