/* trawl doctor: the kinds that are asked for, and what a clock's distance means. */
#include <string.h>

#include "ops/doctor.h"
#include "test.h"

static void doctor_kinds_are_those_of_a_worker_unless_named(void **state)
{
    (void)state;
    const char *kinds[DOCTOR_KINDS + 1];
    struct err err = {0};
    assert_int_equal(doctor_kinds(NULL, kinds, &err), 0);
    assert_string_equal(kinds[0], "copy");
    assert_string_equal(kinds[2], "index");
    assert_null(kinds[3]);
    assert_int_equal(doctor_kinds("remove,copy", kinds, &err), 0);
    assert_string_equal(kinds[0], "remove");
    assert_string_equal(kinds[1], "copy");
    assert_null(kinds[2]);
}

static void doctor_kinds_refuses_what_is_no_kind(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "copy,", ",copy", "cop", "copyy", "copy, quant"};
    const char *kinds[DOCTOR_KINDS + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_int_equal(doctor_kinds(bad[i], kinds, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, "is no kind"));
    }
}

static void a_clock_warns_above_a_second_and_fails_above_a_minute(void **state)
{
    (void)state;
    static const struct {
        int64_t ahead_ms;
        enum doctor_state state;
    } cases[] = {{0, DOCTOR_OK},        {1000, DOCTOR_OK},    {-1000, DOCTOR_OK},
                 {1001, DOCTOR_WARN},   {-1001, DOCTOR_WARN}, {60000, DOCTOR_WARN},
                 {-60001, DOCTOR_FAIL}, {300000, DOCTOR_FAIL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct doctor d = {0};
        doctor_add_clock(&d, cases[i].ahead_ms);
        assert_int_equal(d.n, 1);
        assert_int_equal(d.lines[0].state, cases[i].state);
        assert_int_equal(d.lines[0].remedy[0] == '\0', cases[i].state == DOCTOR_OK);
        assert_int_equal(doctor_well(&d), cases[i].state != DOCTOR_FAIL);
        assert_true(strlen(d.lines[0].text) + 1 < sizeof d.lines[0].text);
        doctor_clear(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doctor_kinds_are_those_of_a_worker_unless_named),
        cmocka_unit_test(doctor_kinds_refuses_what_is_no_kind),
        cmocka_unit_test(a_clock_warns_above_a_second_and_fails_above_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
