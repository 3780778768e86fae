/* Rows under titles, fitted to a terminal. */
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "common/base/human.h"
#include "test.h"

static const struct column columns[] = {{.title = "NAME", .min = 8},
                                        {.title = "SIZE", .right = true},
                                        {.title = "NOTE", .min = 6, .rank = 1},
                                        {.title = "AGE", .right = true, .rank = 2},
                                        {0}};

static char *print(int width, bool color)
{
    struct err err = {0};
    char *buf = NULL;
    size_t len = 0;
    AUTO(table_free) struct table *t = table_new(columns, &err);
    assert_non_null(t);
    table_cell(t, STYLE_PLAIN, "a_long_name_of_a_raw_file.raw");
    table_cellf(t, STYLE_PLAIN, "%d", 12345);
    table_cell(t, STYLE_BAD, "something to say");
    table_cell(t, STYLE_DIM, "3d");
    table_cell(t, STYLE_GOOD, "b");
    table_cell(t, STYLE_PLAIN, "7");
    table_cell(t, STYLE_PLAIN, "");
    table_cell(t, STYLE_PLAIN, "");
    FILE *out = open_memstream(&buf, &len);
    const struct table_look look = {.width = width, .color = color};
    assert_int_equal(table_print(t, &look, out, &err), 0);
    fclose(out);
    return buf;
}

static void table_cuts_nothing_without_a_terminal(void **state)
{
    (void)state;
    AUTO(free) char *text = print(0, false);
    assert_string_equal(text, "NAME                            SIZE  NOTE              AGE\n"
                              "a_long_name_of_a_raw_file.raw  12345  something to say   3d\n"
                              "b                                  7\n");
}

static void table_never_passes_the_width(void **state)
{
    (void)state;
    for (int width = 16; width <= 70; width++) {
        AUTO(free) char *text = print(width, false);
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
            assert_true(text_width(line) <= (size_t)width);
        }
    }
}

static void table_leaves_out_the_highest_rank_first(void **state)
{
    (void)state;
    AUTO(free) char *middle = print(26, false);
    assert_null(strstr(middle, "AGE"));
    assert_non_null(strstr(middle, "NOTE"));
    AUTO(free) char *narrow = print(16, false);
    assert_null(strstr(narrow, "NOTE"));
    assert_non_null(strstr(narrow, "SIZE"));
}

static void table_has_escapes_only_in_colour(void **state)
{
    (void)state;
    AUTO(free) char *plain = print(0, false);
    AUTO(free) char *coloured = print(0, true);
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(coloured, "\033[31msomething to say\033[0m"));
}

static void table_without_rows_shows_its_titles(void **state)
{
    (void)state;
    struct err err = {0};
    char *buf = NULL;
    size_t len = 0;
    AUTO(table_free) struct table *t = table_new(columns, &err);
    FILE *out = open_memstream(&buf, &len);
    assert_int_equal(table_print(t, &(struct table_look){.width = 80}, out, &err), 0);
    fclose(out);
    assert_string_equal(buf, "NAME  SIZE  NOTE  AGE\n");
    free(buf);
}

static void states_have_their_colours(void **state)
{
    (void)state;
    assert_int_equal(style_of_state("done"), STYLE_GOOD);
    assert_int_equal(style_of_state("quanting_failed"), STYLE_BAD);
    assert_int_equal(style_of_state("ignored"), STYLE_DIM);
    assert_int_equal(style_of_state("copying"), STYLE_WAIT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_cuts_nothing_without_a_terminal),
        cmocka_unit_test(table_never_passes_the_width),
        cmocka_unit_test(table_leaves_out_the_highest_rank_first),
        cmocka_unit_test(table_has_escapes_only_in_colour),
        cmocka_unit_test(table_without_rows_shows_its_titles),
        cmocka_unit_test(states_have_their_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
