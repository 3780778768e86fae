/*
 * mzml_run.h - what the elements of an mzML file mean. mzml_parser.c walks the XML and calls in
 * here for each element that mzml_element_find() knows; nothing here knows expat. Threads: none;
 * one owner.
 */
#ifndef MSQC_MZML_RUN_H
#define MSQC_MZML_RUN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "msqc/arrays.h"
#include "msqc/figures.h"
#include "msqc/params.h"

enum mzml_element {
    MZML_OTHER,
    MZML_ROOT, /* mzML or indexedmzML */
    MZML_CV_PARAM,
    MZML_USER_PARAM,
    MZML_GROUP,
    MZML_GROUP_REF,
    MZML_SPECTRUM_LIST,
    MZML_SPECTRUM,
    MZML_SCAN,
    MZML_PRECURSOR,
    MZML_ISOLATION_WINDOW,
    MZML_SELECTED_ION,
    MZML_ARRAY,
    MZML_BINARY,
    MZML_CHROMATOGRAM_LIST,
    MZML_CHROMATOGRAM,
    MZML_ELEMENT_COUNT
};

enum mzml_compression { MZML_NONE, MZML_ZLIB, MZML_UNSUPPORTED };

/* The binaryDataArray that is being read. */
struct mzml_array {
    bool intensity;
    bool pressure;
    unsigned width;                    /* 0: not stated, or not a float */
    enum mzml_compression compression; /* unstated: none; some writers name only one */
    char not_read[64];                 /* name of a compression or number type that is not read */
    const char *length_problem;        /* NULL: length is valid */
    uint64_t length;
};

/* Private to mzml_run.c, but laid out by mzml_parser.c. */
struct mzml_run {
    struct figures *figures; /* borrowed */
    struct params_groups groups;
    struct arrays_decoder *decoder;
    bool decoding;
    enum mzml_element item; /* MZML_SPECTRUM, MZML_CHROMATOGRAM, or MZML_OTHER outside of both */
    char item_id[64];       /* of it, cut where it is longer */
    bool light;             /* the spectrum is of a UV or PDA detector */
    struct figures_spectrum spectrum;
    uint64_t default_length;
    bool default_length_valid;
    struct mzml_array array;
    bool in_precursor;
    bool precursor_selected;
    double precursor_target_mz;
    /* chromatograms */
    bool is_pressure;
    bool is_pump_hp;
    double pressure_max;       /* of this chromatogram */
    double pump_hp_max;        /* of those named PumpHP_pressure */
    double other_pressure_max; /* of those that are only marked as pressure */
    size_t other_pressures;
    size_t pump_hps;
    size_t pump_hps_unread; /* of those, with an array that is not read */
    bool unread;            /* this chromatogram has one */
    /* remarks for the result's detail */
    uint64_t announced;
    size_t found;
    size_t lights;
    size_t unsupported;
    char unsupported_name[64]; /* of the first of them */
    size_t times_unknown;
};

/* The element of that name, namespace prefix or not. */
enum mzml_element mzml_element_find(const char *name) __attribute__((nonnull));

/* Start. figures is borrowed; the caller calls mzml_run_fini(). On failure: -1, *err set. */
int mzml_run_init(struct mzml_run *run, struct figures *figures, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* An element begins; attrs as expat gives them. On failure: -1, *err set. */
int mzml_run_begin(struct mzml_run *run, enum mzml_element element, const char *const *attrs,
                   struct err *err) __attribute__((nonnull, warn_unused_result));

/* A cvParam, userParam or referenceableParamGroupRef directly in parent. Failure: -1, *err set. */
int mzml_run_param(struct mzml_run *run, enum mzml_element parent, enum mzml_element element,
                   const char *const *attrs, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Text of the array, while mzml_run.decoding is set. On failure: -1, *err set. */
int mzml_run_text(struct mzml_run *run, const char *text, size_t size, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* An element ends. On failure: -1, *err set. */
int mzml_run_end(struct mzml_run *run, enum mzml_element element, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* After the end of the file: pressure and remarks. The rest is in the figures. Cannot fail. */
void mzml_run_summarise(const struct mzml_run *run, struct result *result) __attribute__((nonnull));

/* Free everything; run is unusable afterwards. */
void mzml_run_fini(struct mzml_run *run) __attribute__((nonnull));
#endif
