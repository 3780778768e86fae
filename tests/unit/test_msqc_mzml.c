/* What the figures of an mzML file are; expected values are small enough to be done by hand. */
#include <math.h>

#include "test_msqc_fixture.h"

#define CV(accession, value) "<cvParam cvRef='MS' accession='" accession "' value='" value "'/>"
#define UNIT(accession, value, unit)                                                               \
    "<cvParam cvRef='MS' accession='" accession "' value='" value "' unitAccession='" unit "'/>"
#define MINUTES(value)          UNIT("MS:1000016", value, "UO:0000031")
#define SECONDS(value)          UNIT("MS:1000016", value, "UO:0000010")
#define INJECTION(value)        UNIT("MS:1000927", value, "UO:0000028")
#define SCAN(params)            "<scanList count='1'><scan>" params "</scan></scanList>"
#define RUN(groups, inside)     "<?xml version='1.0'?><mzML>" groups "<run>" inside "</run></mzML>"
#define SPECTRA(inside)         RUN("", "<spectrumList>" inside "</spectrumList>")
#define SPECTRUM(inside)        "<spectrum id='s' defaultArrayLength='0'>" inside "</spectrum>"
#define PLAIN(level, tic, scan) SPECTRUM(CV("MS:1000511", level) CV("MS:1000285", tic) SCAN(scan))

static void medians_are_taken_per_level(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(
                         fixture, "a.mzML",
                         SPECTRA(PLAIN("1", "100", MINUTES("0.5") INJECTION("10"))
                                     PLAIN("2", "7", MINUTES("1") INJECTION("40.5"))
                                         PLAIN("1", "300", MINUTES("1.5") INJECTION("20"))
                                             PLAIN("2", "9e2", MINUTES("2.25") INJECTION("20.5"))
                                                 PLAIN("2", "8", MINUTES("2") INJECTION("30")))),
                     0);
    expect_field(fixture, "ms1_scans", "2");
    expect_field(fixture, "ms1_median_tic", "200");
    expect_field(fixture, "ms1_median_injection_time", "15");
    expect_field(fixture, "ms2_scans", "3");
    expect_field(fixture, "ms2_median_tic", "8");
    expect_field(fixture, "ms2_median_injection_time", "30");
    expect_field(fixture, "gradient_length", "2.25");
    expect_field(fixture, "evosep_pump_hp_pressure_max", "");
    expect_field(fixture, "ms2_unique_precursors", "");
    expect_field(fixture, "status", "ok");
    expect_field(fixture, "detail", "");
}

static void columns_are_alphakrakens_in_its_order_then_ours(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", SPECTRA("")), 0);
    assert_string_equal(fixture->columns, "ms1_median_injection_time\tms1_scans\tms1_median_tic\t"
                                          "ms2_median_injection_time\tms2_scans\tms2_median_tic\t"
                                          "evosep_pump_hp_pressure_max\tgradient_length\t"
                                          "ms2_unique_precursors\tstatus\tdetail\tpartial\n");
}

static void the_tic_file_has_a_line_for_every_spectrum(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML",
                                          SPECTRA(PLAIN("1", "100.5", MINUTES("0.5"))
                                                      PLAIN("2", "7", "") SPECTRUM(""))),
                     0);
    char text[256] = "";
    FILE *file = fopen(fixture_path(fixture, "out/msqc_tic.tsv"), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, "retention_time\tms_level\ttic\n0.5\t1\t100.5\n\t2\t7\n\t\t\n");
    expect_detail(fixture, "1 spectra are neither MS1 nor MS2");
}

static void seconds_become_minutes(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML", SPECTRA(PLAIN("1", "1", SECONDS("90")))), 0);
    expect_field(fixture, "gradient_length", "1.5");
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML", SPECTRA(PLAIN("1", "1", CV("MS:1000016", "90")))),
        0);
    expect_field(fixture, "gradient_length", "");
    expect_detail(fixture, "1 scan start times have no known unit or are no number");
}

