/*
 * test_msqc_world.c - mzML files as converters write them, with the figures that pyteomics and
 * python3's xml.etree read from them: the intensities below are 1 + 2 + 3.5 = 6.5 and 4 + 6 = 10
 * (MS1), 10 + 20 = 30 and 7 (MS2), so the medians are 8.25 and 18.5.
 */
#include <iconv.h>

#include "test_msqc_fixture.h"

#define CV(accession, name, value)                                                                 \
    "<cvParam accession='" accession "' name='" name "' value='" value "'/>"
#define FLOAT               CV("MS:1000521", "32-bit float", "")
#define DOUBLE              CV("MS:1000523", "64-bit float", "")
#define PLAIN               CV("MS:1000576", "no compression", "")
#define INTENSITY           CV("MS:1000515", "intensity array", "")
#define NUMPRESS            CV("MS:1002314", "MS-Numpress short logged float compression", "")
#define ARRAY(params, text) "<binaryDataArray>" params "<binary>" text "</binary></binaryDataArray>"
#define TIME(value)                                                                                \
    "<scanList><scan><cvParam accession='MS:1000016' value='" value                                \
    "' unitAccession='UO:0000031'/></scan></scanList>"
#define SPECTRUM(id, length, inside)                                                               \
    "<spectrum id='" id "' defaultArrayLength='" length "'>" inside "</spectrum>"
#define MS(id, level, length, time, compression, text)                                             \
    SPECTRUM(id, length,                                                                           \
             CV("MS:1000511", "ms level", level) TIME(time)                                        \
                 ARRAY(FLOAT compression INTENSITY, text))
#define ONE(compression)   MS("scan=1", "1", "3", "0.1", compression, "AACAPwAAAEAAAGBA")
#define TWO(compression)   MS("scan=2", "2", "2", "0.2", compression, "AAAgQQAAoEE=")
#define THREE(compression) MS("scan=3", "2", "1", "0.3", compression, "AADgQA==")
#define FOUR(compression)  MS("scan=4", "1", "2", "10.5", compression, "AACAQAAAwEA=")
#define RUN(head, spectra, after)                                                                  \
    head "<mzML><run><spectrumList>" spectra "</spectrumList>" after "</run></mzML>"
#define HEAD "<?xml version='1.0' encoding='utf-8'?>"

static void expect_four(const struct fixture *fixture)
{
    expect_field(fixture, "ms1_scans", "2");
    expect_field(fixture, "ms1_median_tic", "8.25");
    expect_field(fixture, "ms2_scans", "2");
    expect_field(fixture, "ms2_median_tic", "18.5");
    expect_field(fixture, "gradient_length", "10.5");
    expect_field(fixture, "status", "ok");
    expect_field(fixture, "partial", "");
}

static void extract_good(struct fixture *fixture, const char *text)
{
    if (fixture_extract_text(fixture, "a.mzML", text) != 0) {
        fail_msg("%s", fixture->err.msg);
    }
}

/* CompOmics/ThermoRawFileParser#107 */
static void arrays_without_a_compression_term_are_plain(void **state)
{
    struct fixture *fixture = *state;
    /* python3: struct.pack('<3d', 100.5, 417.25, 200) */
    extract_good(fixture,
                 RUN(HEAD, ONE("") TWO("") THREE("") FOUR(""),
                     "<chromatogramList><chromatogram id='Analog#1_PumpHP_pressure_0' "
                     "defaultArrayLength='3'>" CV("MS:1003019", "pressure chromatogram", "") ARRAY(
                         DOUBLE CV("MS:1000821", "pressure array", ""),
                         "AAAAAAAgWUAAAAAAABR6QAAAAAAAAGlA") "</chromatogram></chromatogramList>"));
    expect_four(fixture);
    expect_field(fixture, "evosep_pump_hp_pressure_max", "417.25");
    expect_field(fixture, "detail", "");
}

