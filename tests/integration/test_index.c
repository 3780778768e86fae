/* test_index.c - the kind "index" against a real store. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/index/fold.h"
#include "common/index/week.h"
#include "store.h"
#include "test.h"
#include "workers/index/contribution.h"
#include "workers/index/index.h"

#define RFID "a_P123_01.raw"
#define TASK RFID "/quant/msqc-v1"

/* A change of the raw file as the scheduler writes it. */
static void change(const char *id, const char *field, const char *value)
{
    struct err err = {0};
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", field, BCON_UTF8(value), "dirty", BCON_BOOL(true), "}",
                              "$inc", "{", "rev", BCON_INT64(1), "}");
    must(db_update(db, DB_RAW_FILES, filter, update, &won, &err), &err);
    assert_true(won);
}

static void new_raw_file(const char *id, const char *project, const char *instrument, int64_t size)
{
    store_put(DB_RAW_FILES,
              BCON_NEW("_id", BCON_UTF8(id), "original_name", BCON_UTF8(id), "instrument_id",
                       BCON_UTF8(instrument), "project_id", BCON_UTF8(project), "status",
                       BCON_UTF8("copying_done"), "size", BCON_INT64(size), "created_at",
                       BCON_DATE_TIME(1000 * size), "rev", BCON_INT64(1), "dirty", BCON_BOOL(true),
                       "tasks", "[", BCON_UTF8(TASK), "]"));
}

static void *start(const char *id)
{
    struct err err = {0};
    void *job = calloc(1, worker_index.job_size);
    assert_non_null(job);
    struct job_base *base = job;
    base->cfg = cfg;
    base->db = db;
    AUTO(bson_destroy) bson_t *task = BCON_NEW("raw_file", BCON_UTF8(id));
    must(worker_index.decode(job, task, &err), &err);
    return job;
}

static void step(void *job, const char *name)
{
    struct err err = {0};
    for (const struct worker_step *s = worker_index.steps; s->name != NULL; s++) {
        if (strcmp(s->name, name) == 0) {
            must(s->run(job, &err), &err);
            return;
        }
    }
    fail_msg("there is no step %s", name);
}

static void end(void *job)
{
    worker_index.destroy(job);
    free(job);
}

static void index_now(const char *id)
{
    void *job = start(id);
    step(job, "load");
    step(job, "contribute");
    step(job, "fold");
    step(job, "settle");
    end(job);
}

static bson_t *get(const char *coll, const char *id)
{
    struct err err = {0};
    bson_t *doc = NULL;
    must(db_find_id(db, coll, id, &doc, &err), &err);
    return doc;
}

static void expect_sums(const char *aggregate, int64_t files, int64_t size)
{
    AUTO(bson_destroy) bson_t *doc = get(DB_AGGREGATES, aggregate);
    assert_non_null(doc);
    assert_int_equal(doc_i64(doc, "contents.file_count", 0), files);
    assert_int_equal(doc_i64(doc, "contents.size", 0), size);
    assert_int_equal(doc_bool(doc, "deleted", false), files == 0);
}

/* The raw file's date, in this week. */
static void move_to(const char *id, int64_t week)
{
    struct err err = {0};
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "created_at", BCON_DATE_TIME(week * WEEK_MS), "}",
                              "$inc", "{", "rev", BCON_INT64(1), "}");
    must(db_update(db, DB_RAW_FILES, filter, update, &won, &err), &err);
    assert_true(won);
}

static int64_t number(const char *coll, const char *id, const char *path)
{
    AUTO(bson_destroy) bson_t *doc = get(coll, id);
    assert_non_null(doc);
    return doc_i64(doc, path, -1);
}

static void empty_collections(void)
{
    static const char *const colls[] = {DB_RAW_FILES,     DB_METRICS, DB_TASKS,
                                        DB_CONTRIBUTIONS, DB_SUMS,    DB_AGGREGATES};
    AUTO(bson_destroy) bson_t *all = bson_new();
    for (size_t i = 0; i < sizeof colls / sizeof *colls; i++) {
        struct err err = {0};
        must(db_delete(db, colls[i], all, NULL, &err), &err);
    }
}

static int fresh(void **state)
{
    (void)state;
    empty_collections();
    new_raw_file(RFID, "P123", "astral1", 100);
    store_put(DB_TASKS, BCON_NEW("_id", BCON_UTF8(TASK), "kind", BCON_UTF8("quant"), "raw_file",
                                 BCON_UTF8(RFID), "state", BCON_UTF8("done")));
    store_put(DB_METRICS, BCON_NEW("_id", BCON_UTF8(TASK "#1"), "raw_file", BCON_UTF8(RFID), "type",
                                   BCON_UTF8("msqc"), "created_at_", BCON_DATE_TIME(10),
                                   "ms1_scans", BCON_INT64(7)));
    store_put(DB_METRICS, BCON_NEW("_id", BCON_UTF8(TASK "#2"), "raw_file", BCON_UTF8(RFID), "type",
                                   BCON_UTF8("msqc"), "created_at_", BCON_DATE_TIME(20),
                                   "ms1_scans", BCON_INT64(9)));
    return 0;
}

