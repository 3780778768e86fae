/*
 * test_quant_metrics.c - tables and what is read from them. The expected values of ../shared/data
 * were computed with python3: statistics.fmean over the column, csv.DictReader(delimiter="\t").
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "test.h"
#include "workers/quant/metrics.h"
#include "workers/quant/table.h"

static struct table *parse(const char *text, struct err *err)
{
    return table_parse(text, strlen(text), '\t', err);
}

static void marks_crlf_and_quotes_are_understood(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(table_free)
    struct table *t = parse("\xef\xbb\xbf"
                            "a\t\"b \"\"x\"\"\"\tc\r\n1\t\"tab\there\nline\"\t\r\n2\t\t\"\"\r\n",
                            &err);
    assert_non_null(t);
    assert_int_equal(table_rows(t), 2);
    assert_int_equal(table_column(t, "a"), 0);
    assert_int_equal(table_column(t, "b \"x\""), 1);
    assert_int_equal(table_column(t, "B"), -1);
    assert_string_equal(table_cell(t, 0, 1), "tab\there\nline");
    assert_string_equal(table_cell(t, 0, 2), "");
    assert_string_equal(table_cell(t, 1, 0), "2");
}

static void a_table_that_was_cut_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "empty"},
        {"a\tb\n1\t2", "no end"},
        {"a\tb\n1\n", "has 1 fields, the header has 2: the file is cut"},
        {"a\tb\n1\t2\t3\n", "has 3 fields"},
        {"a\tb\n1\t\"2\n", "quote"},
        {"a\tb", "no end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_null(parse(cases[i].text, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        if (strstr(err.msg, cases[i].message) == NULL) {
            fail_msg("case %zu: %s", i, err.msg);
        }
    }
}

static void numbers_are_numbers_or_null(void **state)
{
    (void)state;
    struct err err = {0};
    double x = 0;
    AUTO(table_free) struct table *t = parse("a\n1.5\n\"\"\nNaN\ninf\n1.19E+10\n1,5\nabc\n", &err);
    assert_non_null(t);
    assert_true(table_number(t, 0, 0, &x, &err) == 0 && x == 1.5);
    assert_true(table_number(t, 1, 0, &x, &err) == 0 && isnan(x));
    assert_true(table_number(t, 2, 0, &x, &err) == 0 && isnan(x));
    assert_true(table_number(t, 3, 0, &x, &err) == 0 && isnan(x));
    assert_true(table_number(t, 4, 0, &x, &err) == 0 && x == 1.19e10);
    assert_int_equal(table_number(t, 5, 0, &x, &err), -1);
    assert_non_null(strstr(err.msg, "column a, row 6: \"1,5\" is no number"));
    struct err other = {0};
    assert_int_equal(table_number(t, 6, 0, &x, &other), -1);
}

static bson_t *read_metrics(const char *type, char *folder, struct err *err)
{
    struct quant_job job = {.worker_output = folder};
    char name[16], none[1] = "";
    snprintf(name, sizeof name, "%s", type);
    job.settings.software_type = name;
    job.settings.metrics_type = none;
    bson_t *out = bson_new();
    if (metrics_read(&job, out, err) != 0) {
        bson_destroy(out);
        return NULL;
    }
    return out;
}

static void missing_columns_are_null_and_listed(void **state)
{
    (void)state;
    struct err err = {0};
    char folder[64];
    char path[100];
    static const char text[] =
        "ms1_scans\tms2_scans\tstatus\tdetail\n7\t\tunsupported\tThermo\xff\n";
    assert_non_null(test_folder(folder, sizeof folder, "trawl-metrics"));
    snprintf(path, sizeof path, "%s/msqc_results.tsv", folder);
    assert_null(read_metrics("msqc", folder, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "wrote no msqc_results.tsv"));
    err = (struct err){0};
    assert_int_equal(fs_write(path, text, sizeof text - 1, &err), 0);
    AUTO(bson_destroy) bson_t *doc = read_metrics("msqc", folder, &err);
    assert_non_null(doc);
    assert_true(doc_f64(doc, "ms1_scans", -1) == 7);
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, doc, "ms2_scans") && BSON_ITER_HOLDS_NULL(&at));
    assert_true(bson_iter_init_find(&at, doc, "gradient_length") && BSON_ITER_HOLDS_NULL(&at));
    assert_string_equal(doc_str(doc, "run_status", ""), "unsupported");
    assert_string_equal(doc_str(doc, "run_detail", ""), "Thermo%FF");
    assert_string_equal(doc_str(doc, "missing_columns.0", ""), "ms1_median_injection_time");
    unlink(path);
    rmdir(folder);
    err = (struct err){0};
    assert_null(read_metrics("msqc", folder, &err));
    assert_int_equal(err.kind, ERR_HOLD);
}

static void assert_near(const bson_t *doc, const char *name, double expected)
{
    double value = doc_f64(doc, name, -12345);
    if (fabs(value - expected) > fabs(expected) * 1e-12) {
        fail_msg("%s is %.17g, not %.17g", name, value, expected);
    }
}

#define DATA TEST_SOURCE_DIR "/../shared/data/metrics"

static void real_tables_give_the_values_that_python_computed(void **state)
{
    (void)state;
    struct err err = {0};
    char msqc[] = DATA "/msqc", alphadia[] = DATA "/alphadia", diann[] = DATA "/diann";
    if (access(msqc, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: no %s\n", msqc);
        skip();
    }
    AUTO(bson_destroy) bson_t *m = read_metrics("msqc", msqc, &err);
    AUTO(bson_destroy) bson_t *a = read_metrics("alphadia", alphadia, &err);
    AUTO(bson_destroy) bson_t *d = read_metrics("diann", diann, &err);
    if (m == NULL || a == NULL || d == NULL) {
        fail_msg("%s", err.msg);
        return;
    }
    assert_near(m, "ms1_median_tic", 2688350700.0);
    assert_near(m, "ms2_median_injection_time", 6.014);
    assert_near(m, "evosep_pump_hp_pressure_max", 417.0);
    assert_near(a, "proteins", 5967);
    assert_near(a, "fwhm_mobility", -1);
    assert_near(a, "calibration:ms2_bias", 0.315723);
    assert_near(a, "gradient_length", 20.887636);
    assert_near(a, "duration_extraction", 0.058612);
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, a, "calibration:ms1_bias") && BSON_ITER_HOLDS_NULL(&at));
    assert_near(d, "precursors", 18811.75);
    assert_near(d, "proteins", 2573.25);
    assert_near(d, "total_quantity", 24767500000.0);
    assert_near(d, "median_mass_acc_ms2_corrected", 2.807525);
    assert_near(d, "average_missed_tryptic_cleavages", 0.1205);
}

static void put(const char *folder, const char *name, const char *text)
{
    struct err err = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void drop(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    rmdir(folder);
}

/* Expected values: awk -F, '$2=="heavy" {d=$3-$4; if (d<0) d=-d; s+=d; …}' over the lines below. */
static void skyline_tells_of_heavy_peptides_and_counts_both(void **state)
{
    (void)state;
    struct err err = {0};
    char folder[64];
    assert_non_null(test_folder(folder, sizeof folder, "trawl-metrics"));
    put(folder, "custom_iRT_report.csv",
        "\xef\xbb\xbf"
        "PeptideModifiedSequence,IsotopeLabelType,PredictedRetentionTime,"
        "AverageMeasuredRetentionTime,MeanTotalArea,CvTotalArea\r\n"
        "LGGNEQVTR,heavy,10.5,11,2000,0.1\r\n"
        "\"GAGSS[+8.01]EPVTGLDAK\",heavy,20,19.75,1000,#N/A\r\n"
        "VEATFGVDESNAK,heavy,30,30,4000,0.3\r\n"
        "LGGNEQVTR,light,10.5,99,7,9\r\n");
    AUTO(bson_destroy) bson_t *m = read_metrics("skyline", folder, &err);
    if (m == NULL) {
        fail_msg("%s", err.msg);
        return;
    }
    assert_near(m, "irt_delta_rt_mean", 0.25);
    assert_near(m, "irt_delta_rt_max", 0.5);
    assert_near(m, "irt_mean_total_area_median", 2000);
    assert_near(m, "irt_cv_total_area_mean", 0.2);
    assert_near(m, "irt_cv_total_area_max", 0.3);
    assert_near(m, "irt_n_heavy_peptides", 3);
    assert_near(m, "irt_n_light_peptides", 1);
    assert_near(m, "irt_LGGNEQVTR_delta_rt", 0.5);
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, m, "irt_GAGSS_+8:01EPVTGLDAK_mean_total_area") &&
                bson_iter_as_double(&at) == 1000);
    assert_true(bson_iter_init_find(&at, m, "irt_GAGSS_+8:01EPVTGLDAK_cv_total_area") &&
                BSON_ITER_HOLDS_NULL(&at));
    drop(folder, "custom_iRT_report.csv");
}

