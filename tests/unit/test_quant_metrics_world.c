/*
 * test_quant_metrics_world.c - result tables as each version of each software writes them, on
 * computers of every language. Column names are those of the released versions (alphadia's
 * StatSearchCols and OUTPUT_FORMAT notes, DIA-NN's report.stats.tsv of 1.8 to 2.x, Skyline's report
 * with and without --report-invariant, msqc_results.tsv of AlphaKraken and ours).
 */
#include <iconv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "test.h"
#include "workers/quant/metrics.h"
#include "workers/quant/table.h"

struct place {
    char folder[64];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_non_null(test_folder(p->folder, sizeof p->folder, "trawl-metrics"));
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    static const char *const names[] = {"stat.tsv",         "internal.tsv",
                                        "report.stats.tsv", "custom_iRT_report.csv",
                                        "msqc_results.tsv", "a.csv"};
    struct place *p = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", p->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(p->folder), 0);
    free(p);
    return 0;
}

static void put_bytes(const struct place *p, const char *name, const char *bytes, size_t size)
{
    struct err err = {0};
    char path[100];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    assert_int_equal(fs_write(path, bytes, size, &err), 0);
}

static void put(const struct place *p, const char *name, const char *text)
{
    put_bytes(p, name, text, strlen(text));
}

static bson_t *try_read(struct place *p, const char *type, struct err *err)
{
    char name[16], none[1] = "", a_csv[] = "a.csv", column[] = "x", metric[] = "m";
    struct settings_column columns[1] = {{.file = a_csv, .column = column, .metric = metric}};
    struct quant_job job = {
        .worker_output = p->folder,
        .settings = {
            .software_type = name, .metrics_type = none, .columns = columns, .n_columns = 1}};
    snprintf(name, sizeof name, "%s", type);
    snprintf(columns[0].how, sizeof columns[0].how, "mean");
    bson_t *out = bson_new();
    if (metrics_read(&job, out, err) != 0) {
        bson_destroy(out);
        return NULL;
    }
    return out;
}

static bson_t *read_metrics(struct place *p, const char *type)
{
    struct err err = {0};
    bson_t *out = try_read(p, type, &err);
    if (out == NULL) {
        fail_msg("%s", err.msg);
    }
    return out;
}

static void assert_near(const bson_t *doc, const char *name, double expected)
{
    double value = doc_f64(doc, name, -12345);
    if (fabs(value - expected) > fabs(expected) * 1e-12) {
        fail_msg("%s is %.17g, not %.17g", name, value, expected);
    }
}

static void assert_null_field(const bson_t *doc, const char *name)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, doc, name) || !BSON_ITER_HOLDS_NULL(&at)) {
        fail_msg("%s is not null", name);
    }
}

/* --- alphadia --- */

#define ALPHADIA_1                                                                                 \
    "run\tchannel\tprecursors\tproteins\tfwhm_rt\tfwhm_mobility\toptimization.ms2_error\t"         \
    "optimization.ms1_error\toptimization.rt_error\toptimization.mobility_error\t"                 \
    "calibration.ms2_median_accuracy\tcalibration.ms2_median_precision\t"                          \
    "calibration.ms1_median_accuracy\tcalibration.ms1_median_precision\traw.gradient_min_m\t"      \
    "raw.gradient_max_m\traw.gradient_length_m\traw.cycle_length\traw.cycle_duration\t"            \
    "raw.cycle_number\traw.msms_range_min\traw.msms_range_max\n"                                   \
    "A_S1\t0\t81234\t7012\t3.25\tNaN\t7.0\t5.0\t120.5\t0.04\t0.31\t0.66\t-0.12\t0.5\t0\t21\t21."   \
    "0\t"                                                                                          \
    "301\t1.55\t806\t380.4\t980.7\n"
#define ALPHADIA_2                                                                                 \
    "raw.name\tsearch.channel\tsearch.precursors\tsearch.proteins\tsearch.fwhm_rt\t"               \
    "search.fwhm_mobility\toptimization.ms2_error\toptimization.ms1_error\t"                       \
    "optimization.rt_error\toptimization.mobility_error\tcalibration.ms2_bias\t"                   \
    "calibration.ms2_variance\tcalibration.ms1_bias\tcalibration.ms1_variance\t"                   \
    "raw.gradient_length\traw.cycle_length\traw.cycle_duration\traw.cycle_number\t"                \
    "raw.ms2_range_min\traw.ms2_range_max\n"                                                       \
    "A_S1\t0\t81234\t7012\t3.250000\tNaN\t7.0\t5.0\t120.5\t0.04\t0.31\t0.66\t-0.12\t0.5\t1260.0\t" \
    "301\t1.55\t806\t380.4\t980.7\n"