static void index_writes_every_aggregate_and_settles(void **state)
{
    (void)state;
    index_now(RFID);
    expect_sums("projects/P123", 1, 100);
    expect_sums("instruments/astral1", 1, 100);
    assert_int_equal(number(DB_AGGREGATES, "raw_files/" RFID, "contents.metrics.msqc.ms1_scans"),
                     9);
    assert_int_equal(number(DB_AGGREGATES, "results/" TASK, "contents.metrics.msqc.ms1_scans"), 9);
    AUTO(bson_destroy) bson_t *own = get(DB_AGGREGATES, "raw_files/" RFID);
    assert_string_equal(doc_str(own, "contents.metrics_older.0", ""), TASK "#1");
    AUTO(bson_destroy) bson_t *raw = get(DB_RAW_FILES, RFID);
    assert_int_equal(doc_i64(raw, "indexed_rev", 0), 1);
    assert_false(doc_bool(raw, "dirty", true));
}

static void index_twice_counts_once(void **state)
{
    (void)state;
    index_now(RFID);
    index_now(RFID);
    expect_sums("projects/P123", 1, 100);
    assert_int_equal(number(DB_AGGREGATES, "projects/P123", "rev"), 2);
    struct err err = {0};
    int64_t n = 0;
    AUTO(bson_destroy) bson_t *all = bson_new();
    must(db_count(db, DB_CONTRIBUTIONS, all, &n, &err), &err);
    assert_int_equal(n, 4);
}

static void index_leaves_a_project_that_lost_its_file(void **state)
{
    (void)state;
    new_raw_file("b.raw", "P123", "astral1", 50);
    index_now(RFID);
    index_now("b.raw");
    expect_sums("projects/P123", 2, 150);
    change(RFID, "project_id", "P999");
    index_now(RFID);
    expect_sums("projects/P123", 1, 50);
    expect_sums("projects/P999", 1, 100);
    expect_sums("instruments/astral1", 2, 150);
    assert_true(number(DB_CONTRIBUTIONS, "projects/P123/" RFID, "buried_at") > 0);
    change("b.raw", "project_id", "P999");
    index_now("b.raw");
    expect_sums("projects/P123", 0, 0);
    expect_sums("projects/P999", 2, 150);
    change(RFID, "project_id", "P123"); /* and back over its own tombstone */
    index_now(RFID);
    expect_sums("projects/P123", 1, 100);
    assert_int_equal(number(DB_CONTRIBUTIONS, "projects/P123/" RFID, "buried_at"), -1);
}

static void index_of_an_older_rev_that_comes_late_changes_nothing(void **state)
{
    (void)state;
    void *late = start(RFID);
    step(late, "load"); /* rev 1: project P123 */
    change(RFID, "project_id", "P999");
    index_now(RFID);
    step(late, "contribute");
    step(late, "fold");
    step(late, "settle");
    end(late);
    expect_sums("projects/P999", 1, 100);
    AUTO(bson_destroy) bson_t *gone = get(DB_CONTRIBUTIONS, "projects/P123/" RFID);
    assert_null(gone);
    assert_int_equal(number(DB_RAW_FILES, RFID, "indexed_rev"), 2);
}

static void index_that_was_overtaken_is_buried(void **state)
{
    (void)state;
    void *late = start(RFID);
    step(late, "load");
    step(late, "contribute"); /* announced and written, not folded: then the worker dies */
    change(RFID, "project_id", "P999");
    index_now(RFID);
    expect_sums("projects/P123", 0, 0);
    expect_sums("projects/P999", 1, 100);
    step(late, "fold"); /* or did it only sleep? */
    step(late, "settle");
    end(late);
    expect_sums("projects/P123", 0, 0);
    expect_sums("projects/P999", 1, 100);
}

static void index_that_died_after_its_tombstones_is_folded_by_the_next(void **state)
{
    (void)state;
    index_now(RFID);
    change(RFID, "project_id", "P999");
    void *dies = start(RFID);
    step(dies, "load");
    step(dies, "contribute");
    end(dies);
    expect_sums("projects/P123", 1, 100); /* not folded yet */
    index_now(RFID);
    expect_sums("projects/P123", 0, 0);
}

