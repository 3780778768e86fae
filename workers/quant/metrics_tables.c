/* metrics_tables.c - columns -> metrics. A new software is a few lines here, and no code. */
#include <string.h>

#include "workers/quant/metrics.h"

#include "common/ban.h"

static const struct metric_column msqc_results[] = {
    {"ms1_median_injection_time", NULL, "ms1_median_injection_time", METRIC_MEAN, 0, NULL, NULL},
    {"ms1_scans", NULL, "ms1_scans", METRIC_MEAN, 0, NULL, NULL},
    {"ms1_median_tic", NULL, "ms1_median_tic", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_median_injection_time", NULL, "ms2_median_injection_time", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_scans", NULL, "ms2_scans", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_median_tic", NULL, "ms2_median_tic", METRIC_MEAN, 0, NULL, NULL},
    {"evosep_pump_hp_pressure_max", NULL, "evosep_pump_hp_pressure_max", METRIC_MEAN, 0, NULL,
     NULL},
    {"gradient_length", NULL, "gradient_length", METRIC_MEAN, 0, NULL, NULL},
    {"ms2_unique_precursors", NULL, "ms2_unique_precursors", METRIC_MEAN, 0, NULL, NULL},
    {"status", NULL, "status", METRIC_TEXT, 0, NULL, NULL},
    {"detail", NULL, "detail", METRIC_TEXT, 0, NULL, NULL},
    {0},
};
static const struct metric_file msqc_files[] = {
    {"msqc_results.tsv", false, '\t', msqc_results, NULL, NULL},
    {0},
};

static const struct metric_column alphadia_stat[] = {
    {"proteins", NULL, "proteins", METRIC_MEAN, 0, NULL, NULL},
    {"precursors", NULL, "precursors", METRIC_MEAN, 0, NULL, NULL},
    {"fwhm_rt", NULL, "fwhm_rt", METRIC_MEAN, 0, NULL, NULL},
    {"fwhm_mobility", NULL, "fwhm_mobility", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.ms1_error", NULL, "optimization:ms1_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.ms2_error", NULL, "optimization:ms2_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.rt_error", NULL, "optimization:rt_error", METRIC_MEAN, 0, NULL, NULL},
    {"optimization.mobility_error", NULL, "optimization:mobility_error", METRIC_MEAN, 0, NULL,
     NULL},
    {"calibration.ms1_bias", "calibration.ms1_median_accuracy", "calibration:ms1_bias", METRIC_MEAN,
     0, NULL, NULL},
    {"calibration.ms2_bias", "calibration.ms2_median_accuracy", "calibration:ms2_bias", METRIC_MEAN,
     0, NULL, NULL},
    {"raw.gradient_length", "raw.gradient_length_m", "gradient_length", METRIC_MEAN, 1.0 / 60, NULL,
     NULL},
    {0},
};
static const struct metric_column alphadia_internal[] = {
    {"duration_optimization", NULL, "duration_optimization", METRIC_MEAN, 0, NULL, NULL},
    {"duration_extraction", NULL, "duration_extraction", METRIC_MEAN, 0, NULL, NULL},
    {0},
};
static const struct metric_file alphadia_files[] = {
    {"stat.tsv", false, '\t', alphadia_stat, NULL, NULL},
    {"internal.tsv", true, '\t', alphadia_internal, NULL, NULL},
    {0},
};

static const struct metric_column diann_stats[] = {
    {"Precursors.Identified", NULL, "precursors", METRIC_MEAN, 0, NULL, NULL},
    {"Proteins.Identified", NULL, "proteins", METRIC_MEAN, 0, NULL, NULL},
    {"Total.Quantity", NULL, "total_quantity", METRIC_MEAN, 0, NULL, NULL},
    {"MS1.Signal", NULL, "ms1_signal", METRIC_MEAN, 0, NULL, NULL},
    {"MS2.Signal", NULL, "ms2_signal", METRIC_MEAN, 0, NULL, NULL},
    {"FWHM.Scans", NULL, "fwhm_scans", METRIC_MEAN, 0, NULL, NULL},
    {"FWHM.RT", NULL, "fwhm_rt", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS1", NULL, "median_mass_acc_ms1", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS1.Corrected", NULL, "median_mass_acc_ms1_corrected", METRIC_MEAN, 0, NULL,
     NULL},
    {"Median.Mass.Acc.MS2", NULL, "median_mass_acc_ms2", METRIC_MEAN, 0, NULL, NULL},
    {"Median.Mass.Acc.MS2.Corrected", NULL, "median_mass_acc_ms2_corrected", METRIC_MEAN, 0, NULL,
     NULL},
    {"Normalisation.Instability", NULL, "normalisation_instability", METRIC_MEAN, 0, NULL, NULL},
    {"Median.RT.Prediction.Acc", NULL, "median_rt_prediction_acc", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Peptide.Length", NULL, "average_peptide_length", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Peptide.Charge", NULL, "average_peptide_charge", METRIC_MEAN, 0, NULL, NULL},
    {"Average.Missed.Tryptic.Cleavages", NULL, "average_missed_tryptic_cleavages", METRIC_MEAN, 0,
     NULL, NULL},
    {0},
};
static const struct metric_file diann_files[] = {
    {"report.stats.tsv", false, '\t', diann_stats, NULL, NULL},
    {0},
};

/* Skyline's report of iRT peptides; what is told of their peaks is of the heavy ones. */
#define HEAVY     "heavy"
#define MEASURED  "AverageMeasuredRetentionTime"
#define PREDICTED "PredictedRetentionTime"
static const struct metric_column skyline_report[] = {
    {PREDICTED, NULL, "irt_delta_rt_mean", METRIC_MEAN, 0, MEASURED, HEAVY},
    {PREDICTED, NULL, "irt_delta_rt_max", METRIC_MAX, 0, MEASURED, HEAVY},
    {"MeanTotalArea", NULL, "irt_mean_total_area_median", METRIC_MEDIAN, 0, NULL, HEAVY},
    {"CvTotalArea", NULL, "irt_cv_total_area_mean", METRIC_MEAN, 0, NULL, HEAVY},
    {"CvTotalArea", NULL, "irt_cv_total_area_max", METRIC_MAX, 0, NULL, HEAVY},
    {"IsotopeLabelType", NULL, "irt_n_heavy_peptides", METRIC_COUNT, 0, NULL, HEAVY},
    {"IsotopeLabelType", NULL, "irt_n_light_peptides", METRIC_COUNT, 0, NULL, "light"},
    {0},
};
static const struct metric_column skyline_peptide[] = {
    {PREDICTED, NULL, "delta_rt", METRIC_MEAN, 0, MEASURED, NULL},
    {"MeanTotalArea", NULL, "mean_total_area", METRIC_MEAN, 0, NULL, NULL},
    {"CvTotalArea", NULL, "cv_total_area", METRIC_MEAN, 0, NULL, NULL},
    {0},
};
static const struct metric_rows skyline_peptides = {"irt", "PeptideModifiedSequence", HEAVY,
                                                    skyline_peptide};
static const struct metric_file skyline_files[] = {
    {"custom_iRT_report.csv", false, ',', skyline_report, "IsotopeLabelType", &skyline_peptides},
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