/* MannLabs/alphadia#726. Values: awk -F'\t' over the lines above; 1260 s are 21 minutes. */
static void both_versions_of_alphadia_give_the_same_figures(void **state)
{
    static const char *const tables[] = {ALPHADIA_1, ALPHADIA_2};
    for (size_t i = 0; i < 2; i++) {
        put(*state, "stat.tsv", tables[i]);
        put(*state, "internal.tsv",
            "run\tduration_total\tduration_load\tduration_optimization\tduration_extraction\n"
            "A_S1\t95.1\t5.7\t31.6\t5.8\n");
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "alphadia");
        assert_near(m, "precursors", 81234);
        assert_near(m, "proteins", 7012);
        assert_near(m, "fwhm_rt", 3.25);
        assert_null_field(m, "fwhm_mobility");
        assert_near(m, "optimization:ms1_error", 5);
        assert_near(m, "optimization:ms2_error", 7);
        assert_near(m, "optimization:rt_error", 120.5);
        assert_near(m, "optimization:mobility_error", 0.04);
        assert_near(m, "calibration:ms1_bias", -0.12);
        assert_near(m, "calibration:ms2_bias", 0.31);
        assert_near(m, "gradient_length", 21);
        assert_near(m, "duration_optimization", 31.6);
        assert_false(db_has_key(m, "missing_columns"));
    }
}

/* alphadia writes only the run's name when it has no timings. */
static void an_optional_table_without_wanted_columns_is_no_error(void **state)
{
    put(*state, "stat.tsv", ALPHADIA_2);
    put(*state, "internal.tsv", "run\nA_S1\n");
    AUTO(bson_destroy) bson_t *m = read_metrics(*state, "alphadia");
    assert_null_field(m, "duration_extraction");
    assert_string_equal(doc_str(m, "missing_columns.0", ""), "duration_optimization");
}

static void the_newest_name_of_a_column_is_the_one_that_is_missed(void **state)
{
    put(*state, "stat.tsv", "raw.name\tsearch.precursors\nA_S1\t5\n");
    AUTO(bson_destroy) bson_t *m = read_metrics(*state, "alphadia");
    assert_near(m, "precursors", 5);
    assert_null_field(m, "proteins");
    assert_string_equal(doc_str(m, "missing_columns.0", ""), "search.proteins");
}

/* --- DIA-NN --- */

#define DIANN_BEFORE                                                                               \
    "File.Name\tPrecursors.Identified\tProteins.Identified\tTotal.Quantity\tMS1.Signal\t"          \
    "MS2.Signal\tFWHM.Scans\tFWHM.RT\tMedian.Mass.Acc.MS1\tMedian.Mass.Acc.MS1.Corrected\t"        \
    "Median.Mass.Acc.MS2\tMedian.Mass.Acc.MS2.Corrected\t"
#define DIANN_AFTER                                                                                \
    "Normalisation.Instability\tMedian.RT.Prediction.Acc\tAverage.Peptide.Length\t"                \
    "Average.Peptide.Charge\tAverage.Missed.Tryptic.Cleavages\n"

static void every_version_of_diann_gives_its_figures(void **state)
{
    static const char *const tables[] = {
        DIANN_BEFORE "MS2.Mass.Instability\t" DIANN_AFTER /* 1.8, 1.9 */
                     "/b/"
                     "a.raw\t99001\t8001\t2.5e+10\t3.4e+12\t3.1e+14\t2.5\t0.06\t0.45\t0.3\t0.98\t0."
                     "8\t0.2\t0.05\t"
                     "0.02\t12.1\t2.26\t0.11\n",
        DIANN_BEFORE DIANN_AFTER /* 2.x */
        "/b/"
        "a.raw\t99001\t8001\t2.5e+10\t3.4e+12\t3.1e+14\t2.5\t0.06\t0.45\t0.3\t0.98\t0.8\t0.05\t0."
        "02\t"
        "12.1\t2.26\t0.11\n",
    };
    for (size_t i = 0; i < 2; i++) {
        put(*state, "report.stats.tsv", tables[i]);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "diann");
        assert_near(m, "precursors", 99001);
        assert_near(m, "proteins", 8001);
        assert_near(m, "fwhm_scans", 2.5);
        assert_near(m, "median_mass_acc_ms2_corrected", 0.8);
        assert_near(m, "normalisation_instability", 0.05);
        assert_near(m, "average_missed_tryptic_cleavages", 0.11);
        assert_false(db_has_key(m, "missing_columns"));
    }
}

