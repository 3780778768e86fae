/* The command line by the table, and what it says about slips. */
#include <string.h>

#include "cli/args.h"
#include "common/base/suggest.h"
#include "test.h"

/* argv is not written to; the strings outlive what is parsed. */
static int parse(const char *const *words, struct args *out, struct err *err)
{
    union {
        const char *const *given;
        char *const *argv;
    } as = {.given = words};
    int n = 0;
    while (words[n] != NULL) {
        n++;
    }
    return args_parse(n, as.argv, out, err);
}
#define PARSE(...) parse((const char *const[]){"trawl", __VA_ARGS__, NULL}, &a, &err)

static void args_find_commands_of_one_and_two_words(void **state)
{
    (void)state;
    struct args a;
    struct err err = {0};
    assert_int_equal(PARSE("ls"), 0);
    assert_string_equal(a.command->name, "ls");
    assert_int_equal(PARSE("pool", "set", "file_copy", "3"), 0);
    assert_string_equal(a.command->name, "pool set");
    assert_int_equal(a.n, 2);
    assert_string_equal(a.words[1], "3");
}

static void args_take_options_anywhere(void **state)
{
    (void)state;
    struct args a;
    struct err err = {0};
    assert_int_equal(PARSE("--config", "/x", "ls", "--limit=5", "--json", "--status", "done"), 0);
    assert_string_equal(a.command->name, "ls");
    assert_string_equal(a.config_dir, "/x");
    assert_string_equal(args_get(&a, "limit"), "5");
    assert_string_equal(args_get(&a, "status"), "done");
    assert_null(args_get(&a, "instrument"));
    assert_true(a.json);
}

static void args_end_options_at_two_dashes(void **state)
{
    (void)state;
    struct args a;
    struct err err = {0};
    assert_int_equal(PARSE("show", "--", "--odd.raw"), 0);
    assert_int_equal(a.n, 1);
    assert_string_equal(a.words[0], "--odd.raw");
}

static void expect_error(const char *const *words, const char *part)
{
    struct args a;
    struct err err = {0};
    assert_int_equal(parse(words, &a, &err), -1);
    if (strstr(err.msg, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, err.msg);
    }
}
#define REFUSES(part, ...) expect_error((const char *const[]){"trawl", __VA_ARGS__, NULL}, part)

static void args_say_what_was_meant(void **state)
{
    (void)state;
    REFUSES("did you mean 'status'?", "statsu");
    REFUSES("did you mean 'ls'?", "task", "lss");
    REFUSES("did you mean '--instrument'?", "ls", "--instrumnt", "x");
    REFUSES("trawl --help lists all", "xyzzyplugh");
    REFUSES("trawl pool ls", "pool");
}

static void args_refuse_what_the_table_does_not_allow(void **state)
{
    (void)state;
    REFUSES("something is missing", "show");
    REFUSES("too many words", "show", "a", "b");
    REFUSES("--limit needs a value", "ls", "--limit");
    REFUSES("--json takes no value", "ls", "--json=yes");
    REFUSES("there is no option '-x'", "ls", "-x");
}

static void args_help_needs_no_words(void **state)
{
    (void)state;
    struct args a;
    struct err err = {0};
    assert_int_equal(PARSE("show", "--help"), 0);
    assert_true(a.help);
    assert_int_equal(PARSE("pool", "-h"), 0);
    assert_null(a.command);
    assert_string_equal(a.words[0], "pool");
}

static void args_numbers_are_whole_and_in_range(void **state)
{
    (void)state;
    struct args a;
    struct err err = {0};
    static const struct args_number limits = {"limit", 0, 10, 7};
    int64_t n = 0;
    assert_int_equal(PARSE("ls", "--limit", "5"), 0);
    assert_int_equal(args_i64(&a, &limits, &n, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(PARSE("ls"), 0);
    assert_int_equal(args_i64(&a, &limits, &n, &err), 0);
    assert_int_equal(n, 7);
    static const char *const bad[] = {"", "x", "5x", "11", "-1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_int_equal(text_i64(bad[i], &limits, &n, &e), -1);
    }
}

static void suggest_counts_swaps_as_one_slip(void **state)
{
    (void)state;
    static const char *const names[] = {"retry", "cancel", "ls", NULL};
    assert_int_equal(suggest_distance("statsu", "status"), 1);
    assert_int_equal(suggest_distance("abc", ""), 3);
    assert_string_equal(suggest("cancle", names), "cancel");
    assert_string_equal(suggest("ret", names), "retry");
    assert_null(suggest("frobnicate", names));
}

static void every_command_has_what_help_shows(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct command *const *at = commands; *at != NULL; at++, n++) {
        const struct command *c = *at;
        size_t options = 0;
        assert_non_null(c->args);
        assert_true(c->brief != NULL && strlen(c->brief) <= 70);
        assert_non_null(c->run);
        assert_true(c->min_words <= c->max_words && c->max_words <= ARGS_WORDS_MAX);
        for (const struct cli_option *o = c->options; o != NULL && o->name != NULL;
             o++, options++) {
            assert_non_null(o->help);
        }
        assert_true(options <= ARGS_OPTIONS_MAX);
    }
    assert_true(n >= 15);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(args_find_commands_of_one_and_two_words),
        cmocka_unit_test(args_take_options_anywhere),
        cmocka_unit_test(args_end_options_at_two_dashes),
        cmocka_unit_test(args_say_what_was_meant),
        cmocka_unit_test(args_refuse_what_the_table_does_not_allow),
        cmocka_unit_test(args_help_needs_no_words),
        cmocka_unit_test(args_numbers_are_whole_and_in_range),
        cmocka_unit_test(suggest_counts_swaps_as_one_slip),
        cmocka_unit_test(every_command_has_what_help_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