static void ms3_counts_for_the_gradient_only(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             SPECTRA(PLAIN("2", "5", MINUTES("1")) PLAIN("3", "90", MINUTES("2")))),
        0);
    expect_field(fixture, "ms1_scans", "0");
    expect_field(fixture, "ms2_scans", "1");
    expect_field(fixture, "ms2_median_tic", "5");
    expect_field(fixture, "gradient_length", "2");
    expect_detail(fixture, "1 spectra are neither MS1 nor MS2");
}

static void a_run_of_ms2_only_has_no_ms1_medians(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             SPECTRA(PLAIN("2", "5", MINUTES("1")) PLAIN("2", "6", MINUTES("2")))),
        0);
    expect_field(fixture, "ms1_scans", "0");
    expect_field(fixture, "ms1_median_tic", "");
    expect_field(fixture, "ms1_median_injection_time", "");
    expect_field(fixture, "ms2_scans", "2");
    expect_field(fixture, "ms2_median_tic", "5.5");
}

static void a_run_without_spectra_has_empty_fields_and_no_nan(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", SPECTRA("")), 0);
    assert_string_equal(fixture->row, "\t0\t\t\t0\t\t\t\t0\tok\tthe file holds no spectrum\t\n");
}

static void parameters_may_come_from_a_group(void **state)
{
    struct fixture *fixture = *state;
    const char *text =
        RUN("<referenceableParamGroupList>"
            "<referenceableParamGroup id='one'>" CV("MS:1000511", "1")
                CV("MS:1000285", "11") "</referenceableParamGroup>"
                                       "<referenceableParamGroup id='late'>" SECONDS("30")
                                           INJECTION("3") "</referenceableParamGroup>"
                                                          "<referenceableParamGroup id='none'/>"
                                                          "</referenceableParamGroupList>",
            "<spectrumList>" SPECTRUM(
                "<referenceableParamGroupRef ref='none'/>"
                "<referenceableParamGroupRef ref='one'/>" SCAN(
                    "<referenceableParamGroupRef ref='late'/>")) "</spectrumList>");
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", text), 0);
    expect_field(fixture, "ms1_scans", "1");
    expect_field(fixture, "ms1_median_tic", "11");
    expect_field(fixture, "ms1_median_injection_time", "3");
    expect_field(fixture, "gradient_length", "0.5");
}

static void a_reference_to_an_unknown_group_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             SPECTRA(SPECTRUM("<referenceableParamGroupRef ref='gone'/>"))),
        3);
    expect_error(fixture, "a.mzML: line 1, byte ");
    expect_error(fixture, "'gone', which is not defined");
}

static void precursors_are_counted_once_each_by_selected_ion_or_target(void **state)
{
    struct fixture *fixture = *state;
#define PRECURSOR(inside)                                                                          \
    SPECTRUM(CV("MS:1000511",                                                                      \
                "2") "<precursorList><precursor>" inside "</precursor></precursorList>"            \
                     "<productList><product><isolationWindow>" CV(                                 \
                         "MS:1000827", "999") "</isolationWindow></product></productList>")
#define TARGET(mz) "<isolationWindow>" CV("MS:1000827", mz) "</isolationWindow>"
#define SELECTED(mz)                                                                               \
    "<selectedIonList><selectedIon>" CV("MS:1000744", mz) "</selectedIon></selectedIonList>"
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             SPECTRA(PRECURSOR(TARGET("500") SELECTED("500.25")) PRECURSOR(
                                 TARGET("500") SELECTED("500.250")) PRECURSOR(TARGET("600"))
                                         PRECURSOR(TARGET("600.0")) PRECURSOR(TARGET("700")))),
        0);
    expect_field(fixture, "ms2_scans", "5");
    expect_field(fixture, "ms2_unique_precursors", "3");
}