/* A run without identifications, as gcc's and Microsoft's printf write what is no number. */
static void an_empty_run_of_diann_has_nulls(void **state)
{
    static const char *const words[] = {"-nan", "nan", "-nan(ind)", "-1.#IND", "inf"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[1024];
        const char *w = words[i];
        snprintf(text, sizeof text,
                 DIANN_BEFORE DIANN_AFTER
                 "/b/a.raw\t0\t0\t0\t3400000000\t1e10\t%s\t%s\t0\t0\t0\t0\t%s\t0\t%s\t%s\t%s\n",
                 w, w, w, w, w, w);
        put(*state, "report.stats.tsv", text);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "diann");
        assert_near(m, "precursors", 0);
        assert_near(m, "ms2_signal", 1e10);
        assert_null_field(m, "fwhm_scans");
        assert_null_field(m, "average_peptide_charge");
    }
}

/* --- words for no value --- */

/* pandas-dev/pandas, STR_NA_VALUES, and how others write them. */
static void a_word_for_no_value_is_null_and_the_rest_of_the_row_counts(void **state)
{
    static const char *const words[] = {
        "",       "None",    "none",     "<NA>",     "NaN",      "nan",     "-NaN", "NA",
        "N/A",    "n/a",     "#N/A",     "#N/A N/A", "#NA",      "null",    "NULL", "Null",
        "1.#IND", "1.#QNAN", "-1.#QNAN", " None ",   "Infinity", "\"None\""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "File.Name\tPrecursors.Identified\tFWHM.Scans\nr\t99001\t%s\nq\t99003\t4.5\n",
                 words[i]);
        put(*state, "report.stats.tsv", text);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "diann");
        assert_near(m, "precursors", 99002);
        assert_near(m, "fwhm_scans", 4.5);
    }
}

static void other_text_in_a_column_of_numbers_is_an_error(void **state)
{
    static const char *const words[] = {"Nonesuch", "abc", "1 2", "5;", "1.5.2", "0,5", "%", "--"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[128];
        struct err err = {0};
        snprintf(text, sizeof text, "File.Name\tFWHM.Scans\nr\t%s\n", words[i]);
        put(*state, "report.stats.tsv", text);
        assert_null(try_read(*state, "diann", &err));
        assert_non_null(strstr(err.msg, "is no number"));
    }
}

/* Of a file that has its size and not yet its content; a cell must not end at such a byte. */
static void a_table_that_holds_zero_bytes_is_an_error(void **state)
{
    static const char table[] = "File.Name\tFWHM.Scans\nr\t812\0.5\n";
    struct err err = {0};
    put_bytes(*state, "report.stats.tsv", table, sizeof table - 1);
    assert_null(try_read(*state, "diann", &err));
    assert_non_null(strstr(err.msg, "zero bytes"));
}

/* --- Skyline --- */

#define IRT_ROWS                                                                                   \
    "LGGNEQVTR;light;5.1;5.3;1000000;0.05\n"                                                       \
    "LGGNEQVTR[+10.008269];heavy;5.1;5.35;2000000;0.1\n"                                           \
    "GAGSSEPVTGLDAK[+8.014199];heavy;10;9.2;4000000;0.3\n"                                         \
    "VEATFGVDESNAK[+8.014199];heavy;12.5;#N/A;#N/A;#N/A\n"
#define IRT                                                                                        \
    "PeptideModifiedSequence;IsotopeLabelType;PredictedRetentionTime;"                             \
    "AverageMeasuredRetentionTime;MeanTotalArea;CvTotalArea\n" IRT_ROWS

