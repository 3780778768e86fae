/* Bars and the stopped banner. */
#include "test.h"

#include <string.h>

#include "cli/cmd_top_draw.h"
#include "common/db/doc_json.h"

static void a_bar_shows_how_full_a_pool_is(void **state)
{
    (void)state;
    static const struct {
        int64_t used, size;
        const char *want;
    } cases[] = {
        {0, 3, "[....................]"},    {1, 3, "[######..............]"},
        {3, 3, "[####################]"},    {9, 3, "[####################]"},
        {1, 1000, "[#...................]"}, {0, 0, "[....................]"},
        {2, 0, "[####################]"}, /* stopped, and still at work */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[TOP_BAR_MAX];
        assert_string_equal(top_bar(cases[i].used, cases[i].size, buf), cases[i].want);
    }
}

static void add(struct docs *d, const char *id, int64_t saved, int64_t at)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *pool = BCON_NEW("_id", BCON_UTF8(id), "slots", BCON_INT64(0));
    if (saved >= 0) {
        BCON_APPEND(pool, "saved_slots", BCON_INT64(saved), "stop", "{", "by", "kim@lab", "why",
                    BCON_UTF8(id), "at", BCON_DATE_TIME(at), "}");
    }
    assert_int_equal(docs_add(d, pool, &err), 0);
}

static void the_banner_names_the_last_stop_and_how_much_of_it_holds(void **state)
{
    (void)state;
    struct err err = {0};
    char text[200];
    AUTO(docs_free) struct docs *pools = docs_new(&err);
    add(pools, "a", -1, 0);
    assert_int_equal(pools_stopped(pools).pools, 0);
    add(pools, "smoke", 3, 120000);
    add(pools, "fire", 0, 60000);
    const struct stopped s = pools_stopped(pools);
    assert_int_equal(s.pools, 2);
    stopped_text(&s, 180000, text, sizeof text);
    assert_string_equal(text, "2 of 3 pools, by kim@lab 1 min ago: smoke");
}

static void the_rate_is_that_of_running_copies_on_their_workers_clocks(void **state)
{
    (void)state;
    struct err err = {0};
    const struct ops o = {0};
    AUTO(docs_free) struct docs *none = docs_new(&err);
    AUTO(docs_free) struct docs *workers = docs_new(&err);
    AUTO(bson_destroy)
    bson_t *worker =
        BCON_NEW("_id", "w", "at", BCON_DATE_TIME(100000), "running", "[", "{", "kind", "copy",
                 "started", BCON_DATE_TIME(96000), "done", BCON_INT64(8000), "}", "{", "kind",
                 "copy", "started", BCON_DATE_TIME(100000), "done", BCON_INT64(7), "}", "{", "kind",
                 "index", "started", BCON_DATE_TIME(90000), "done", BCON_INT64(5000), "}", "]");
    assert_int_equal(docs_add(workers, worker, &err), 0);
    const struct top t = {.workers = workers,
                          .leases = none,
                          .pools = none,
                          .ended = none,
                          .oldest = none,
                          .errors = none};
    AUTO(json_decref) json_t *json = top_json(&o, &t);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes_copied_per_s")), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_shows_how_full_a_pool_is),
        cmocka_unit_test(the_rate_is_that_of_running_copies_on_their_workers_clocks),
        cmocka_unit_test(the_banner_names_the_last_stop_and_how_much_of_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
