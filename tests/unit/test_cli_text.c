/* Numbers, times and names as people read them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/human.h"
#include "test.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void sizes_have_one_decimal_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        {-1, "-"},         {0, "0 B"},           {1023, "1023 B"},       {1024, "1.0 KiB"},
        {1536, "1.5 KiB"}, {1048575, "1.0 MiB"}, {5LL << 30, "5.0 GiB"}, {INT64_MAX, "8.0 EiB"}};
    char buf[TEXT_SHORT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(text_size(cases[i].bytes, buf), cases[i].text);
    }
}

static void durations_have_two_parts(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-5, "0 s"},
                 {999, "0 s"},
                 {59999, "59 s"},
                 {MINUTE, "1 min"},
                 {65 * 1000, "1 min 5 s"},
                 {2 * HOUR + 5 * MINUTE, "2 h 5 min"},
                 {3 * DAY + 4 * HOUR, "3 d 4 h"},
                 {3 * DAY, "3 d"}};
    char buf[TEXT_SHORT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(text_duration(cases[i].ms, buf), cases[i].text);
    }
}

static void ages_have_one_part(void **state)
{
    (void)state;
    char buf[TEXT_SHORT];
    assert_string_equal(text_age(0, DAY, buf), "-");
    assert_string_equal(text_age(DAY, DAY + 5000, buf), "5s");
    assert_string_equal(text_age(DAY, DAY + 47 * HOUR, buf), "47h");
    assert_string_equal(text_age(DAY, 4 * DAY, buf), "3d");
    assert_string_equal(text_age(2 * DAY, DAY, buf), "0s");
}

static void percent_is_100_only_at_the_end(void **state)
{
    (void)state;
    char buf[TEXT_SHORT];
    assert_string_equal(text_percent(0, 0, buf), "");
    assert_string_equal(text_percent(999, 1000, buf), "99 %");
    assert_string_equal(text_percent(1000, 1000, buf), "100 %");
    assert_string_equal(text_percent(INT64_MAX / 2, INT64_MAX, buf), "50 %");
}

static void since_reads_spans_and_dates(void **state)
{
    (void)state;
    const int64_t now = 1000 * DAY;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"30m", 1000 * DAY - 30 * MINUTE},
                 {"2h", 1000 * DAY - 2 * HOUR},
                 {"3d", 997 * DAY},
                 {"1w", 993 * DAY},
                 {"1970-01-02", DAY},
                 {"1970-01-02T01:00", DAY + HOUR},
                 {"1970-01-02T01:00:00Z", DAY + HOUR}};
    int64_t out;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(text_since(cases[i].text, now, &out, &err), 0);
        assert_int_equal(out, cases[i].ms);
    }
    static const char *const bad[] = {"", "5", "h", "5q", "-3d", "2026-13-01", "tomorrow"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_int_equal(text_since(bad[i], now, &out, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void expect_fit(const char *s, size_t width, const char *wanted)
{
    char *got = text_fit(s, width);
    assert_string_equal(got, wanted);
    assert_true(width == 0 || text_width(got) <= width);
    free(got);
}

static void fit_cuts_the_middle_at_characters(void **state)
{
    (void)state;
    expect_fit("short", 10, "short");
    expect_fit("short", 0, "short");
    expect_fit("abcdefghij", 7, "abc…hij");
    expect_fit("äöüäöüäöüä", 6, "äöü…üä");
    expect_fit("abc", 1, "…");
    expect_fit("", 5, "");
}

static void fit_lets_nothing_move_the_cursor(void **state)
{
    (void)state;
    expect_fit("a\033[31mb\nc", 0, "a?[31mb?c");
    expect_fit("x\xff\xc2\x9by", 0, "x??y");
    char *buf = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&buf, &len);
    text_put(out, "ü\033]0;title\007");
    fclose(out);
    assert_string_equal(buf, "ü?]0;title?");
    free(buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_one_decimal_and_a_unit),
        cmocka_unit_test(durations_have_two_parts),
        cmocka_unit_test(ages_have_one_part),
        cmocka_unit_test(percent_is_100_only_at_the_end),
        cmocka_unit_test(since_reads_spans_and_dates),
        cmocka_unit_test(fit_cuts_the_middle_at_characters),
        cmocka_unit_test(fit_lets_nothing_move_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
