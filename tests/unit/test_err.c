#include "common/base/err.h"

#include <string.h>

#include "test.h"

static void the_first_failure_wins(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(ERR(&e, ERR_INVALID, 7, "first %d", 1), -1);
    assert_int_equal(ERR(&e, ERR_FATAL, 8, "second"), -1);
    assert_int_equal(e.kind, ERR_INVALID);
    assert_int_equal(e.code, 7);
    assert_string_equal(e.msg, "first 1");
    assert_string_equal(e.where, __func__);
}

static void context_goes_before_the_message(void **state)
{
    (void)state;
    struct err e = {0};
    ERR(&e, ERR_TRANSIENT, 0, "timed out");
    assert_int_equal(err_context(&e, "upload %s", "a.sh"), -1);
    assert_string_equal(e.msg, "upload a.sh: timed out");
}

static void a_message_that_does_not_fit_ends_in_a_plus(void **state)
{
    (void)state;
    char longer[sizeof((struct err *)0)->msg + 10];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    struct err e = {0};
    ERR(&e, ERR_TRANSIENT, 0, "%s", longer);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_int_equal(e.msg[sizeof e.msg - 2], '+');
    err_context(&e, "where");
    assert_int_equal(strncmp(e.msg, "where: yyy", 10), 0);
    assert_int_equal(e.msg[sizeof e.msg - 2], '+');
    err_context(&e, "%s", longer);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_int_equal(e.msg[sizeof e.msg - 2], '+');
}

static void every_kind_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_KIND_COUNT; a++) {
        const char *name = err_kind_name((enum err_kind)a);
        assert_non_null(name);
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(name, err_kind_name((enum err_kind)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_wins),
        cmocka_unit_test(context_goes_before_the_message),
        cmocka_unit_test(a_message_that_does_not_fit_ends_in_a_plus),
        cmocka_unit_test(every_kind_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