/* Whatever is new to us must not be read as numbers. */
static void a_compression_that_is_not_read_is_named(void **state)
{
    static const struct {
        const char *params, *name;
    } cases[] = {
        {NUMPRESS, "MS-Numpress short logged float compression"},
        {NUMPRESS CV("MS:1000574", "zlib compression", ""), "MS-Numpress short logged float"},
        {CV("MS:1003780", "zstd compression", ""), "zstd compression"},
        {CV("MS:1009999", "a compression of the year 2031", ""), "compression of the year 2031"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        assert_true(asprintf(&text,
                             "<mzML><spectrumList><spectrum id='s' defaultArrayLength='3'>"
                             "<cvParam accession='MS:1000511' value='1'/>"
                             "<binaryDataArray>" FLOAT INTENSITY
                             "%s<binary>AACAPwAAAEAAAGBA</binary></binaryDataArray></spectrum>"
                             "</spectrumList></mzML>",
                             cases[i].params) > 0);
        extract_good(fixture, text);
        free(text);
        expect_field(fixture, "ms1_scans", "1");
        expect_field(fixture, "ms1_median_tic", "");
        expect_field(fixture, "partial", "");
        expect_detail(fixture, cases[i].name);
    }
}

static void a_figure_of_a_part_of_the_spectra_is_told_as_one(void **state)
{
    struct fixture *fixture = *state;
    extract_good(fixture, RUN(HEAD, ONE(NUMPRESS) TWO(PLAIN) THREE(PLAIN) FOUR(PLAIN), ""));
    expect_field(fixture, "ms1_scans", "2");
    expect_field(fixture, "ms1_median_tic", "");
    expect_field(fixture, "ms2_median_tic", "18.5");
    expect_field(fixture, "partial", "ms1_median_tic 10 (1 of 2 spectra)");
}

static void times_injections_and_precursors_of_a_part_are_told_as_such(void **state)
{
    struct fixture *fixture = *state;
#define SOME(time, injection, precursor)                                                           \
    SPECTRUM("s", "0",                                                                             \
             CV("MS:1000511", "ms level", "2")                                                     \
                 CV("MS:1000285", "total ion current", "5") "<scanList><scan>" time injection      \
                                                            "</scan></scanList>" precursor)
#define AT   "<cvParam accession='MS:1000016' value='2' unitAccession='UO:0000031'/>"
#define HELD "<cvParam accession='MS:1000927' value='30' unitAccession='UO:0000028'/>"
#define ION                                                                                        \
    "<precursorList><precursor><selectedIonList><selectedIon>" CV(                                 \
        "MS:1000744", "selected ion m/z", "500") "</selectedIon></selectedIonList></precursor>"    \
                                                 "</precursorList>"
    extract_good(fixture, RUN(HEAD, SOME(AT, HELD, ION) SOME(AT, "", "") SOME("", "", ION), ""));
    expect_field(fixture, "ms2_scans", "3");
    expect_field(fixture, "ms2_median_tic", "5");
    expect_field(fixture, "ms2_median_injection_time", "");
    expect_field(fixture, "gradient_length", "");
    expect_field(fixture, "ms2_unique_precursors", "");
    expect_field(fixture, "partial",
                 "ms2_median_injection_time 30 (1 of 3 spectra); gradient_length 2 (2 of 3 "
                 "spectra); ms2_unique_precursors 1 (2 of 3 MS2 spectra)");
}

static void the_pressure_of_a_part_of_the_chromatograms_is_told_as_one(void **state)
{
    struct fixture *fixture = *state;
#define PUMP(params)                                                                               \
    "<chromatogram id='PumpHP_pressure' defaultArrayLength='3'>" ARRAY(                            \
        DOUBLE params INTENSITY, "AAAAAAAgWUAAAAAAABR6QAAAAAAAAGlA") "</chromatogram>"
    extract_good(fixture,
                 RUN(HEAD, "", "<chromatogramList>" PUMP("") PUMP(NUMPRESS) "</chromatogramList>"));
    expect_field(fixture, "evosep_pump_hp_pressure_max", "");
    expect_field(fixture, "partial", "evosep_pump_hp_pressure_max 417.25 (1 of 2 chromatograms)");
    expect_detail(fixture, "the file holds no spectrum");
}

/* CompOmics/ThermoRawFileParser#60: a PDA detector runs on when the mass spectrometer has ended. */
static void spectra_of_light_are_left_out(void **state)
{
#define LIGHT(id, type, more)                                                                      \
    SPECTRUM(id, "2", type TIME("25") more ARRAY(FLOAT PLAIN INTENSITY, "AADIQgAASEM="))
#define WAVES ARRAY(DOUBLE CV("MS:1000617", "wavelength array", ""), "AAAAAAAAaUAAAAAAAEBqQA==")
    struct fixture *fixture = *state;
    extract_good(fixture,
                 RUN(HEAD,
                     LIGHT("l1", CV("MS:1000804", "electromagnetic radiation spectrum", ""), WAVES)
                         ONE(PLAIN) TWO(PLAIN) LIGHT("l2", CV("MS:1000806", "", ""), "")
                             THREE(PLAIN) LIGHT("l3", CV("MS:1000620", "PDA spectrum", ""), "")
                                 FOUR(PLAIN) LIGHT("l4", CV("MS:1000805", "", ""), "")
                                     LIGHT("l5", "", WAVES),
                     ""));
    expect_four(fixture);
    expect_field(fixture, "detail", "5 spectra of another detector (UV, PDA) are left out");
    FILE *file = fopen(fixture_path(fixture, "out/msqc_tic.tsv"), "r");
    int lines = 0;
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;) {
        lines += c == '\n';
    }
    fclose(file);
    assert_int_equal(lines, 5);
    extract_good(fixture, RUN(HEAD, LIGHT("l", CV("MS:1000804", "", ""), WAVES), ""));
    expect_field(fixture, "ms1_scans", "0");
    expect_field(fixture, "gradient_length", "");
    expect_detail(fixture, "the file holds no mass spectrum");
    /* What a group says counts as what the spectrum says. */
    extract_good(fixture, "<mzML><referenceableParamGroupList><referenceableParamGroup id='uv'>" CV(
                              "MS:1000804", "",
                              "") "</referenceableParamGroup>"
                                  "</referenceableParamGroupList><run><spectrumList>" ONE(PLAIN)
                                      TWO(PLAIN) THREE(PLAIN) FOUR(PLAIN)
                                          LIGHT("l", "<referenceableParamGroupRef ref='uv'/>",
                                                "") "</spectrumList>"
                                                    "</run></mzML>");
    expect_four(fixture);
}

