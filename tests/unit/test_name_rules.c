#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/watch/name_rules.h"

static struct instrument of(enum instrument_type type)
{
    return (struct instrument){.type = type};
}

static void
the_main_file_of_a_bruker_folder_is_its_bin_and_without_one_all_data_counts(void **state)
{
    (void)state;
    struct instrument b = of(INSTRUMENT_BRUKER);
    static const struct {
        const char *name;
        enum names_inside want;
    } cases[] = {
        {"analysis.tdf_bin", NAMES_MAIN},
        {"Analysis.TSF_bin", NAMES_MAIN}, /* TIMS off, MALDI: michalsta/opentims#3 */
        {"analysis.tdf", NAMES_INDEX},
        {"analysis.tdf-journal", NAMES_INDEX},
        {"analysis.tsf", NAMES_INDEX},
        {"analysis.baf", NAMES_DATA},
        {"fid", NAMES_DATA},
        {"c6a7.mcf", NAMES_DATA},
        {"analysis.tdf_other", NAMES_DATA},
        {"SampleInfo.xml", NAMES_NOTE},
        {"chromatography-data.sqlite", NAMES_NOTE},
        {"1.m/microTOFQImpacTemAcquisition.method", NAMES_NOTE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (names_inside(&b, cases[i].name) != cases[i].want) {
            fail_msg("%s", cases[i].name);
        }
    }
    assert_true(names_is_folder(&b));
}

static void a_generic_folder_without_main_file_is_watched_as_a_whole(void **state)
{
    (void)state;
    char none[] = "", data[] = "acqdata/MSScan.bin";
    struct instrument whole = {.type = INSTRUMENT_GENERIC, .main_file = none};
    struct instrument named = {.type = INSTRUMENT_GENERIC, .main_file = data};
    assert_int_equal(names_inside(&whole, "AcqData/MSScan.bin"), NAMES_DATA);
    assert_int_equal(names_inside(&named, "AcqData/MSScan.bin"), NAMES_MAIN);
    assert_int_equal(names_inside(&named, "AcqData/MSPeak.bin"), NAMES_NOTE);
    assert_false(names_is_folder(&whole));
    assert_true(names_is_folder(&named));
}

static void a_name_too_long_with_its_prefix_keeps_beginning_and_ending(void **state)
{
    (void)state;
    char stem[256], main[300], scan[300];
    memset(stem, 'n', 240);
    memcpy(stem + 238, "\xc3\xa4", 3); /* U+00E4 in the middle of the cut or not */
    snprintf(main, sizeof main, "%s.wiff", stem);
    snprintf(scan, sizeof scan, "%s.wiff.scan", stem);
    char *plain = names_target("", main, 240),
         *a = names_target("20261121-101112-123456-", main, 240),
         *b = names_target("20261121-101112-123456-", scan, 240);
    assert_string_equal(plain, main);
    assert_int_equal(strlen(a), 255);
    assert_memory_equal(a, "20261121-101112-123456-nnn", 26);
    assert_string_equal(strrchr(a, '.'), ".wiff");
    const char *mark_a = strchr(a, '~'), *mark_b = strchr(b, '~');
    assert_non_null(mark_a);
    assert_non_null(mark_b);
    assert_memory_equal(mark_a, mark_b, 17); /* one stem, one hash */
    assert_true(strlen(b) <= 255);
    stem[0] = 'y';
    snprintf(main, sizeof main, "%s.wiff", stem);
    char *c = names_target("20261121-101112-123456-", main, 240);
    assert_string_not_equal(strchr(c, '~'), mark_a);
    free(plain);
    free(a);
    free(b);
    free(c);
}

static void no_character_is_cut_in_half(void **state)
{
    (void)state;
    char name[256] = "";
    for (int i = 0; i < 120; i++) {
        memcpy(name + 2 * i, "\xc3\xa4", 3);
    }
    for (size_t shift = 0; shift < 2; shift++) {
        char *got = names_target(shift == 0 ? "20261121-101112-123456-" : "20261121-101112-123456",
                                 name, 240);
        const char *mark = strchr(got, '~');
        assert_non_null(mark);
        assert_int_equal((unsigned char)mark[-1], 0xa4);
        free(got);
    }
}

static void a_collision_prefix_is_the_utc_moment_to_the_microsecond(void **state)
{
    (void)state;
    char prefix[NAMES_PREFIX_LEN + 1];
    /* date -u -d @1700000000 +%Y%m%d-%H%M%S */
    names_collision_prefix(1700000000000042, prefix);
    assert_string_equal(prefix, "20231114-221320-000042-");
}

static void exactly_one_token_names_the_project(void **state)
{
    (void)state;
    const char *const projects[] = {"P123", "Q9", "_FALLBACK", NULL};
    assert_string_equal(names_project("20240101_p123_x.raw", projects), "P123");
    assert_string_equal(names_project("P123_x.raw", projects), "P123");
    assert_string_equal(names_project("_P123_x.raw", projects), "P123");
    assert_string_equal(names_project("a_P123_Q9_x.raw", projects), "_FALLBACK");
    assert_string_equal(names_project("a_P123_P123_x.raw", projects), "P123");
    assert_string_equal(names_project("a_P123-a_x.raw", projects), "_FALLBACK");
    assert_string_equal(names_project("a_P123.raw", projects), "_FALLBACK"); /* as upstream */
    assert_string_equal(names_project("", projects), "_FALLBACK");
}

static void skip_rules_hold_in_the_order_of_the_reference(void **state)
{
    (void)state;
    struct instrument i = of(INSTRUMENT_THERMO), off = of(INSTRUMENT_THERMO);
    off.skip_processing = true;
    const char *dda = "a_DDA_ b.raw";
    assert_string_equal(names_skip(&off, dda, dda, 0).details,
                        "Processing disabled for this instrument.");
    assert_string_equal(names_skip(&i, dda, dda, 0).details, "Filename contains 'dda'.");
    assert_string_equal(names_skip(&i, "a b.raw", "a b.raw", 0).details,
                        "Filename contains special characters.");
    assert_string_equal(names_skip(&i, "a.raw", "a.raw", 0).details, "File size is zero.");
    assert_string_equal(names_skip(&i, "x_CORRUPTED.raw", "x_CORRUPTED.raw", 5).details,
                        "File name indicates failed acquisition.");
    assert_int_equal(names_skip(&i, "a-1+b.raw", "a-1+b.raw", 5).status, RAW_UNKNOWN);
    assert_int_equal(names_skip(NULL, "a.raw", "a.raw", 5).status, RAW_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_main_file_of_a_bruker_folder_is_its_bin_and_without_one_all_data_counts),
        cmocka_unit_test(a_generic_folder_without_main_file_is_watched_as_a_whole),
        cmocka_unit_test(a_name_too_long_with_its_prefix_keeps_beginning_and_ending),
        cmocka_unit_test(no_character_is_cut_in_half),
        cmocka_unit_test(a_collision_prefix_is_the_utc_moment_to_the_microsecond),
        cmocka_unit_test(exactly_one_token_names_the_project),
        cmocka_unit_test(skip_rules_hold_in_the_order_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
