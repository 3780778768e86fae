/* What a raw file says about each entity; no server. */
#include <string.h>

#include "test.h"
#include "workers/index/contribution.h"
#include "workers/index/index.h"

#define TASK "a.raw/quant/msqc-v1"

struct world {
    bson_t *raw;
    struct docs metrics, tasks;
    struct contribution_list list;
};

static void add_doc(struct docs *l, bson_t *doc)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *own = doc;
    assert_int_equal(docs_add(l, own, &err), 0);
}

static void add_metrics(struct world *w, const char *id, const char *type, int64_t at)
{
    add_doc(&w->metrics, BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8(type), "created_at_",
                                  BCON_DATE_TIME(at), "n", BCON_INT64(at)));
}

static void build(struct world *w)
{
    struct err err = {0};
    const struct contribution_sources src = {w->raw, &w->metrics, &w->tasks};
    assert_int_equal(contribution_build(&src, &w->list, &err), 0);
}

static const struct contribution *find(const struct world *w, enum entity_type t)
{
    for (size_t i = 0; i < w->list.n; i++) {
        if (w->list.items[i].type == t) {
            return &w->list.items[i];
        }
    }
    fail_msg("no contribution to %s", entity_type_name(t));
    static const struct contribution none; /* never reached; gcc does not know that */
    return &none;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->raw = BCON_NEW("_id", "a.raw", "original_name", "a.raw", "instrument_id", "tims2",
                      "project_id", "P1", "status", "error", "size", BCON_INT64(7), "files", "[",
                      "{", "path", "a.raw", "}", "]", "created_at", BCON_DATE_TIME(5));
    add_doc(&w->tasks, BCON_NEW("_id", TASK, "kind", "quant", "state", "done", "result", "{",
                                "job_id", BCON_INT64(3), "}"));
    add_doc(&w->tasks, BCON_NEW("_id", "a.raw/copy", "kind", "copy", "state", "done"));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    bson_destroy(w->raw);
    docs_clear(&w->metrics);
    docs_clear(&w->tasks);
    contribution_list_clear(&w->list);
    free(w);
    return 0;
}

static void contributions_name_raw_file_results_project_and_instrument(void **state)
{
    struct world *w = *state;
    build(w);
    assert_int_equal(w->list.n, 4);
    assert_string_equal(find(w, ENTITY_RAW_FILE)->entity, "a.raw");
    assert_string_equal(find(w, ENTITY_RESULT)->entity, TASK);
    assert_string_equal(find(w, ENTITY_PROJECT)->entity, "P1");
    assert_string_equal(find(w, ENTITY_INSTRUMENT)->entity, "tims2");
    const bson_t *own = find(w, ENTITY_RAW_FILE)->contents;
    assert_int_equal(doc_i64(own, "file_count", -1), 1);
    assert_string_equal(doc_str(own, "results.0.task", ""), TASK);
    assert_string_equal(doc_str(own, "status", ""), "error");
    assert_int_equal(doc_i64(find(w, ENTITY_RESULT)->contents, "result.job_id", 0), 3);
    assert_int_equal(doc_i64(find(w, ENTITY_PROJECT)->contents, "error", 0), 1);
}

static void contributions_take_the_newest_metrics_of_each_type_in_any_order(void **state)
{
    struct world *w = *state;
    add_metrics(w, TASK "#2", "msqc", 20);
    add_metrics(w, TASK "#3", "msqc", 30);
    add_metrics(w, TASK "#1", "msqc", 10);
    add_metrics(w, "elsewhere", "diann.v2", 5);
    build(w);
    const bson_t *own = find(w, ENTITY_RAW_FILE)->contents;
    assert_int_equal(doc_i64(own, "metrics.msqc.n", 0), 30);
    assert_int_equal(doc_i64(own, "metrics.diann:v2.n", 0), 5);
    assert_string_equal(doc_str(own, "metrics_older.0", ""), TASK "#1");
    assert_string_equal(doc_str(own, "metrics_older.1", ""), TASK "#2");
    const bson_t *result = find(w, ENTITY_RESULT)->contents;
    assert_int_equal(doc_i64(result, "metrics.msqc.n", 0), 30);
    assert_false(doc_has(result, "metrics.diann:v2"));
    assert_int_equal(doc_i64(find(w, ENTITY_PROJECT)->contents, "metrics", 0), 4);
}

