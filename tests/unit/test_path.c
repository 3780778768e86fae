#include "common/base/path.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static void names_below_a_root_are_safe(void **state)
{
    (void)state;
    static const char *const safe[] = {"a",  "a/b",     "a b.raw", "...",   "..a",  "a..",
                                       ".a", "a/.b/c.", "C:\\x",   "\xff*", "a\nb", "ü/ö.d"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++) {
        assert_true(path_is_safe(safe[i]));
    }
}

static void names_that_could_leave_a_root_are_not_safe(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "/",     "/a",  ".",      "..", "a/..", "../a",
                                      "a//b", "a/./b", "a/.", "a/../b", "a/", "./a",  "//"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(path_is_safe(bad[i]));
        struct err err = {0};
        assert_null(path_join("/root", bad[i], &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void check_join(const char *root, const char *relative, const char *expected)
{
    struct err err = {0};
    char *path = path_join(root, relative, &err);
    assert_non_null(path);
    assert_string_equal(path, expected);
    free(path);
}

static void join_puts_one_slash_between(void **state)
{
    (void)state;
    check_join("/pool/backup", "t1/2026_11/x.raw", "/pool/backup/t1/2026_11/x.raw");
    check_join("/pool/", "x", "/pool/x");
    check_join("/", "x", "/x");
}

static void join_below_a_folder_that_nobody_set_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(path_join("", "etc/passwd", &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void check_month(int64_t ms, const char *expected)
{
    char buf[8];
    assert_string_equal(path_month(ms, buf), expected);
}

static void month_is_that_of_utc(void **state)
{
    (void)state;
    check_month(0, "1970_01");
    check_month(-1, "1969_12");
    check_month(INT64_C(1795228805123), "2026_11"); /* date -ud @1795228805: 2026-11-21 */
    check_month(INT64_C(1798761599999), "2026_12"); /* the last millisecond of 2026 */
    check_month(INT64_C(1798761600000), "2027_01");
}

static void base_is_what_follows_the_last_slash(void **state)
{
    (void)state;
    assert_string_equal(path_base("/a/b.raw"), "b.raw");
    assert_string_equal(path_base("b.raw"), "b.raw");
    assert_string_equal(path_base("/a/"), "");
    assert_string_equal(path_base(""), "");
}

static void ends_with_looks_at_the_case_only_when_asked(void **state)
{
    (void)state;
    assert_true(path_ends_with("x.raw", ".raw", false));
    assert_false(path_ends_with("x.RAW", ".raw", false));
    assert_true(path_ends_with("x.RAW", ".raw", true));
    assert_true(path_ends_with("x", "", false));
    assert_false(path_ends_with("raw", ".raw", true));
}

static void check_escape(const char *bytes, const char *text)
{
    char *escaped = path_escape(bytes);
    assert_string_equal(escaped, text);
    char *back = path_unescape(escaped);
    assert_string_equal(back, bytes);
    free(escaped);
    free(back);
}

static void escape_leaves_utf8_and_spells_the_rest(void **state)
{
    (void)state;
    check_escape("plain name.raw", "plain name.raw");
    check_escape("M\xc3\xbcnchen \xf0\x9f\x90\x99.d", "M\xc3\xbcnchen \xf0\x9f\x90\x99.d");
    check_escape("100%", "100%25");
    check_escape("%41", "%2541");
    check_escape("a\nb\x7f", "a%0Ab%7F");
    check_escape("\xff\xfe", "%FF%FE");
    check_escape("\xc0\xaf", "%C0%AF");        /* an overlong '/' */
    check_escape("\xed\xa0\x80", "%ED%A0%80"); /* half a surrogate pair */
    check_escape("\xf4\x90\x80\x80", "%F4%90%80%80");
    check_escape("\xc2\x9b", "%C2%9B"); /* C1: the terminal's CSI */
    check_escape("\xe2\x82", "%E2%82"); /* cut in the middle */
    check_escape("", "");
}

static void every_pair_of_bytes_survives_escaping(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        char bytes[3] = {(char)(pair >> 8), (char)(pair & 255), '\0'};
        char *escaped = path_escape(bytes);
        char *back = path_unescape(escaped);
        assert_string_equal(back, bytes);
        free(escaped);
        free(back);
    }
}

static void unescape_leaves_what_is_no_escape(void **state)
{
    (void)state;
    static const char *const same[] = {"%", "%4", "%zz", "%00", "a%"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *back = path_unescape(same[i]);
        assert_string_equal(back, same[i]);
        free(back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_below_a_root_are_safe),
        cmocka_unit_test(names_that_could_leave_a_root_are_not_safe),
        cmocka_unit_test(join_puts_one_slash_between),
        cmocka_unit_test(join_below_a_folder_that_nobody_set_is_refused),
        cmocka_unit_test(month_is_that_of_utc),
        cmocka_unit_test(base_is_what_follows_the_last_slash),
        cmocka_unit_test(ends_with_looks_at_the_case_only_when_asked),
        cmocka_unit_test(escape_leaves_utf8_and_spells_the_rest),
        cmocka_unit_test(every_pair_of_bytes_survives_escaping),
        cmocka_unit_test(unescape_leaves_what_is_no_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