/* A spectrum or chromatogram with one array; the caller frees it. */
static char *with_array(const char *item, const char *params, const char *length, const char *text)
{
    char *xml = NULL;
    assert_true(asprintf(&xml,
                         "<mzML><run><%sList><%s id='x' defaultArrayLength='%s'>"
                         "<cvParam accession='MS:1000511' value='1'/>"
                         "<binaryDataArrayList><binaryDataArray>%s<binary>%s</binary>"
                         "</binaryDataArray></binaryDataArrayList></%s></%sList></run></mzML>",
                         item, item, length, params, text, item, item) > 0);
    return xml;
}

static void tic_is_the_sum_of_the_intensities_where_it_is_not_given(void **state)
{
    struct fixture *fixture = *state;
    const float numbers[] = {1.5f, 2, 0.25f};
    char *plain = base64_text(numbers, sizeof numbers);
    char *zlib = zlib_text(numbers, sizeof numbers);
    const struct {
        const char *params;
        const char *text;
    } cases[] = {
        {CV("MS:1000521", "") CV("MS:1000576", "") CV("MS:1000515", ""), plain},
        {CV("MS:1000521", "") CV("MS:1000574", "") CV("MS:1000515", ""), zlib},
    };
    for (size_t i = 0; i < 2; i++) {
        char *xml = with_array("spectrum", cases[i].params, "3", cases[i].text);
        assert_int_equal(fixture_extract_text(fixture, "a.mzML", xml), 0);
        expect_field(fixture, "ms1_median_tic", "3.75");
        free(xml);
    }
    free(plain);
    free(zlib);
}

static void numpress_without_a_tic_is_unknown_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    char *xml = with_array("spectrum",
                           CV("MS:1000523", "") CV("MS:1002313", "") CV("MS:1000574", "")
                               CV("MS:1000515", ""),
                           "3", "not base64 even");
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", xml), 0);
    expect_field(fixture, "ms1_scans", "1");
    expect_field(fixture, "ms1_median_tic", "");
    expect_detail(fixture, "1 arrays use an unsupported compression or number type (MS:1002313)");
    free(xml);
}

static void numpress_with_a_tic_needs_no_decoding(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(
            fixture, "a.mzML",
            SPECTRA("<spectrum defaultArrayLength='9'>" CV("MS:1000511", "1") CV(
                "MS:1000285", "4") "<binaryDataArray>" CV("MS:1002312", "")
                        CV("MS:1000515", "") "<binary>AAAA</binary></binaryDataArray></spectrum>")),
        0);
    expect_field(fixture, "ms1_median_tic", "4");
    expect_field(fixture, "detail", "");
}

static void pressure_array(char *dst, size_t room, const char *params, const char *text)
{
    snprintf(dst, room,
             "<binaryDataArray><cvParam accession='MS:1000523'/>%s"
             "<cvParam accession='MS:1000515'/><binary>%s</binary></binaryDataArray>",
             params, text);
}

static void pump_pressure_is_the_maximum_of_the_named_chromatogram(void **state)
{
    struct fixture *fixture = *state;
    const double high[] = {100, 417.5, 300};
    const double other[] = {900, 901, 902};
    char *high_text = base64_text(high, sizeof high);
    char *other_text = zlib_text(other, sizeof other);
    char *xml = NULL;
    char one[512];
    char two[512];
    pressure_array(one, sizeof one, "<cvParam accession='MS:1000576'/>", high_text);
    pressure_array(two, sizeof two, "<cvParam accession='MS:1000574'/>", other_text);
    assert_true(asprintf(&xml,
                         "<mzML><run><chromatogramList>"
                         "<chromatogram id='Evosep pumphp_PRESSURE' defaultArrayLength='3'>%s"
                         "</chromatogram>"
                         "<chromatogram id='column oven' defaultArrayLength='3'>"
                         "<cvParam accession='MS:1003019'/>%s</chromatogram>"
                         "<chromatogram id='TIC' defaultArrayLength='3'>%s</chromatogram>"
                         "</chromatogramList></run></mzML>",
                         one, two, two) > 0);
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", xml), 0);
    expect_field(fixture, "evosep_pump_hp_pressure_max", "417.5");
    free(xml);
    free(high_text);
    free(other_text);
}