static void contributions_of_a_bare_document_are_only_its_own(void **state)
{
    struct world *w = *state;
    bson_destroy(w->raw);
    w->raw = BCON_NEW("_id", "x.raw", "size", BCON_INT64(-1));
    docs_clear(&w->tasks);
    build(w);
    assert_int_equal(w->list.n, 1);
}

static void contributions_of_an_unknown_size_add_nothing(void **state)
{
    struct world *w = *state;
    bson_destroy(w->raw);
    w->raw = BCON_NEW("_id", "x.raw", "size", BCON_INT64(-1), "project_id", "P1");
    build(w);
    assert_int_equal(doc_i64(find(w, ENTITY_PROJECT)->contents, "size", -5), 0);
}

static void bury_makes_tombstones_of_what_is_no_longer_said(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    AUTO(bson_destroy)
    bson_t *before = BCON_NEW("0", "projects/P0", "1", "projects/P1", "2", "results/old/quant/x",
                              "3", "planets/mars", "4", BCON_INT32(4));
    build(w);
    size_t live = w->list.n;
    assert_int_equal(contribution_bury(before, &w->list, &err), 0);
    assert_int_equal(w->list.n, live + 2);
    assert_true(w->list.items[live].deleted);
    assert_string_equal(w->list.items[live].entity, "P0");
    assert_string_equal(w->list.items[live + 1].entity, "old/quant/x");
    assert_int_equal(w->list.items[live + 1].type, ENTITY_RESULT);
}

static void ids_are_type_entity_and_raw_file(void **state)
{
    (void)state;
    AUTO(free) char *a = entity_id(ENTITY_RESULT, TASK);
    AUTO(free) char *c = contribution_id(ENTITY_PROJECT, "P1", "a.raw");
    assert_string_equal(a, "results/" TASK);
    assert_string_equal(c, "projects/P1/a.raw");
}

static void replacing_needs_an_equal_or_higher_rev(void **state)
{
    (void)state;
    assert_true(contribution_replaces(3, 3));
    assert_true(contribution_replaces(3, 4));
    assert_false(contribution_replaces(4, 3));
}

static void decode_refuses_what_names_no_raw_file(void **state)
{
    (void)state;
    char long_name[900];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const bad[] = {"", long_name};
    for (size_t i = 0; i < 2; i++) {
        struct err err = {0};
        void *job = calloc(1, worker_index.job_size);
        AUTO(bson_destroy) bson_t *task = BCON_NEW("raw_file", BCON_UTF8(bad[i]));
        assert_int_equal(worker_index.decode(job, task, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        worker_index.destroy(job);
        free(job);
    }
}

static void result_holds_rev_and_number_of_entities(void **state)
{
    (void)state;
    struct err err = {0};
    void *job = calloc(1, worker_index.job_size);
    AUTO(bson_destroy) bson_t *task = BCON_NEW("raw_file", "a.raw");
    AUTO(bson_destroy) bson_t *out = bson_new();
    assert_int_equal(worker_index.decode(job, task, &err), 0);
    worker_index.result(job, out);
    assert_true(doc_has(out, "rev"));
    assert_int_equal(doc_i64(out, "entities", -1), 0);
    worker_index.destroy(job);
    free(job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(contributions_name_raw_file_results_project_and_instrument),
        TEST(contributions_take_the_newest_metrics_of_each_type_in_any_order),
        TEST(contributions_of_a_bare_document_are_only_its_own),
        TEST(contributions_of_an_unknown_size_add_nothing),
        TEST(bury_makes_tombstones_of_what_is_no_longer_said),
        cmocka_unit_test(ids_are_type_entity_and_raw_file),
        cmocka_unit_test(replacing_needs_an_equal_or_higher_rev),
        cmocka_unit_test(decode_refuses_what_names_no_raw_file),
        cmocka_unit_test(result_holds_rev_and_number_of_entities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
