/*
 * metrics_tables.c - columns -> metrics. A new software is a few lines here, and no code; a new
 * name of a column is a line before the one of its older name.
 */
#include <string.h>

#include "common/quant/metrics_words.h"
#include "workers/quant/metrics.h"

static const struct metric_column msqc_results[] = {
    {"ms1_median_injection_time", "ms1_median_injection_time", METRIC_MEAN, 0, NULL, NULL},
    {"ms1_scans", "ms1_scans", METRIC_MEAN, 0, NULL, NULL},
    {"ms1_median_tic", "ms1_median_tic", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_median_injection_time", "ms2_median_injection_time", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_scans", "ms2_scans", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_median_tic", "ms2_median_tic", METRIC_MEAN, 0, NULL, NULL},
    {"evosep_pump_hp_pressure_max", "evosep_pump_hp_pressure_max", METRIC_MEAN, 0, NULL, NULL},
    {"gradient_length", "gradient_length", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_unique_precursors", "ms2_unique_precursors", METRIC_MEAN, 0, NULL, NULL},
    {"status", METRICS_STATUS, METRIC_TEXT, 0, NULL, NULL},
    {"detail", METRICS_DETAIL, METRIC_TEXT, 0, NULL, NULL},
    {"partial", METRICS_PARTIAL, METRIC_TEXT, 0, NULL, NULL},
    {0},
};
static const struct metric_file msqc_files[] = {
    {"msqc_results.tsv", false, false, '\t', msqc_results, NULL, NULL},
    {0},
};

/* Version 2 gave most columns new names, and the gradient in seconds. */
static const struct metric_column alphadia_stat[] = {
    {"search.proteins", "proteins", METRIC_MEAN, 0, NULL, NULL},
    {"proteins", "proteins", METRIC_MEAN, 0, NULL, NULL},
    {"search.precursors", "precursors", METRIC_MEAN, 0, NULL, NULL},
    {"precursors", "precursors", METRIC_MEAN, 0, NULL, NULL},
    {"search.fwhm_rt", "fwhm_rt", METRIC_MEAN, 0, NULL, NULL},
    {"fwhm_rt", "fwhm_rt", METRIC_MEAN, 0, NULL, NULL},
    {"search.fwhm_mobility", "fwhm_mobility", METRIC_MEAN, 0, NULL, NULL},
    {"fwhm_mobility", "fwhm_mobility", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.ms1_error", "optimization:ms1_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.ms2_error", "optimization:ms2_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.rt_error", "optimization:rt_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.mobility_error", "optimization:mobility_error", METRIC_MEAN, 0, NULL, NULL},
    {"calibration.ms1_bias", "calibration:ms1_bias", METRIC_MEAN, 0, NULL, NULL},
    {"calibration.ms1_median_accuracy", "calibration:ms1_bias", METRIC_MEAN, 0, NULL, NULL},
    {"calibration.ms2_bias", "calibration:ms2_bias", METRIC_MEAN, 0, NULL, NULL},
    {"calibration.ms2_median_accuracy", "calibration:ms2_bias", METRIC_MEAN, 0, NULL, NULL},
    {"raw.gradient_length", "gradient_length", METRIC_MEAN, 1.0 / 60, NULL, NULL},
    {"raw.gradient_length_m", "gradient_length", METRIC_MEAN, 0, NULL, NULL},
    {0},
};
static const struct metric_column alphadia_internal[] = {
    {"duration_optimization", "duration_optimization", METRIC_MEAN, 0, NULL, NULL},
    {"duration_extraction", "duration_extraction", METRIC_MEAN, 0, NULL, NULL},
    {0},
};
static const struct metric_file alphadia_files[] = {
    {"stat.tsv", false, false, '\t', alphadia_stat, NULL, NULL},
    {"internal.tsv", true, false, '\t', alphadia_internal, NULL, NULL},
    {0},
};

/* The same names from 1.8 to 2; 1.8 and 1.9 also have MS2.Mass.Instability. */
static const struct metric_column diann_stats[] = {
    {"Precursors.Identified", "precursors", METRIC_MEAN, 0, NULL, NULL},
    {"Proteins.Identified", "proteins", METRIC_MEAN, 0, NULL, NULL},
    {"Total.Quantity", "total_quantity", METRIC_MEAN, 0, NULL, NULL},
    {"MS1.Signal", "ms1_signal", METRIC_MEAN, 0, NULL, NULL},
    {"MS2.Signal", "ms2_signal", METRIC_MEAN, 0, NULL, NULL},
    {"FWHM.Scans", "fwhm_scans", METRIC_MEAN, 0, NULL, NULL},
    {"FWHM.RT", "fwhm_rt", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS1", "median_mass_acc_ms1", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS1.Corrected", "median_mass_acc_ms1_corrected", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS2", "median_mass_acc_ms2", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS2.Corrected", "median_mass_acc_ms2_corrected", METRIC_MEAN, 0, NULL, NULL},
    {"Normalisation.Instability", "normalisation_instability", METRIC_MEAN, 0, NULL, NULL},
    {"Median.RT.Prediction.Acc", "median_rt_prediction_acc", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Peptide.Length", "average_peptide_length", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Peptide.Charge", "average_peptide_charge", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Missed.Tryptic.Cleavages", "average_missed_tryptic_cleavages", METRIC_MEAN, 0, NULL,
     NULL},
    {0},
};
static const struct metric_file diann_files[] = {
    {"report.stats.tsv", false, false, '\t', diann_stats, NULL, NULL},
    {0},
};

/*
 * Skyline's report of iRT peptides; only the figures of the heavy peaks are taken. Without
 * --report-invariant it is written in the language of the computer: captions with spaces, and
 * semicolons and decimal commas.
 */
#define HEAVY     "heavy"
#define MEASURED  "AverageMeasuredRetentionTime"
#define PREDICTED "PredictedRetentionTime"
static const struct metric_column skyline_report[] = {
    {PREDICTED, "irt_delta_rt_mean", METRIC_MEAN, 0, MEASURED, HEAVY},
    {PREDICTED, "irt_delta_rt_max", METRIC_MAX, 0, MEASURED, HEAVY},
    {"MeanTotalArea", "irt_mean_total_area_median", METRIC_MEDIAN, 0, NULL, HEAVY},
    {"CvTotalArea", "irt_cv_total_area_mean", METRIC_MEAN, 0, NULL, HEAVY},
    {"CvTotalArea", "irt_cv_total_area_max", METRIC_MAX, 0, NULL, HEAVY},
    {"IsotopeLabelType", "irt_n_heavy_peptides", METRIC_COUNT, 0, NULL, HEAVY},
    {"IsotopeLabelType", "irt_n_light_peptides", METRIC_COUNT, 0, NULL, "light"},
    {0},
};
static const struct metric_column skyline_peptide[] = {
    {PREDICTED, "delta_rt", METRIC_MEAN, 0, MEASURED, NULL},
    {"MeanTotalArea", "mean_total_area", METRIC_MEAN, 0, NULL, NULL},
    {"CvTotalArea", "cv_total_area", METRIC_MEAN, 0, NULL, NULL},
    {0},
};
static const struct metric_rows skyline_peptides = {"irt", "PeptideModifiedSequence", HEAVY,
                                                    skyline_peptide};
static const struct metric_file skyline_files[] = {
    {"custom_iRT_report.csv", false, true, TABLE_DETECT, skyline_report, "IsotopeLabelType",
     &skyline_peptides},
    {0},
};

static const struct metric_type types[] = {
    {"msqc", msqc_files},
    {"alphadia", alphadia_files},
    {"diann", diann_files},
    {"skyline", skyline_files},
};

const struct metric_type *metrics_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}