/* Values: python3, csv.DictReader(delimiter=";") over IRT: abs differences 0.25 and 0.8. */
static void expect_irt(const bson_t *m)
{
    assert_near(m, "irt_delta_rt_mean", 0.525);
    assert_near(m, "irt_delta_rt_max", 0.8);
    assert_near(m, "irt_mean_total_area_median", 3000000);
    assert_near(m, "irt_cv_total_area_mean", 0.2);
    assert_near(m, "irt_cv_total_area_max", 0.3);
    assert_near(m, "irt_n_heavy_peptides", 3);
    assert_near(m, "irt_n_light_peptides", 1);
    assert_near(m, "irt_LGGNEQVTR_+10:008269_delta_rt", 0.25);
    assert_null_field(m, "irt_VEATFGVDESNAK_+8:014199_mean_total_area");
    assert_false(db_has_key(m, "missing_columns"));
}

/* The text with one character in place of another, but not within [...]; free(). */
static char *with(const char *text, char from, char to)
{
    char *copy = strdup(text);
    bool within = false;
    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++) {
        within = *c == '[' || (within && *c != ']');
        *c = *c == from && !within ? to : *c;
    }
    return copy;
}

/* ProteoWizard/pwiz#1539: what separates the columns depends on the computer's language. */
static void a_report_of_skyline_may_have_any_separator(void **state)
{
    for (const char *separator = ",;\t"; *separator != '\0'; separator++) {
        AUTO(free) char *text = with(IRT, ';', *separator);
        put(*state, "custom_iRT_report.csv", text);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "skyline");
        expect_irt(m);
    }
}

static void decimal_commas_are_read_where_a_comma_separates_nothing(void **state)
{
    for (const char *separator = ";\t"; *separator != '\0'; separator++) {
        AUTO(free) char *commas = with(IRT, '.', ',');
        AUTO(free) char *text = with(commas, ';', *separator);
        put(*state, "custom_iRT_report.csv", text);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "skyline");
        expect_irt(m);
    }
}

/* Skyline formats a coefficient of variation as 0.#% when the report is for people. */
static void captions_and_percentages_of_a_report_for_people_are_read(void **state)
{
    put(*state, "custom_iRT_report.csv",
        "Peptide Modified Sequence;Isotope Label Type;Predicted Retention Time;"
        "Average Measured Retention Time;Mean Total Area;CV Total Area\r\n"
        "LGGNEQVTR;light;5,1;5,3;1000000;5%\r\n"
        "\"LGGNEQVTR[+10.008269]\";heavy;5,1;5,35;2E+06;10 %\r\n"
        "GAGSSEPVTGLDAK[+8.014199];\"heavy\";10;9,2;\"4000000\";30,0\xc2\xa0%\r\n"
        "VEATFGVDESNAK[+8.014199];heavy;12,5;#N/A;#N/A;#N/A\r\n");
    AUTO(bson_destroy) bson_t *m = read_metrics(*state, "skyline");
    expect_irt(m);
}

/* What 1,234 means beside 5.1 nobody can tell. */
static void a_comma_beside_points_is_an_error(void **state)
{
    struct err err = {0};
    put(*state, "custom_iRT_report.csv",
        "IsotopeLabelType;PredictedRetentionTime;AverageMeasuredRetentionTime;MeanTotalArea\n"
        "heavy;5.1;5.3;1,234\n");
    assert_null(try_read(*state, "skyline", &err));
    assert_non_null(strstr(err.msg, "\"1,234\" is no number"));
}

static void put_utf16(struct place *p, const char *name, const char *text, const char *code)
{
    char out[4096] = "", *to = out, *from = strdup(text), *begin = from;
    size_t left = strlen(text), room = sizeof out;
    iconv_t as = iconv_open(code, "UTF-8");
    assert_true(as != (iconv_t)-1 && iconv(as, &from, &left, &to, &room) == 0);
    iconv_close(as);
    free(begin);
    put_bytes(p, name, out, sizeof out - room);
}