/* The file's text, which is UTF-8 here, in another character set that its first line names. */
static void extract_as(struct fixture *fixture, const char *name, const char *set, const char *mark,
                       const char *odd)
{
    char *text = NULL;
    char bytes[16384];
    size_t used = strlen(mark);
    assert_true(asprintf(&text,
                         "<?xml version='1.0' encoding='%s'?><mzML><sourceFile name='%s'/><run>"
                         "<spectrumList>" ONE(PLAIN) TWO(PLAIN) THREE(PLAIN)
                             FOUR(PLAIN) "</spectrumList></run></mzML>",
                         name, odd) > 0);
    memcpy(bytes, mark, used);
    iconv_t as = iconv_open(set, "UTF-8");
    assert_true(as != (iconv_t)-1);
    char *from = text, *to = bytes + used;
    size_t left = strlen(text), room = sizeof bytes - used;
    assert_true(iconv(as, &from, &left, &to, &room) != (size_t)-1);
    iconv_close(as);
    free(text);
    fixture_write(fixture, "a.mzML", bytes, sizeof bytes - room);
    if (fixture_extract(fixture, fixture_path(fixture, "a.mzML")) != 0) {
        fail_msg("%s: %s", name, fixture->err.msg);
    }
    expect_four(fixture);
}

/* A source file's name in the language of the instrument's computer. */
static void every_character_set_that_iconv_knows_is_read(void **state)
{
    static const struct {
        const char *name, *set, *mark, *odd;
    } cases[] = {
        {"windows-1252", "CP1252", "", "C:\\Daten\\5\xc2\xb5g\xe2\x82\xac.raw"},
        {"Windows-1252", "CP1252", "", "\xc3\xa4"},
        {"cp1252", "CP1252", "", "\xe2\x82\xac"},
        {"ISO-8859-1", "ISO-8859-1", "", "5\xc2\xb5g"},
        {"ISO-8859-15", "ISO-8859-15", "", "\xe2\x82\xac"},
        {"windows-1251", "CP1251", "", "\xd0\xbf\xd1\x80\xd0\xbe\xd0\xb1\xd0\xb0"},
        {"KOI8-R", "KOI8-R", "", "\xd0\xbf\xd1\x80\xd0\xbe\xd0\xb1\xd0\xb0"},
        {"Shift_JIS", "SHIFT_JIS", "", "\xe6\xb8\xac\xe5\xae\x9a"},
        {"EUC-JP", "EUC-JP", "", "\xe6\xb8\xac\xe5\xae\x9a"},
        {"GBK", "GBK", "", "\xe6\xb5\x8b\xe5\xae\x9a"},
        {"Big5", "BIG5", "", "\xe6\xb8\xac\xe5\xae\x9a"},
        {"utf-16", "UTF-16LE", "\xff\xfe", "\xe6\xb8\xac \xc2\xb5"},
        {"utf-16", "UTF-16BE", "\xfe\xff", "\xe6\xb8\xac \xc2\xb5"},
        {"utf-8", "UTF-8", "\xef\xbb\xbf", "\xe6\xb8\xac \xc2\xb5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        extract_as(*state, cases[i].name, cases[i].set, cases[i].mark, cases[i].odd);
    }
}

static void a_character_set_that_nobody_knows_is_an_error(void **state)
{
    static const char *const names[] = {"klingon-1", "EBCDIC-US", "UTF-7//TRANSLIT"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[100];
        snprintf(text, sizeof text, "<?xml version='1.0' encoding='%s'?><mzML/>", names[i]);
        assert_int_equal(fixture_extract_text(fixture, "a.mzML", text), 3);
        expect_error(fixture, "line 1, byte ");
    }
    assert_int_equal(fixture_extract_text(fixture, "a.mzML",
                                          "<?xml version='1.0' encoding='klingon-1'?><mzML/>"),
                     3);
    expect_error(fixture, "unknown encoding");
}

/* OpenChrom/openchrom#175. The declared length binds wherever the array is needed. */
static void an_array_of_another_length_is_refused_by_the_name_of_its_spectrum(void **state)
{
    struct fixture *fixture = *state;
    const char *texts[] = {
        RUN(HEAD, ONE(PLAIN) MS("controllerType=0 scan=2", "1", "0", "1", PLAIN, "AAAgQQAAoEE="),
            ""),
        RUN(HEAD, ONE(PLAIN) MS("controllerType=0 scan=2", "1", "3", "1", PLAIN, "AAAgQQAAoEE="),
            ""),
        RUN(HEAD, ONE(PLAIN) MS("controllerType=0 scan=2", "1", "2", "1", PLAIN, "AAAgQQAAo"), ""),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(fixture_extract_text(fixture, "a.mzML", texts[i]), 3);
        expect_error(fixture, ": spectrum 'controllerType=0 scan=2': ");
    }
    /* Where the file gives the TIC, nobody needs the array. */
    extract_good(fixture, RUN(HEAD,
                              SPECTRUM("s", "0",
                                       CV("MS:1000511", "", "1") CV("MS:1000285", "", "9")
                                           ARRAY(FLOAT PLAIN INTENSITY, "AAAgQQAAoEE=")),
                              ""));
    expect_field(fixture, "ms1_median_tic", "9");
}

/* A unit may be told by its name alone; a time that has none is nobody's guess. */
static void a_time_is_in_the_unit_that_the_file_names(void **state)
{
    static const struct {
        const char *unit, *gradient, *detail;
    } cases[] = {
        {"unitName='minute'", "90", ""},
        {"unitName='second'", "1.5", ""},
        {"unitAccession='UO:0000010' unitName='minute'", "1.5", ""},
        {"unitAccession='' unitName='second'", "1.5", ""},
        {"", "", "1 scan start times have no known unit or are no number"},
        {"unitName='fortnight'", "", "1 scan start times have no known unit or are no number"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "<mzML><spectrumList><spectrum id='s'><cvParam accession='MS:1000511' value='1'/>"
                 "<scanList><scan><cvParam accession='MS:1000016' value='90' %s/></scan></scanList>"
                 "</spectrum></spectrumList></mzML>",
                 cases[i].unit);
        extract_good(fixture, text);
        expect_field(fixture, "gradient_length", cases[i].gradient);
        expect_field(fixture, "detail", cases[i].detail);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(arrays_without_a_compression_term_are_plain),
        T(a_compression_that_is_not_read_is_named),
        T(a_figure_of_a_part_of_the_spectra_is_told_as_one),
        T(times_injections_and_precursors_of_a_part_are_told_as_such),
        T(the_pressure_of_a_part_of_the_chromatograms_is_told_as_one),
        T(spectra_of_light_are_left_out),
        T(every_character_set_that_iconv_knows_is_read),
        T(a_character_set_that_nobody_knows_is_an_error),
        T(an_array_of_another_length_is_refused_by_the_name_of_its_spectrum),
        T(a_time_is_in_the_unit_that_the_file_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
