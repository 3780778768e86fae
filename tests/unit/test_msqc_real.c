/*
 * Real files from ../shared/data, with figures that other programs computed from them:
 *
 * example.mzML, python3 (xml.etree.ElementTree, base64, zlib, struct, statistics.median):
 *   for s in root.iter(ns+'spectrum'): level = cvParam MS:1000511, tic = MS:1000285,
 *   injection = MS:1000927, time = MS:1000016 (all in minutes);
 *   print(len(tics), median(tics), median(injections), max(times))
 *     -> 11 102694180.0 20.743748173118 0.046045516
 *   the same with tic = sum(struct.unpack('<%df' % n, zlib.decompress(base64.b64decode(text)))) of
 *   the array with MS:1000515 -> 101545435.59448242
 * dia_test.d, sqlite3 analysis.tdf:
 *   SELECT count(*) FROM Frames WHERE MsMsType = 0                             -> 2
 *   SELECT avg(SummedIntensities) FROM Frames WHERE MsMsType = 0               -> 5562527447015
 *   SELECT SummedIntensities FROM Frames WHERE MsMsType IN (8, 9) ORDER BY 1
 *     -> 948829238392 4109570744400 23321358939688 42404663882100, the middle two: 13715464842044
 *   SELECT max(Time) / 60 FROM Frames                                          -> 0.01
 *   SELECT count(DISTINCT IsolationMz) FROM DiaFrameMsMsWindows                -> 4
 */
#include "test_msqc_fixture.h"

#define DATA TEST_SOURCE_DIR "/../shared/data"

static void example_mzml_has_the_figures_that_python_computes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract(fixture, DATA "/mzml/example.mzML"), 0);
    expect_field(fixture, "ms1_scans", "11");
    expect_field(fixture, "ms1_median_tic", "102694180");
    expect_field(fixture, "ms1_median_injection_time", "20.743748173118");
    expect_field(fixture, "ms2_scans", "0");
    expect_field(fixture, "ms2_median_tic", "");
    expect_field(fixture, "gradient_length", "0.046045516");
    expect_field(fixture, "evosep_pump_hp_pressure_max", "");
    expect_field(fixture, "status", "ok");
}

/* The file's text; the caller frees it. */
static char *read_example(size_t *size)
{
    FILE *file = fopen(DATA "/mzml/example.mzML", "rb");
    assert_non_null(file);
    char *text = malloc(1 << 20);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, file);
    text[*size] = '\0';
    fclose(file);
    return text;
}

static void example_mzml_without_tic_terms_is_summed_from_its_arrays(void **state)
{
    struct fixture *fixture = *state;
    size_t size;
    char *text = read_example(&size);
    for (char *at = text; (at = strstr(at, "MS:1000285")) != NULL;) {
        at[9] = '0'; /* another, unknown term */
    }
    fixture_write(fixture, "no_tic.mzML", text, size);
    free(text);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "no_tic.mzML")), 0);
    double tic = strtod(fixture_field(fixture, "ms1_median_tic"), NULL);
    expect_near(tic, 101545435.59448242, 1e-4);
}

static void example_mzml_cut_in_the_middle_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    size_t size;
    char *text = read_example(&size);
    for (size_t cut = 1000; cut < size - 20; cut += 21011) {
        fixture_write(fixture, "cut.mzML", text, cut);
        assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "cut.mzML")), 3);
        expect_error(fixture, "is cut short");
    }
    free(text);
}

static void dia_test_has_the_figures_that_sqlite_computes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract(fixture, DATA "/bruker/dia_test.d"), 0);
    assert_string_equal(fixture->row,
                        "\t2\t5562527447015\t\t4\t13715464842044\t\t0.01\t4\tok\t\t\n");
}

static void thermo_is_unsupported(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract(fixture, DATA "/thermo/small.RAW"), 0);
    expect_field(fixture, "status", "unsupported");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    if (access(DATA "/mzml/example.mzML", R_OK) != 0 ||
        access(DATA "/bruker/dia_test.d/analysis.tdf", R_OK) != 0) {
        fprintf(stderr, "SKIP: SKIP: SKIP: no real files in %s: nothing was tested\n", DATA);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        T(example_mzml_has_the_figures_that_python_computes),
        T(example_mzml_without_tic_terms_is_summed_from_its_arrays),
        T(example_mzml_cut_in_the_middle_is_an_error),
        T(dia_test_has_the_figures_that_sqlite_computes),
        T(thermo_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