static void index_leaves_it_dirty_when_the_rev_moves_on(void **state)
{
    (void)state;
    void *job = start(RFID);
    step(job, "load");
    step(job, "contribute");
    change(RFID, "status", "quanting");
    step(job, "fold");
    step(job, "settle");
    end(job);
    AUTO(bson_destroy) bson_t *raw = get(DB_RAW_FILES, RFID);
    assert_true(doc_bool(raw, "dirty", false));
    assert_int_equal(doc_i64(raw, "indexed_rev", -1), -1);
}

static void index_again_restores_lost_aggregates(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *all = bson_new();
    index_now(RFID);
    must(db_delete(db, DB_AGGREGATES, all, NULL, &err), &err);
    must(db_delete(db, DB_CONTRIBUTIONS, all, NULL, &err), &err);
    index_now(RFID);
    expect_sums("projects/P123", 1, 100);
    expect_sums("instruments/astral1", 1, 100);
}

static void index_again_sums_all_weeks_of_an_aggregate_that_was_lost(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *all = bson_new();
    new_raw_file("b.raw", "P123", "astral1", 50);
    move_to("b.raw", 4);
    index_now(RFID);
    index_now("b.raw");
    must(db_delete(db, DB_AGGREGATES, all, NULL, &err), &err);
    must(db_delete(db, DB_SUMS, all, NULL, &err), &err);
    index_now(RFID);
    expect_sums("projects/P123", 2, 150);
    index_now(RFID); /* from the sums */
    expect_sums("projects/P123", 2, 150);
}

static int add_row(void *ctx, const bson_t *doc, struct err *err)
{
    bson_t contents;
    if (!doc_sub(doc, "contents", &contents)) {
        return ERR(err, ERR_INVALID, 0, "no contents");
    }
    AUTO(bson_destroy) bson_t *row = fold_row(&contents);
    return fold_add(ctx, row, err);
}

static void index_folds_what_the_server_groups(void **state)
{
    (void)state;
    static const char *const statuses[] = {"done", "error", "copying", "quanting_failed"};
    for (int i = 0; i < 30; i++) {
        char id[32];
        snprintf(id, sizeof id, "f%02d.raw", i);
        new_raw_file(id, "P123", i % 2 ? "astral1" : "tims2", 1 << i);
        change(id, "status", statuses[i % 4]);
        index_now(id);
    }
    index_now(RFID);
    struct err err = {0};
    AUTO(fold_free) struct fold *f = fold_new(&err);
    AUTO(bson_destroy)
    bson_t *live = BCON_NEW("type", BCON_UTF8("projects"), "entity", BCON_UTF8("P123"), "deleted",
                            BCON_BOOL(false));
    must(db_each(db, DB_CONTRIBUTIONS, live, NULL, add_row, f, &err), &err);
    AUTO(bson_destroy) bson_t *expected = fold_contents(f);
    AUTO(bson_destroy) bson_t *aggregate = get(DB_AGGREGATES, "projects/P123");
    bson_t contents;
    assert_true(doc_sub(aggregate, "contents", &contents));
    assert_true(bson_equal(expected, &contents));
    assert_int_equal(doc_i64(&contents, "file_count", 0), 31);
    assert_int_equal(doc_i64(&contents, "error_count", 0), 15);
}

static void expect_files(const char *sum, int64_t files)
{
    AUTO(bson_destroy) bson_t *doc = get(DB_SUMS, sum);
    assert_non_null(doc);
    assert_int_equal(doc_i64(doc, "rows.0.files", 0), files);
}

static void index_of_a_file_with_another_date_leaves_its_week(void **state)
{
    (void)state;
    new_raw_file("b.raw", "P123", "astral1", 50);
    index_now(RFID);
    index_now("b.raw");
    expect_files("projects/P123/0", 2);
    move_to(RFID, -3);
    index_now(RFID);
    expect_files("projects/P123/0", 1);
    expect_files("projects/P123/-3", 1);
    expect_files("instruments/astral1/-3", 1);
    expect_sums("projects/P123", 2, 150);
    AUTO(bson_destroy) bson_t *own = get(DB_CONTRIBUTIONS, "raw_files/" RFID "/" RFID);
    assert_int_equal(doc_i64(own, "weeks.0", 0), -3);
    assert_false(doc_has(own, "weeks.1"));
}

static void index_that_died_after_it_left_a_week_is_folded_by_the_next(void **state)
{
    (void)state;
    index_now(RFID);
    move_to(RFID, 5);
    void *dies = start(RFID);
    step(dies, "load");
    step(dies, "contribute");
    end(dies);
    move_to(RFID, 7);
    index_now(RFID);
    expect_files("projects/P123/0", 0);
    expect_files("projects/P123/5", 0);
    expect_files("projects/P123/7", 1);
    expect_sums("projects/P123", 1, 100);
}

