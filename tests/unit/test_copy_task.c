/* test_copy_task.c - the task's document in, the result's fields out. */
#include <bson/bson.h>
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "workers/copy/job.h"

/* The runner's part: the steps are linked, but never run here. */
int run_check(struct run *run, struct err *err)
{
    (void)run;
    (void)err;
    return 0;
}

void run_progress(struct run *run, int64_t done, int64_t total)
{
    (void)run;
    (void)done;
    (void)total;
}

int run_keep(struct run *run, const bson_t *fields, struct err *err)
{
    (void)run;
    (void)fields;
    (void)err;
    return 0;
}

extern const struct worker_kind worker_copy;

static int decode(const char *json, struct copy_job *job, struct err *err)
{
    bson_error_t e;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &e);
    assert_non_null(doc);
    *job = (struct copy_job){0};
    *err = (struct err){0};
    int rc = worker_copy.decode(job, doc, err);
    rc = rc == 0 ? copy_read_earlier(job, err) : rc;
    bson_destroy(doc);
    return rc;
}

#define REST "\"source_root\": \"/mnt/i1\", \"target_dir\": \"i1/2026_11\", \"type\": \"sciex\""

static void a_task_of_a_set_is_decoded(void **state)
{
    (void)state;
    struct copy_job job;
    struct err err;
    assert_int_equal(
        decode("{\"raw_file\": \"c-s.wiff\", \"input\": {" REST ", \"digest\": \"md5\","
               "\"main\": \"c-s.wiff\", \"members\": [{\"from\": \"s%FF.wiff\", "
               "\"to\": \"c-s.wiff\"}, {\"from\": \"s.wiff2\", \"to\": \"c-s.wiff2\"}]}}",
               &job, &err),
        0);
    assert_int_equal(job.n_members, 2);
    assert_string_equal(job.members[0].from, "s\xff.wiff");
    assert_string_equal(job.members[1].to, "c-s.wiff2");
    assert_string_equal(job.main, "c-s.wiff");
    assert_string_equal(job.name, "c-s.wiff");
    assert_string_equal(job.source_root, "/mnt/i1");
    assert_string_equal(job.digest, "md5");
    assert_false(job.rename_aside);
    worker_copy.destroy(&job);
}

#define ONE(path)                                                                                  \
    "{\"path\": \"" path "\", \"size\": 1, \"xxh3\": \"06b05ab6733a618578af5f94892f3950\"}"

static void what_a_task_supersedes_is_decoded_in_order(void **state)
{
    (void)state;
    struct copy_job job;
    struct err err;
    assert_int_equal(decode("{\"raw_file\": \"x.d\", \"input\": {" REST ", \"members\": [\"x.d\"], "
                            "\"s3_part_mib\": 100, \"supersedes\": ["
                            "{\"path\": \"x.d/b%FF\", \"size\": 7, "
                            "\"xxh3\": \"06b05ab6733a618578af5f94892f3950\", \"md5\": \"\"},"
                            "{\"path\": \"x.d/a\", \"size\": 0, "
                            "\"xxh3\": \"99aa06d3014798d86001c324468d497f\"}]}}",
                            &job, &err),
                     0);
    assert_int_equal(job.n_supersedes, 2);
    assert_string_equal(job.supersedes[0].path, "x.d/a");
    assert_string_equal(job.supersedes[1].path, "x.d/b\xff");
    assert_int_equal(job.supersedes[1].size, 7);
    assert_string_equal(job.supersedes[1].xxh3, "06b05ab6733a618578af5f94892f3950");
    assert_int_equal(job.s3_part_mib, 100);
    worker_copy.destroy(&job);
    assert_int_equal(decode("{\"raw_file\": \"x.d\", \"input\": {" REST ", \"members\": [\"x.d\"], "
                            "\"supersedes\": [" ONE("b") "]}, \"published\": [[" ONE("b") "," ONE(
                                "a") "], [" ONE("c") "]]}",
                            &job, &err),
                     0);
    static const struct {
        unsigned copy;
        const char *path;
    } want[] = {{0, "b"}, {1, "a"}, {1, "b"}, {2, "c"}};
    assert_int_equal(job.n_supersedes, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(job.supersedes[i].copy, want[i].copy);
        assert_string_equal(job.supersedes[i].path, want[i].path);
    }
    worker_copy.destroy(&job);
    static const char *const bad[] = {
        "1", "{}", "{\"path\": \"a\"}", "{\"path\": \"a\", \"size\": 1, \"xxh3\": \"00\"}",
        "{\"path\": \"../a\", \"size\": 1, \"xxh3\": \"06b05ab6733a618578af5f94892f3950\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{\"raw_file\": \"x.d\", \"input\": {" REST ", \"members\": [\"x.d\"], "
                 "\"supersedes\": [%s]}}",
                 bad[i]);
        assert_int_equal(decode(json, &job, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        worker_copy.destroy(&job);
    }
}

static void broken_tasks_are_invalid_and_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "raw_file is missing"},
        {"{\"raw_file\": \"a\"}", "source_root '' is not absolute"},
        {"{\"raw_file\": \"a\", \"input\": {\"source_root\": \"x\"}}", "'x' is not absolute"},
        {"{\"raw_file\": \"a\", \"input\": {\"source_root\": \"/x\", \"target_dir\": \"../y\"}}",
         "leaves its location"},
        {"{\"raw_file\": \"a\", \"input\": {" REST "}}", "members is missing"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": []}}", "members is missing"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": [1]}}", "neither a name nor"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": [{\"from\": \"a\"}]}}",
         "to is missing"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": [\"..\"]}}",
         "no name of a file"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": [\"%2E./x\"]}}",
         "no name of a file"},
        {"{\"raw_file\": \"a/b\", \"input\": {" REST ", \"members\": [\"a\"]}}",
         "cannot name a file"},
        {"{\"raw_file\": \"a\", \"input\": {" REST ", \"members\": [\"a\"], \"digest\": \"crc\"}}",
         "unknown digest 'crc'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct copy_job job;
        struct err err;
        assert_int_equal(decode(cases[i].json, &job, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        if (strstr(err.msg, cases[i].message) == NULL) {
            fail_msg("'%s' does not say '%s'", err.msg, cases[i].message);
        }
        worker_copy.destroy(&job);
    }
}

static void the_result_names_the_list_of_files(void **state)
{
    (void)state;
    struct copy_job job = {.list = BCON_NEW("list", "x.d#0.1", "files", BCON_INT64(1)),
                           .report = {.n_files = 1, .size = 7, .ms = 1000, .bytes_written = 7}};
    bson_t out = BSON_INITIALIZER;
    worker_copy.result(&job, &out);
    assert_string_equal(doc_str(&out, "file_list.list", ""), "x.d#0.1");
    assert_int_equal(doc_i64(&out, "file_list.files", 0), 1);
    assert_int_equal(doc_i64(&out, "bytes_written", 0), 7);
    assert_false(doc_has(&out, "manifest"));
    bson_destroy(&out);
    bson_destroy(job.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_of_a_set_is_decoded),
        cmocka_unit_test(what_a_task_supersedes_is_decoded_in_order),
        cmocka_unit_test(broken_tasks_are_invalid_and_say_why),
        cmocka_unit_test(the_result_names_the_list_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