static void marks_and_utf16_are_understood(void **state)
{
    put(*state, "custom_iRT_report.csv", "\xef\xbb\xbf" IRT);
    AUTO(bson_destroy) bson_t *marked = read_metrics(*state, "skyline");
    expect_irt(marked);
    static const char *const codes[] = {"UTF-16LE", "UTF-16BE"};
    for (size_t i = 0; i < 2; i++) {
        put_utf16(*state, "custom_iRT_report.csv", "\xef\xbb\xbf" IRT, codes[i]);
        AUTO(bson_destroy) bson_t *m = read_metrics(*state, "skyline");
        expect_irt(m);
    }
    struct err err = {0};
    put_bytes(*state, "custom_iRT_report.csv",
              "\xff\xfe"
              "a\0\n",
              5);
    assert_null(try_read(*state, "skyline", &err));
    assert_non_null(strstr(err.msg, "cut"));
}

/* Rows of which nobody says whether they are heavy give no peptide's figures. */
static void peptides_need_to_know_which_rows_are_heavy(void **state)
{
    put(*state, "custom_iRT_report.csv",
        "PeptideModifiedSequence,MeanTotalArea,IsotopeLabel\n"
        "PEPK,5,light\nPEPK,7,heavy\n");
    struct err err = {0};
    assert_null(try_read(*state, "skyline", &err)); /* every metric is of the heavy ones */
    assert_non_null(strstr(err.msg, "none of the wanted columns"));
}

/* --- our own, and tables of something else --- */

static void figures_of_a_part_are_told_beside_the_whole_ones(void **state)
{
    put(*state, "msqc_results.tsv",
        "ms1_scans\tms1_median_tic\tstatus\tdetail\tpartial\n"
        "2\t\tok\t\tms1_median_tic 10 (1 of 2 spectra)\n");
    AUTO(bson_destroy) bson_t *m = read_metrics(*state, "msqc");
    assert_near(m, "ms1_scans", 2);
    assert_null_field(m, "ms1_median_tic");
    assert_string_equal(doc_str(m, "run_partial", ""), "ms1_median_tic 10 (1 of 2 spectra)");
    /* AlphaKraken's has an unnamed column in front, and no words of its own. */
    put(*state, "msqc_results.tsv", "\tms1_scans\tms1_median_tic\n0\t1\t2688350700.0\n");
    AUTO(bson_destroy) bson_t *other = read_metrics(*state, "msqc");
    assert_near(other, "ms1_median_tic", 2688350700.0);
}

/* The job counted as done, with every figure null. */
static void a_table_with_none_of_the_wanted_columns_is_an_error_that_lists_what_it_has(void **state)
{
    static const struct {
        const char *type, *file;
    } cases[] = {{"msqc", "msqc_results.tsv"},
                 {"alphadia", "stat.tsv"},
                 {"diann", "report.stats.tsv"},
                 {"skyline", "custom_iRT_report.csv"},
                 {"custom", "a.csv"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        put(*state, cases[i].file, "Run|one\nr\n");
        assert_null(try_read(*state, cases[i].type, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, cases[i].file));
        assert_non_null(strstr(err.msg, "has none of the wanted columns"));
        assert_non_null(strstr(err.msg, "it has 1: Run|one"));
    }
}

static void a_column_map_reads_semicolons_too(void **state)
{
    put(*state, "a.csv", "k;x\nq;1,5\nq;2,5\n");
    AUTO(bson_destroy) bson_t *m = read_metrics(*state, "custom");
    assert_near(m, "m", 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(both_versions_of_alphadia_give_the_same_figures),
        T(an_optional_table_without_wanted_columns_is_no_error),
        T(the_newest_name_of_a_column_is_the_one_that_is_missed),
        T(every_version_of_diann_gives_its_figures),
        T(an_empty_run_of_diann_has_nulls),
        T(a_word_for_no_value_is_null_and_the_rest_of_the_row_counts),
        T(other_text_in_a_column_of_numbers_is_an_error),
        T(a_table_that_holds_zero_bytes_is_an_error),
        T(a_report_of_skyline_may_have_any_separator),
        T(decimal_commas_are_read_where_a_comma_separates_nothing),
        T(captions_and_percentages_of_a_report_for_people_are_read),
        T(a_comma_beside_points_is_an_error),
        T(marks_and_utf16_are_understood),
        T(peptides_need_to_know_which_rows_are_heavy),
        T(figures_of_a_part_are_told_beside_the_whole_ones),
        T(a_table_with_none_of_the_wanted_columns_is_an_error_that_lists_what_it_has),
        T(a_column_map_reads_semicolons_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