static void index_of_a_file_without_a_date_is_summed_apart(void **state)
{
    (void)state;
    store_put(DB_RAW_FILES,
              BCON_NEW("_id", BCON_UTF8("undated.raw"), "instrument_id", BCON_UTF8("astral1"),
                       "status", BCON_UTF8("copying_done"), "rev", BCON_INT64(1)));
    index_now(RFID);
    index_now("undated.raw");
    expect_files("instruments/astral1/none", 1);
    expect_files("instruments/astral1/0", 1);
    expect_sums("instruments/astral1", 2, 100);
    move_to("undated.raw", 0);
    index_now("undated.raw");
    expect_files("instruments/astral1/none", 0);
    expect_files("instruments/astral1/0", 2);
}

static void raise_as_an_earlier_version(const char *aggregate)
{
    struct err err = {0};
    bool won = false;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(aggregate));
    AUTO(bson_destroy) bson_t *inc = BCON_NEW("$inc", "{", "wanted", BCON_INT64(1), "}");
    must(db_update(db, DB_AGGREGATES, filter, inc, &won, &err), &err);
    assert_true(won);
}

/* What only a fold of all contributions would see is not in the aggregate. */
static void index_folds_an_aggregate_from_its_sums_and_sums_only_its_week(void **state)
{
    (void)state;
    index_now(RFID);
    store_put(DB_CONTRIBUTIONS,
              BCON_NEW("_id", BCON_UTF8("projects/P123/hidden.raw"), "type", BCON_UTF8("projects"),
                       "entity", BCON_UTF8("P123"), "rev", BCON_INT64(1), "deleted",
                       BCON_BOOL(false), "contents", "{", "status", "done", "size", BCON_INT64(7),
                       "error", BCON_INT64(0), "created_at", BCON_DATE_TIME(9 * WEEK_MS), "}"));
    index_now(RFID);
    expect_sums("projects/P123", 1, 100);
    raise_as_an_earlier_version("projects/P123");
    index_now(RFID); /* sums are not complete any more */
    expect_sums("projects/P123", 2, 107);
}

static void index_of_a_file_without_rev_settles(void **state)
{
    (void)state;
    store_put(DB_RAW_FILES, BCON_NEW("_id", BCON_UTF8("old.raw"), "instrument_id", BCON_UTF8("x"),
                                     "status", BCON_UTF8("done")));
    index_now("old.raw");
    expect_sums("instruments/x", 1, 0);
    AUTO(bson_destroy) bson_t *raw = get(DB_RAW_FILES, "old.raw");
    assert_false(doc_bool(raw, "dirty", true));
}

static void index_of_a_missing_raw_file_fails_for_good(void **state)
{
    (void)state;
    struct err err = {0};
    void *job = start("nobody.raw");
    assert_int_equal(worker_index.steps[0].run(job, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    end(job);
}

static int run(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(index_writes_every_aggregate_and_settles, fresh),
        cmocka_unit_test_setup(index_twice_counts_once, fresh),
        cmocka_unit_test_setup(index_leaves_a_project_that_lost_its_file, fresh),
        cmocka_unit_test_setup(index_of_an_older_rev_that_comes_late_changes_nothing, fresh),
        cmocka_unit_test_setup(index_that_was_overtaken_is_buried, fresh),
        cmocka_unit_test_setup(index_that_died_after_its_tombstones_is_folded_by_the_next, fresh),
        cmocka_unit_test_setup(index_leaves_it_dirty_when_the_rev_moves_on, fresh),
        cmocka_unit_test_setup(index_again_restores_lost_aggregates, fresh),
        cmocka_unit_test_setup(index_again_sums_all_weeks_of_an_aggregate_that_was_lost, fresh),
        cmocka_unit_test_setup(index_folds_what_the_server_groups, fresh),
        cmocka_unit_test_setup(index_of_a_file_with_another_date_leaves_its_week, fresh),
        cmocka_unit_test_setup(index_that_died_after_it_left_a_week_is_folded_by_the_next, fresh),
        cmocka_unit_test_setup(index_of_a_file_without_a_date_is_summed_apart, fresh),
        cmocka_unit_test_setup(index_folds_an_aggregate_from_its_sums_and_sums_only_its_week,
                               fresh),
        cmocka_unit_test_setup(index_of_a_file_without_rev_settles, fresh),
        cmocka_unit_test_setup(index_of_a_missing_raw_file_fails_for_good, fresh),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}

int main(void)
{
    return store_main("index", run);
}
