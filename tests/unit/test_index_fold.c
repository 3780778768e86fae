/* The sums of projects and instruments; no server. */
#include "common/index/fold.h"

#include "common/db/db.h"
#include "common/index/week.h"
#include "common/raw/raw_file.h"
#include "test.h"

static void add(struct fold *f, const char *status, int64_t size, int64_t created)
{
    struct err err = {0};
    AUTO(bson_destroy)
    bson_t *contents = BCON_NEW("status", BCON_UTF8(status), "size", BCON_INT64(size), "error",
                                BCON_INT64(raw_status_is_error(raw_status_parse(status))),
                                "metrics", BCON_INT64(2));
    if (created != 0) {
        BSON_APPEND_DATE_TIME(contents, "created_at", created);
    }
    AUTO(bson_destroy) bson_t *row = fold_row(contents);
    assert_int_equal(fold_add(f, row, &err), 0);
}

static void fold_sums_and_counts_by_status(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(fold_free) struct fold *f = fold_new(&err);
    add(f, "done", 10, 100);
    add(f, "error", 20, 300);
    add(f, "done", 30, 200);
    AUTO(bson_destroy) bson_t *c = fold_contents(f);
    assert_int_equal(doc_i64(c, "file_count", 0), 3);
    assert_int_equal(doc_i64(c, "size", 0), 60);
    assert_int_equal(doc_i64(c, "error_count", 0), 1);
    assert_int_equal(doc_i64(c, "metrics_count", 0), 6);
    assert_int_equal(doc_i64(c, "newest_created_at", 0), 300);
    assert_int_equal(doc_i64(c, "by_status.done", 0), 2);
    assert_int_equal(doc_i64(c, "by_status.error", 0), 1);
}

static void fold_is_the_same_in_any_order(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(fold_free) struct fold *a = fold_new(&err);
    AUTO(fold_free) struct fold *b = fold_new(&err);
    add(a, "done", 1, 5);
    add(a, "copying", 2, 0);
    add(a, "acquisition_failed", 3, 9);
    add(b, "acquisition_failed", 3, 9);
    add(b, "done", 1, 5);
    add(b, "copying", 2, 0);
    AUTO(bson_destroy) bson_t *ca = fold_contents(a);
    AUTO(bson_destroy) bson_t *cb = fold_contents(b);
    assert_true(bson_equal(ca, cb));
}

static void fold_of_rows_equals_fold_of_single_files(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(fold_free) struct fold *rows = fold_new(&err);
    AUTO(fold_free) struct fold *files = fold_new(&err);
    AUTO(bson_destroy)
    bson_t *row = BCON_NEW("_id", "done", "files", BCON_INT32(2), "size", BCON_INT64(40), "errors",
                           BCON_INT64(0), "metrics", BCON_INT64(4), "newest", BCON_DATE_TIME(7));
    assert_int_equal(fold_add(rows, row, &err), 0);
    add(files, "done", 10, 7);
    add(files, "done", 30, 3);
    AUTO(bson_destroy) bson_t *a = fold_contents(rows);
    AUTO(bson_destroy) bson_t *b = fold_contents(files);
    assert_true(bson_equal(a, b));
}

static void fold_of_nothing_is_empty(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(fold_free) struct fold *f = fold_new(&err);
    assert_true(fold_is_empty(f));
    add(f, "done", 0, 0);
    assert_false(fold_is_empty(f));
    AUTO(bson_destroy) bson_t *c = fold_contents(f);
    assert_false(doc_has(c, "newest_created_at"));
}

static void pipeline_takes_only_live_contributions(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *p = fold_pipeline(&(struct entity){ENTITY_PROJECT, "P1"}, NULL);
    assert_string_equal(doc_str(p, "pipeline.0.$match.entity", ""), "P1");
    assert_string_equal(doc_str(p, "pipeline.0.$match.type", ""), "projects");
    assert_false(doc_bool(p, "pipeline.0.$match.deleted", true));
}

static void pipeline_of_a_week_takes_its_first_millisecond_and_not_the_next_weeks(void **state)
{
    (void)state;
    const struct entity e = {ENTITY_PROJECT, "P1"};
    bson_t range;
    AUTO(bson_destroy) bson_t *week = fold_filter(&e, &(int64_t){-1});
    AUTO(bson_destroy) bson_t *undated = fold_filter(&e, &(int64_t){WEEK_NONE});
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, undated, "contents.created_at"));
    assert_true(BSON_ITER_HOLDS_NULL(&at));
    assert_true(bson_iter_init_find(&at, week, "contents.created_at"));
    const uint8_t *data;
    uint32_t len;
    bson_iter_document(&at, &len, &data);
    assert_true(bson_init_static(&range, data, len));
    assert_int_equal(doc_i64(&range, "$gte", 1), -WEEK_MS);
    assert_int_equal(doc_i64(&range, "$lt", 1), 0);
}

static void weeks_begin_where_the_division_says_also_before_1970(void **state)
{
    (void)state;
    static const struct {
        int64_t ms, week;
    } cases[] = {{0, 0},   {WEEK_MS - 1, 0}, {WEEK_MS, 1},
                 {-1, -1}, {-WEEK_MS, -1},   {-WEEK_MS - 1, -2}};
    AUTO(bson_destroy) bson_t *none = BCON_NEW("at", BCON_NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(bson_destroy) bson_t *doc = BCON_NEW("at", BCON_DATE_TIME(cases[i].ms));
        assert_int_equal(week_of(doc, "at"), cases[i].week);
    }
    assert_true(week_of(none, "at") == WEEK_NONE);
    assert_true(week_of(none, "elsewhere") == WEEK_NONE);
}

static void a_set_of_weeks_has_each_once_and_comes_back_from_a_document(void **state)
{
    (void)state;
    struct err err = {0};
    static const int64_t weeks[] = {7, WEEK_NONE, -3, 7, WEEK_NONE, 8};
    static const int64_t expected[] = {WEEK_NONE, -3, 7, 8};
    AUTO_WEEKS set = {0};
    AUTO_WEEKS again = {0};
    for (size_t i = 0; i < sizeof weeks / sizeof *weeks; i++) {
        assert_int_equal(weeks_add(&set, weeks[i], &err), 0);
    }
    bson_t array;
    AUTO(bson_destroy) bson_t *doc = bson_new();
    weeks_append(doc, "weeks", &set);
    assert_true(doc_sub(doc, "weeks", &array));
    assert_int_equal(weeks_add_array(&again, &array, &err), 0);
    assert_int_equal(again.n, sizeof expected / sizeof *expected);
    assert_memory_equal(again.items, expected, sizeof expected);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_sums_and_counts_by_status),
        cmocka_unit_test(fold_is_the_same_in_any_order),
        cmocka_unit_test(fold_of_rows_equals_fold_of_single_files),
        cmocka_unit_test(fold_of_nothing_is_empty),
        cmocka_unit_test(pipeline_takes_only_live_contributions),
        cmocka_unit_test(pipeline_of_a_week_takes_its_first_millisecond_and_not_the_next_weeks),
        cmocka_unit_test(weeks_begin_where_the_division_says_also_before_1970),
        cmocka_unit_test(a_set_of_weeks_has_each_once_and_comes_back_from_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
