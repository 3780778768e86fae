/* What failed for the same reason is one group, whatever its names and numbers. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "ops/dead_groups.h"

static void names_paths_and_numbers_are_left_out_of_a_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *message, *want;
    } cases[] = {
        {"", ""},
        {"disk full", "disk full"},
        {"read /mnt/a b.d: Input/output error", "read <path> b.d: Input/output error"},
        {"rename to '/pool/x/run7.d': No space", "rename to '<path>': No space"},
        {"run7.d is damaged", "<file> is damaged"},
        {"sizes differ: 1024 and 99", "sizes differ: # and #"},
        {"job 17 of node03-b TIMEOUT", "job # of node#-b TIMEOUT"},
        {"hash 0123abcd9 instead of deadbeef1", "hash <id> instead of <id>"},
        {"deadbeef is a word, 12345678 a number", "deadbeef is a word, # a number"},
        {"first line\nrest 1", "first line"},
        {"größer als 3 µm", "größer als # µm"},
        {"/", "<path>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *pattern = dead_pattern(cases[i].message, "run7.d");
        assert_string_equal(pattern, cases[i].want);
        free(pattern);
    }
}

static void add(struct docs *d, const char *file, const char *class, const char *msg, int64_t at)
{
    struct err err = {0};
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(file), "kind", "copy", "raw_file", BCON_UTF8(file),
                           "error", "{", "kind", BCON_UTF8(class), "step", "transfer", "msg",
                           BCON_UTF8(msg), "at", BCON_DATE_TIME(at), "}");
    assert_int_equal(docs_add(d, doc, &err), 0);
}

static void tasks_are_grouped_by_class_and_pattern_the_newest_first(void **state)
{
    (void)state;
    struct err err = {0};
    struct dead_groups g;
    AUTO(docs_free) struct docs *tasks = docs_new(&err);
    add(tasks, "a.raw", "transient", "a.raw: 3 bytes are missing", 10);
    add(tasks, "b.raw", "transient", "b.raw: 4 bytes are missing", 30);
    add(tasks, "c.raw", "permanent", "c.raw: 5 bytes are missing", 40);
    add(tasks, "d.raw", "transient", "d.raw: 123 bytes are missing", 20);
    assert_int_equal(dead_groups_make(tasks, &g, &err), 0);
    assert_int_equal(g.n, 2);
    assert_string_equal(doc_str(g.at[0].first, "_id", ""), "c.raw");
    assert_int_equal(g.at[0].n, 1);
    assert_int_equal(g.at[1].n, 3);
    assert_int_equal(g.at[1].first_ms, 10);
    assert_int_equal(g.at[1].last_ms, 30);
    assert_string_equal(g.at[1].pattern, "<file>: # bytes are missing");
    char id[DEAD_ID_MAX];
    assert_int_equal(dead_group_id(tasks->items[3], id, &err), 0);
    assert_string_equal(id, g.at[1].id);
    assert_string_not_equal(id, g.at[0].id);
    dead_groups_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_paths_and_numbers_are_left_out_of_a_pattern),
        cmocka_unit_test(tasks_are_grouped_by_class_and_pattern_the_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