static void a_lone_pressure_chromatogram_counts_and_several_do_not(void **state)
{
    struct fixture *fixture = *state;
    char one[600];
    char text[2048];
    /* python3: base64.b64encode(struct.pack('<2d', 1.5, 2.5)) */
    snprintf(one, sizeof one,
             "<chromatogram id='p' defaultArrayLength='2'><cvParam accession='MS:1003019'/>"
             "<binaryDataArray><cvParam accession='MS:1000523'/><cvParam accession='MS:1000576'/>"
             "<cvParam accession='MS:1000821'/><binary>AAAAAAAA+D8AAAAAAAAEQA==</binary>"
             "</binaryDataArray></chromatogram>");
    snprintf(text, sizeof text, "<mzML><chromatogramList>%s</chromatogramList></mzML>", one);
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", text), 0);
    expect_field(fixture, "evosep_pump_hp_pressure_max", "2.5");
    expect_detail(fixture, "not named PumpHP_pressure");
    snprintf(text, sizeof text, "<mzML><chromatogramList>%s%s</chromatogramList></mzML>", one, one);
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", text), 0);
    expect_field(fixture, "evosep_pump_hp_pressure_max", "");
    expect_detail(fixture, "2 pressure chromatograms");
}

static void values_that_are_not_numbers_are_unknown(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             SPECTRA(PLAIN("1", "NaN", MINUTES("1,5") INJECTION("inf"))
                                         PLAIN("1", "12x", MINUTES("") INJECTION("")))),
        0);
    expect_field(fixture, "ms1_scans", "2");
    expect_field(fixture, "ms1_median_tic", "");
    expect_field(fixture, "ms1_median_injection_time", "");
    expect_field(fixture, "gradient_length", "");
}

static void the_announced_number_of_spectra_is_compared(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(
                         fixture, "a.mzML",
                         RUN("", "<spectrumList count='3'>" PLAIN("1", "1", "") "</spectrumList>")),
                     0);
    expect_detail(fixture, "announces 3 spectra and holds 1");
}

static void prefixed_names_and_an_index_are_accepted(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        fixture_extract_text(fixture, "a.mzML",
                             "<m:indexedmzML xmlns:m='x'><m:mzML><m:spectrumList><m:spectrum>"
                             "<m:cvParam accession='MS:1000511' value='2'/></m:spectrum>"
                             "</m:spectrumList></m:mzML><m:indexList/></m:indexedmzML>"),
        0);
    expect_field(fixture, "ms2_scans", "1");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(medians_are_taken_per_level),
        T(columns_are_alphakrakens_in_its_order_then_ours),
        T(the_tic_file_has_a_line_for_every_spectrum),
        T(seconds_become_minutes),
        T(ms3_counts_for_the_gradient_only),
        T(a_run_of_ms2_only_has_no_ms1_medians),
        T(a_run_without_spectra_has_empty_fields_and_no_nan),
        T(parameters_may_come_from_a_group),
        T(a_reference_to_an_unknown_group_is_an_error),
        T(precursors_are_counted_once_each_by_selected_ion_or_target),
        T(tic_is_the_sum_of_the_intensities_where_it_is_not_given),
        T(numpress_without_a_tic_is_unknown_and_says_so),
        T(numpress_with_a_tic_needs_no_decoding),
        T(pump_pressure_is_the_maximum_of_the_named_chromatogram),
        T(a_lone_pressure_chromatogram_counts_and_several_do_not),
        T(values_that_are_not_numbers_are_unknown),
        T(the_announced_number_of_spectra_is_compared),
        T(prefixed_names_and_an_index_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
