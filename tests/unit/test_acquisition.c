/* The rules of docs/rules.md, "The end of an acquisition", one look after the other. */
#include "test.h"

#include <string.h>

#include "common/raw/raw_file.h"
#include "scheduler/watch/acquisition.h"

#define MINUTE 60000

static const struct instrument thermo = {
    .type = INSTRUMENT_THERMO,
    .size_check_s = 3600,
    .missing_main_s = 7200,
    .old_file_s = 18000,
};

static enum verdict look(const struct instrument *i, struct acquisition *a, struct sighting s,
                         const char *want_rule)
{
    const char *rule = "";
    enum verdict v = acquisition_add_look(i, a, &s, &rule);
    if (want_rule != NULL) {
        assert_string_equal(rule, want_rule);
    }
    return v;
}

#define SEEN(ms, main_bytes, ...)                                                                  \
    ((struct sighting){.since_ms = (ms),                                                           \
                       .main_present = true,                                                       \
                       .size = (main_bytes),                                                       \
                       .sig = {.n = 1, .bytes = (main_bytes)},                                     \
                       .scan_size = -1,                                                            \
                       ##__VA_ARGS__})
#define MISSING(ms, ...)                                                                           \
    ((struct sighting){.since_ms = (ms), .size = -1, .scan_size = -1, ##__VA_ARGS__})

static void a_growing_file_is_waited_for(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    for (int64_t k = 0; k < 500; k++) {
        assert_int_equal(look(&thermo, &a, SEEN(MINUTE, k + 1), RAW_WAITS_STILL), VERDICT_WAIT);
    }
}

static void a_later_file_ends_it_once_its_size_stood_still_for_a_poll(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    assert_int_equal(look(&thermo, &a, SEEN(0, 5, .successor = true), NULL), VERDICT_WAIT);
    assert_int_equal(look(&thermo, &a, SEEN(10, 6, .successor = true), NULL), VERDICT_WAIT);
    assert_int_equal(look(&thermo, &a, SEEN(10, 6, .successor = true), "next file"), VERDICT_DONE);
}

static void two_equal_sizes_an_hour_apart_end_it_after_two_hours(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    int64_t minutes = 0;
    while (look(&thermo, &a, SEEN(MINUTE, 7), NULL) == VERDICT_WAIT) {
        minutes++;
        assert_true(minutes < 1000);
    }
    assert_in_range(minutes, 118, 121);
}

static void size_zero_is_never_done_by_size(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    for (int k = 0; k < 2000; k++) {
        assert_int_equal(look(&thermo, &a, SEEN(MINUTE, 0), NULL), VERDICT_WAIT);
    }
}

static void a_file_renamed_to_corrupted_has_ended_even_with_a_successor(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    struct sighting s = MISSING(10, .corrupted_sibling = true, .successor = true);
    assert_int_equal(look(&thermo, &a, s, "renamed"), VERDICT_RENAMED);
}

static void a_main_file_that_never_comes_ends_it_after_two_hours(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    int64_t minutes = 0;
    while (look(&thermo, &a, MISSING(MINUTE), "main file missing") == VERDICT_WAIT) {
        minutes++;
        assert_true(minutes < 1000);
    }
    assert_int_equal(minutes, 119);
    assert_int_equal(a.size, -1);
}

static void a_main_file_that_comes_back_starts_the_wait_anew(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    assert_int_equal(look(&thermo, &a, MISSING(119 * MINUTE), NULL), VERDICT_WAIT);
    assert_int_equal(look(&thermo, &a, SEEN(MINUTE, 3), NULL), VERDICT_WAIT);
    assert_int_equal(look(&thermo, &a, MISSING(119 * MINUTE), NULL), VERDICT_WAIT);
}

static void sciex_waits_for_a_scan_file_above_144_bytes(void **state)
{
    (void)state;
    struct instrument sciex = thermo;
    sciex.type = INSTRUMENT_SCIEX;
    struct acquisition a = acquisition_new();
    struct sighting small = SEEN(MINUTE, 9, .successor = true);
    small.scan_size = 144;
    look(&sciex, &a, small, NULL);
    assert_int_equal(look(&sciex, &a, small, RAW_WAITS_SCAN), VERDICT_WAIT);
    struct sighting big = small;
    big.scan_size = 145;
    assert_int_equal(look(&sciex, &a, big, "next file"), VERDICT_DONE);
}

static void sciex_with_a_small_scan_file_ends_after_24_quiet_hours(void **state)
{
    (void)state;
    struct instrument sciex = thermo;
    sciex.type = INSTRUMENT_SCIEX;
    struct acquisition a = acquisition_new();
    int64_t minutes = 0;
    while (look(&sciex, &a, SEEN(MINUTE, 9, .successor = true), NULL) == VERDICT_WAIT) {
        minutes++;
        assert_true(minutes < 3000);
    }
    assert_int_equal(minutes, 24 * 60);
}

static void the_old_file_rule_only_holds_when_switched_on(void **state)
{
    (void)state;
    struct instrument i = thermo;
    struct acquisition a = acquisition_new();
    struct sighting s = SEEN(10, 4, .behind_youngest_ms = 18000001);
    assert_int_equal(look(&i, &a, s, NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, s, NULL), VERDICT_WAIT);
    i.old_files_done = true;
    assert_int_equal(look(&i, &a, s, "old file"), VERDICT_DONE);
    s.behind_youngest_ms = 18000000;
    assert_int_equal(look(&i, &a, s, NULL), VERDICT_WAIT);
}

static void the_quiet_time_ends_a_file_that_has_data(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.quiet_s = 60;
    struct acquisition a = acquisition_new();
    look(&i, &a, SEEN(0, 4), NULL);
    assert_int_equal(look(&i, &a, SEEN(59000, 4), NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, SEEN(500, 5), NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, SEEN(60000, 5), "quiet"), VERDICT_DONE);
}

static void what_is_remembered_survives_a_restart(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.quiet_s = 60;
    struct acquisition a = acquisition_new();
    look(&i, &a, SEEN(0, 4), NULL);
    look(&i, &a, SEEN(40000, 4), NULL);
    struct acquisition restarted = a; /* the first look after a restart has since_ms = 0 */
    assert_int_equal(look(&i, &restarted, SEEN(0, 4), NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &restarted, SEEN(20000, 4), "quiet"), VERDICT_DONE);
}

/* --- everything that belongs to it --- */

/* gorakhargosh/watchdog#586, snowtrack/snowfs#176: the full size at once, filled afterwards. */
static void a_file_of_full_size_whose_time_moves_is_waited_for_by_every_rule(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.still_s = 10;
    i.quiet_s = 1;
    i.size_check_s = 1;
    i.old_files_done = true;
    struct acquisition a = acquisition_new();
    for (int k = 0; k < 1000; k++) {
        struct sighting s = SEEN(5000, 99, .successor = true, .behind_youngest_ms = INT64_MAX);
        s.sig.stamp = k / 2; /* with pauses */
        assert_int_equal(look(&i, &a, s, RAW_WAITS_STILL), VERDICT_WAIT);
    }
    struct sighting s = SEEN(5000, 99, .successor = true);
    s.sig = a.sig;
    assert_int_equal(look(&i, &a, s, NULL), VERDICT_DONE);
}

static void a_new_name_beside_the_main_file_starts_the_wait_anew(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.still_s = 10;
    struct acquisition a = acquisition_new();
    struct sighting s = SEEN(9000, 5, .successor = true);
    look(&i, &a, s, NULL);
    assert_int_equal(look(&i, &a, s, RAW_WAITS_STILL), VERDICT_WAIT);
    s.sig.n = 2; /* an empty file */
    assert_int_equal(look(&i, &a, s, RAW_WAITS_STILL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, s, RAW_WAITS_STILL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, s, "next file"), VERDICT_DONE);
}

static void what_moves_after_an_hour_delays_the_two_checks_too(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    for (int k = 0; k < 1000; k++) {
        struct sighting s = SEEN(MINUTE, 7);
        s.sig.stamp = k / 50; /* every 50 minutes */
        assert_int_equal(look(&thermo, &a, s, NULL), VERDICT_WAIT);
    }
}

/* MannLabs/alphatims#174 */
static void an_acquisition_without_its_main_file_ends_only_when_the_rest_stands_still(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.still_s = 10;
    i.missing_main_s = 4;
    struct acquisition a = acquisition_new();
    for (int k = 0; k < 100; k++) {
        struct sighting s = MISSING(5000, .sig = {.n = 3, .bytes = k});
        assert_int_equal(look(&i, &a, s, "main file missing"), VERDICT_WAIT);
    }
    struct sighting s = MISSING(5000, .sig = {.n = 3, .bytes = 99});
    assert_int_equal(look(&i, &a, s, NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &a, s, "main file missing"), VERDICT_MAIN_MISSING);
}

static void what_cannot_be_looked_at_is_not_done(void **state)
{
    (void)state;
    struct acquisition a = acquisition_new();
    struct sighting s = SEEN(MINUTE, 5, .successor = true, .unreadable = true);
    for (int k = 0; k < 1000; k++) {
        assert_int_equal(look(&thermo, &a, s, RAW_WAITS_UNREADABLE), VERDICT_WAIT);
    }
}

static void the_memory_of_a_version_without_signatures_goes_on(void **state)
{
    (void)state;
    struct instrument i = thermo;
    i.quiet_s = 60;
    i.still_s = 10;
    struct acquisition old = {.size = 4, .checked_size = 4, .quiet_ms = 55000, .sig.n = -1};
    assert_int_equal(look(&i, &old, SEEN(0, 4), NULL), VERDICT_WAIT);
    assert_int_equal(look(&i, &old, SEEN(5000, 4), "quiet"), VERDICT_DONE);
    struct acquisition grown = {.size = 3, .checked_size = 3, .quiet_ms = 55000, .sig.n = -1};
    look(&i, &grown, SEEN(0, 4), NULL);
    assert_int_equal(look(&i, &grown, SEEN(5000, 4), RAW_WAITS_STILL), VERDICT_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growing_file_is_waited_for),
        cmocka_unit_test(a_later_file_ends_it_once_its_size_stood_still_for_a_poll),
        cmocka_unit_test(two_equal_sizes_an_hour_apart_end_it_after_two_hours),
        cmocka_unit_test(size_zero_is_never_done_by_size),
        cmocka_unit_test(a_file_renamed_to_corrupted_has_ended_even_with_a_successor),
        cmocka_unit_test(a_main_file_that_never_comes_ends_it_after_two_hours),
        cmocka_unit_test(a_main_file_that_comes_back_starts_the_wait_anew),
        cmocka_unit_test(sciex_waits_for_a_scan_file_above_144_bytes),
        cmocka_unit_test(sciex_with_a_small_scan_file_ends_after_24_quiet_hours),
        cmocka_unit_test(the_old_file_rule_only_holds_when_switched_on),
        cmocka_unit_test(the_quiet_time_ends_a_file_that_has_data),
        cmocka_unit_test(what_is_remembered_survives_a_restart),
        cmocka_unit_test(a_file_of_full_size_whose_time_moves_is_waited_for_by_every_rule),
        cmocka_unit_test(a_new_name_beside_the_main_file_starts_the_wait_anew),
        cmocka_unit_test(what_moves_after_an_hour_delays_the_two_checks_too),
        cmocka_unit_test(an_acquisition_without_its_main_file_ends_only_when_the_rest_stands_still),
        cmocka_unit_test(what_cannot_be_looked_at_is_not_done),
        cmocka_unit_test(the_memory_of_a_version_without_signatures_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