static bson_t *read_custom(char *folder, struct settings_column *columns, size_t n, struct err *err)
{
    char custom[] = "custom", none[1] = "";
    struct quant_job job = {
        .worker_output = folder,
        .settings = {
            .software_type = custom, .metrics_type = none, .columns = columns, .n_columns = n}};
    AUTO(free) char *files = metrics_files(&job);
    assert_string_equal(files, "a.csv\nb.tsv\n");
    bson_t *out = bson_new();
    if (metrics_read(&job, out, err) != 0) {
        bson_destroy(out);
        return NULL;
    }
    return out;
}

/* Expected values: python3 -c 'import statistics as s; v=[4,1,2,9]; print(s.fmean(v), s.median(v),
 * s.stdev(v))' prints 4.0 3.0 3.559026084010437 */
static void a_column_map_of_the_settings_reads_any_table(void **state)
{
    (void)state;
    struct err err = {0};
    char folder[64];
    char a[] = "a.csv", b[] = "b.tsv", x[] = "x, in s", y[] = "y", gone[] = "gone";
    char names[][8] = {"mean", "median", "std", "sum", "min", "max", "count", "text", "lost"};
    struct settings_column columns[9];
    for (size_t i = 0; i < 9; i++) {
        columns[i] = (struct settings_column){.file = i == 7 ? b : a,
                                              .column = i == 7   ? y
                                                        : i == 8 ? gone
                                                                 : x,
                                              .metric = names[i]};
        snprintf(columns[i].how, sizeof columns[i].how, "%.7s", i == 8 ? "mean" : names[i]);
    }
    assert_non_null(test_folder(folder, sizeof folder, "trawl-metrics"));
    put(folder, "a.csv", "k,\"x, in s\"\nq,4\nq,1\nq,2\nq,\nq,9\n");
    put(folder, "b.tsv", "y\nfirst\nsecond\n");
    AUTO(bson_destroy) bson_t *m = read_custom(folder, columns, 9, &err);
    if (m == NULL) {
        fail_msg("%s", err.msg);
        return;
    }
    assert_near(m, "mean", 4);
    assert_near(m, "median", 3);
    assert_near(m, "std", 3.559026084010437);
    assert_near(m, "sum", 16);
    assert_near(m, "min", 1);
    assert_near(m, "max", 9);
    assert_near(m, "count", 5);
    assert_string_equal(doc_str(m, "text", ""), "first");
    assert_string_equal(doc_str(m, "missing_columns.0", ""), "gone");
    put(folder, "a.csv", "k,\"x, in s\"\nq,\"4,5\"\n");
    assert_null(read_custom(folder, columns, 9, &err));
    assert_non_null(strstr(err.msg, "\"4,5\" is no number"));
    drop(folder, "a.csv");
    drop(folder, "b.tsv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_crlf_and_quotes_are_understood),
        cmocka_unit_test(a_table_that_was_cut_is_an_error),
        cmocka_unit_test(numbers_are_numbers_or_null),
        cmocka_unit_test(missing_columns_are_null_and_listed),
        cmocka_unit_test(skyline_tells_of_heavy_peptides_and_counts_both),
        cmocka_unit_test(a_column_map_of_the_settings_reads_any_table),
        cmocka_unit_test(real_tables_give_the_values_that_python_computed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed != 0 ? failed : access(DATA, R_OK) == 0 ? 0 : 77;
}
