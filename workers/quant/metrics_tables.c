/* metrics_tables.c - columns -> metrics. A new software is a few lines here, and no code. */
#include <string.h>

#include "workers/quant/metrics.h"

#include "common/ban.h"

static const struct metric_column msqc_results[] = {
    {"ms1_median_injection_time", NULL, "ms1_median_injection_time", METRIC_MEAN, 0},
    {"ms1_scans", NULL, "ms1_scans", METRIC_MEAN, 0},
    {"ms1_median_tic", NULL, "ms1_median_tic", METRIC_MEAN, 0},
    {"ms2_median_injection_time", NULL, "ms2_median_injection_time", METRIC_MEAN, 0},
    {"ms2_scans", NULL, "ms2_scans", METRIC_MEAN, 0},
    {"ms2_median_tic", NULL, "ms2_median_tic", METRIC_MEAN, 0},
    {"evosep_pump_hp_pressure_max", NULL, "evosep_pump_hp_pressure_max", METRIC_MEAN, 0},
    {"gradient_length", NULL, "gradient_length", METRIC_MEAN, 0},
    {"ms2_unique_precursors", NULL, "ms2_unique_precursors", METRIC_MEAN, 0},
    {"status", NULL, "status", METRIC_TEXT, 0},
    {"detail", NULL, "detail", METRIC_TEXT, 0},
    {0},
};
static const struct metric_file msqc_files[] = {
    {"msqc_results.tsv", false, '\t', msqc_results},
    {0},
};

static const struct metric_column alphadia_stat[] = {
    {"proteins", NULL, "proteins", METRIC_MEAN, 0},
    {"precursors", NULL, "precursors", METRIC_MEAN, 0},
    {"fwhm_rt", NULL, "fwhm_rt", METRIC_MEAN, 0},
    {"fwhm_mobility", NULL, "fwhm_mobility", METRIC_MEAN, 0},
    {"optimization.ms1_error", NULL, "optimization:ms1_error", METRIC_MEAN, 0},
    {"optimization.ms2_error", NULL, "optimization:ms2_error", METRIC_MEAN, 0},
    {"optimization.rt_error", NULL, "optimization:rt_error", METRIC_MEAN, 0},
    {"optimization.mobility_error", NULL, "optimization:mobility_error", METRIC_MEAN, 0},
    {"calibration.ms1_bias", "calibration.ms1_median_accuracy", "calibration:ms1_bias", METRIC_MEAN,
     0},
    {"calibration.ms2_bias", "calibration.ms2_median_accuracy", "calibration:ms2_bias", METRIC_MEAN,
     0},
    {"raw.gradient_length", "raw.gradient_length_m", "gradient_length", METRIC_MEAN, 1.0 / 60},
    {0},
};
static const struct metric_column alphadia_internal[] = {
    {"duration_optimization", NULL, "duration_optimization", METRIC_MEAN, 0},
    {"duration_extraction", NULL, "duration_extraction", METRIC_MEAN, 0},
    {0},
};
static const struct metric_file alphadia_files[] = {
    {"stat.tsv", false, '\t', alphadia_stat},
    {"internal.tsv", true, '\t', alphadia_internal},
    {0},
};

static const struct metric_column diann_stats[] = {
    {"Precursors.Identified", NULL, "precursors", METRIC_MEAN, 0},
    {"Proteins.Identified", NULL, "proteins", METRIC_MEAN, 0},
    {"Total.Quantity", NULL, "total_quantity", METRIC_MEAN, 0},
    {"MS1.Signal", NULL, "ms1_signal", METRIC_MEAN, 0},
    {"MS2.Signal", NULL, "ms2_signal", METRIC_MEAN, 0},
    {"FWHM.Scans", NULL, "fwhm_scans", METRIC_MEAN, 0},
    {"FWHM.RT", NULL, "fwhm_rt", METRIC_MEAN, 0},
    {"Median.Mass.Acc.MS1", NULL, "median_mass_acc_ms1", METRIC_MEAN, 0},
    {"Median.Mass.Acc.MS1.Corrected", NULL, "median_mass_acc_ms1_corrected", METRIC_MEAN, 0},
    {"Median.Mass.Acc.MS2", NULL, "median_mass_acc_ms2", METRIC_MEAN, 0},
    {"Median.Mass.Acc.MS2.Corrected", NULL, "median_mass_acc_ms2_corrected", METRIC_MEAN, 0},
    {"Normalisation.Instability", NULL, "normalisation_instability", METRIC_MEAN, 0},
    {"Median.RT.Prediction.Acc", NULL, "median_rt_prediction_acc", METRIC_MEAN, 0},
    {"Average.Peptide.Length", NULL, "average_peptide_length", METRIC_MEAN, 0},
    {"Average.Peptide.Charge", NULL, "average_peptide_charge", METRIC_MEAN, 0},
    {"Average.Missed.Tryptic.Cleavages", NULL, "average_missed_tryptic_cleavages", METRIC_MEAN, 0},
    {0},
};
static const struct metric_file diann_files[] = {
    {"report.stats.tsv", false, '\t', diann_stats},
    {0},
};

static const struct metric_type types[] = {
    {"msqc", msqc_files},
    {"alphadia", alphadia_files},
    {"diann", diann_files},
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
