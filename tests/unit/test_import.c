/* AlphaKraken's documents as ours, one by one. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/db/difference.h"
#include "common/raw/backup_record.h"
#include "common/raw/raw_file_import.h"
#include "ops/import_convert.h"

#define MD5 "0123456789abcdef0123456789abcdef"

static char worker[] = "/mnt/backup", cluster[] = "/fs/backup";
static struct config config = {.location.backup = {.worker = worker, .cluster = cluster}};
static const struct raw_import how = {.cfg = &config, .from = "krakendb", .now_ms = 5000};

/* A raw file of AlphaKraken's with one file of 9 bytes, whose size is a double. */
static bson_t *theirs(const char *status, const char *backup)
{
    bson_t *doc = BCON_NEW(
        "_id", "a.raw", "collision_flag", BCON_NULL, "original_name", "a.raw", "instrument_id",
        "test1", "project_id", BCON_NULL, "status", BCON_UTF8(status), "status_details", "because",
        "size", BCON_INT32(9), "backup_base_path", "/fs/backup/test1/2024_01", "backup_status",
        BCON_UTF8(backup), "s3_upload_path", "bucket/x", "instrument_file_status", "initial");
    BCON_APPEND(doc, "file_info", "{", "a.raw", "[", BCON_DOUBLE(9.0), BCON_UTF8(MD5), "]", "}",
                "created_at", BCON_DATE_TIME(1704067200000), "created_at_",
                BCON_DATE_TIME(1704067300000), "updated_at_", BCON_DATE_TIME(1704067400000));
    return doc;
}

static struct raw_imported import(bson_t *raw)
{
    struct raw_imported out;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *own = raw;
    if (raw_file_import(&how, own, &out, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return out;
}

static void expect_refused(bson_t *raw, const char *why)
{
    struct raw_imported out;
    struct err err = {0};
    AUTO(bson_destroy) bson_t *own = raw;
    assert_int_equal(raw_file_import(&how, own, &out, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, why));
    assert_null(out.doc);
}

#define SAYS(doc, field, value) assert_string_equal(doc_str((doc), field, "-"), value)

static void a_finished_one_keeps_status_details_and_times(void **state)
{
    (void)state;
    static const char *const finished[] = {"done",  "done_not_quanted", "quanting_failed",
                                           "error", "ignored",          "acquisition_failed"};
    for (size_t i = 0; i < sizeof finished / sizeof *finished; i++) {
        struct raw_imported r = import(theirs(finished[i], "copying_done"));
        assert_int_equal(r.way, RAW_IMPORT_KEPT);
        SAYS(r.doc, "status", finished[i]);
        SAYS(r.doc, "status_details", "because");
        SAYS(r.doc, "project_id", "_FALLBACK");
        SAYS(r.doc, "s3_upload_path", "bucket/x");
        SAYS(r.doc, "retire", "move test1");
        SAYS(r.doc, "imported.from", "krakendb");
        assert_int_equal(doc_i64(r.doc, "imported.at", 0), 5000);
        assert_int_equal(doc_i64(r.doc, "updated_at_", 0), 1704067400000);
        assert_int_equal(doc_i64(r.doc, "copied_at", 0), 1704067400000);
        assert_int_equal(doc_i64(r.doc, "rev", 0), 1);
        assert_false(doc_bool(r.doc, "settled", true));
        assert_true(doc_bool(r.doc, "dirty", false));
        assert_false(doc_has(r.doc, "collision_flag"));
        assert_false(doc_has(r.doc, "watch.rule"));
        assert_int_equal(doc_i64(r.doc, "watch.size", 0), 9);
        SAYS(r.doc, "watch.members.0.from", "a.raw");
        raw_imported_fini(&r);
    }
}

static void a_backup_that_is_not_complete_still_names_the_size_of_the_original(void **state)
{
    (void)state;
    static const char *const incomplete[] = {"", "skipped", "copying_failed",
                                             "copying_in_progress"};
    for (size_t i = 0; i < sizeof incomplete / sizeof *incomplete; i++) {
        struct raw_imported r = import(theirs("done", incomplete[i]));
        assert_int_equal(r.way, RAW_IMPORT_KEPT);
        assert_false(r.recorded);
        assert_int_equal(doc_i64(r.doc, "watch.size", -1), 9);
        assert_false(doc_has(r.doc, "watch.members"));
        assert_false(doc_has(r.doc, "copied_at"));
        assert_false(doc_has(r.doc, "retire"));
        raw_imported_fini(&r);
    }
}

static void one_that_failed_before_it_had_a_backup_goes_back_to_monitoring(void **state)
{
    (void)state;
    static const char *const failed[] = {"error", "acquisition_failed"};
    for (size_t i = 0; i < sizeof failed / sizeof *failed; i++) {
        struct raw_imported r = import(theirs(failed[i], "copying_failed"));
        assert_int_equal(r.way, RAW_IMPORT_ADOPT);
        SAYS(r.doc, "status", "monitoring_acquisition");
        SAYS(r.doc, "imported.status", failed[i]);
        SAYS(r.doc, "imported.status_details", "because");
        assert_false(doc_has(r.doc, "status_details"));
        raw_imported_fini(&r);
    }
}

static void what_may_prove_a_backup_is_kept_until_the_original_is_seen(void **state)
{
    (void)state;
    struct raw_imported r = import(theirs("quanting", ""));
    assert_int_equal(r.way, RAW_IMPORT_ADOPT);
    assert_false(doc_has(r.doc, "file_info"));
    SAYS(r.doc, "imported.backup_base_path", "/fs/backup/test1/2024_01");
    assert_int_equal(doc_i64(r.doc, "imported.size", 0), 9);
    bson_t info;
    assert_true(doc_sub(r.doc, "imported.file_info", &info));
    assert_true(db_has_key(&info, "a.raw"));
    raw_imported_fini(&r);
}

/* Files of file_info, each of 10^n bytes. */
static int64_t size_of(const char *id, const char *const *paths)
{
    int64_t size = 1;
    bson_t info = BSON_INITIALIZER;
    AUTO(bson_destroy) bson_t *plain = theirs("done", "copying_done");
    bson_t *doc = bson_new();
    bson_copy_to_excluding_noinit(plain, doc, "_id", "original_name", "file_info", NULL);
    BCON_APPEND(doc, "_id", BCON_UTF8(id), "original_name", BCON_UTF8(id));
    for (; *paths != NULL; paths++, size *= 10) {
        BCON_APPEND(&info, *paths, "[", BCON_INT64(size), BCON_UTF8(MD5), "]");
    }
    BSON_APPEND_DOCUMENT(doc, "file_info", &info);
    bson_destroy(&info);
    struct raw_imported r = import(doc);
    size = doc_i64(r.doc, "watch.size", -1);
    raw_imported_fini(&r);
    return size;
}

static void the_size_is_that_of_the_main_file_and_of_no_other(void **state)
{
    (void)state;
    const char *set[] = {"A.b.wiff", "A.wiff", "A.wiff.scan", NULL};
    const char *no_main[] = {"A.b.wiff", "A.wiff.scan", NULL};
    const char *folder[] = {"a.d/old/analysis.tdf_bin", "a.d/analysis.tdf", "a.d/analysis.TDF_bin",
                            "b.d/analysis.tdf_bin", NULL};
    const char *bare[] = {"a.d/fid", "a.d/old/analysis.tdf_bin", NULL};
    const char *failed[] = {"a.d/analysis.tdf", NULL};
    assert_int_equal(size_of("a.d", failed), -1);
    assert_int_equal(size_of("A.wiff", set), 10);
    assert_int_equal(size_of("A.wiff", no_main), -1);
    assert_int_equal(size_of("a.d", folder), 100);
    assert_int_equal(size_of("a.d", bare), 11);
}

static void an_upload_counts_as_a_backup_and_is_remembered(void **state)
{
    (void)state;
    static const char *const uploads[] = {"upload_in_progress", "upload_done", "upload_failed"};
    for (size_t i = 0; i < sizeof uploads / sizeof *uploads; i++) {
        struct raw_imported r = import(theirs("done", uploads[i]));
        SAYS(r.doc, "backup_status", "copying_done");
        SAYS(r.doc, "imported.backup_status", uploads[i]);
        assert_true(r.recorded);
        raw_imported_fini(&r);
    }
}

static void an_unfinished_one_with_a_backup_is_quantified(void **state)
{
    (void)state;
    static const char *const on_their_way[] = {"copying_done", "queued_for_quanting", "quanting"};
    for (size_t i = 0; i < sizeof on_their_way / sizeof *on_their_way; i++) {
        struct raw_imported r = import(theirs(on_their_way[i], "copying_done"));
        assert_int_equal(r.way, RAW_IMPORT_QUANTIFY);
        SAYS(r.doc, "status", "queued_for_quanting");
        SAYS(r.doc, "backup_status", "copying_done");
        raw_imported_fini(&r);
    }
}

static void an_unfinished_one_without_a_backup_goes_back_to_monitoring(void **state)
{
    (void)state;
    static const char *const open[] = {"queued_for_monitoring", "monitoring_acquisition",
                                       "monitoring_done",       "checksumming",
                                       "checksumming_done",     "copying"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        struct raw_imported r = import(theirs(open[i], "copying_in_progress"));
        assert_int_equal(r.way, RAW_IMPORT_ADOPT);
        SAYS(r.doc, "status", "monitoring_acquisition");
        SAYS(r.doc, "instrument_file_status", "initial");
        SAYS(r.doc, "imported.backup_status", "copying_in_progress");
        static const char *const gone[] = {"file_info", "backup_base_path", "backup_status",
                                           "size",      "status_details",   "watch"};
        for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) {
            assert_false(doc_has(r.doc, gone[k]));
        }
        raw_imported_fini(&r);
    }
}

static void a_record_without_sizes_or_hashes_is_none(void **state)
{
    (void)state;
    bson_t *nulls = theirs("done", "copying_done"), *empty = theirs("done", "copying_done");
    bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
    bson_copy_to_excluding_noinit(nulls, &a, "file_info", NULL);
    BCON_APPEND(&a, "file_info", "{", "a.raw", "[", BCON_NULL, BCON_NULL, "]", "}");
    bson_copy_to_excluding_noinit(empty, &b, "file_info", NULL);
    BCON_APPEND(&b, "file_info", "{", "}");
    const bson_t *both[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        struct raw_imported r = import(bson_copy(both[i]));
        assert_false(r.recorded);
        assert_false(doc_has(r.doc, "watch"));
        assert_false(doc_has(r.doc, "retire"));
        SAYS(r.doc, "status", "done");
        raw_imported_fini(&r);
    }
    bson_destroy(&a);
    bson_destroy(&b);
    bson_destroy(nulls);
    bson_destroy(empty);
}

/* A set: its file_info in old form, its names with a collision's mark. */
static void names_are_escaped_and_keep_their_meaning(void **state)
{
    (void)state;
    bson_t *raw =
        BCON_NEW("_id", "20240101-000000-000000-a%41\n.wiff", "collision_flag",
                 "20240101-000000-000000-", "original_name", "a%41\n.wiff", "instrument_id",
                 "test1", "status", "done", "backup_status", "copying_done", "backup_base_path",
                 "/fs/backup/test1/2024_01", "created_at", BCON_DATE_TIME(1704067200000));
    BCON_APPEND(raw, "file_info", "{", "test1/2024_01/20240101-000000-000000-a%41\n.wiff.scan", "[",
                BCON_INT32(7), BCON_UTF8(MD5), "]",
                "test1/2024_01/20240101-000000-000000-a%41\n.wiff", "[", BCON_INT32(5),
                BCON_UTF8(MD5), "]", "}");
    struct raw_imported r = import(raw);
    assert_true(r.renamed);
    SAYS(r.doc, "_id", "20240101-000000-000000-a%2541%0A.wiff");
    SAYS(r.doc, "original_name", "a%2541%0A.wiff");
    SAYS(r.doc, "imported.id", "20240101-000000-000000-a%41\n.wiff");
    assert_int_equal(doc_i64(r.doc, "watch.size", 0), 5);
    SAYS(r.doc, "watch.members.0.from", "a%2541%0A.wiff");
    SAYS(r.doc, "watch.members.0.to", "20240101-000000-000000-a%2541%0A.wiff");
    SAYS(r.doc, "watch.members.1.from", "a%2541%0A.wiff.scan");
    struct record record;
    struct err err = {0};
    assert_int_equal(record_load(&record, NULL, r.doc, &err), 0);
    assert_string_equal(record.files[0].path, "20240101-000000-000000-a%41\n.wiff");
    record_fini(&record);
    raw_imported_fini(&r);
}

static void what_cannot_be_ours_is_refused_with_the_reason(void **state)
{
    (void)state;
    expect_refused(BCON_NEW("_id", BCON_INT32(5)), "no _id");
    expect_refused(BCON_NEW("_id", "a", "original_name", "a"), "no instrument_id");
    expect_refused(
        BCON_NEW("_id", "a", "original_name", "a", "instrument_id", "t", "status", "sleeping"),
        "'sleeping' is unknown");
    expect_refused(
        BCON_NEW("_id", "a", "original_name", "a", "instrument_id", "t", "status", "done"),
        "no created_at");
    expect_refused(BCON_NEW("_id", "a", "original_name", "a", "instrument_id", "t", "status",
                            "done", "created_at", "2024-01-31"),
                   "no created_at");
    bson_t *raw = theirs("done", "copying_done");
    bson_t *elsewhere = bson_new();
    bson_copy_to_excluding_noinit(raw, elsewhere, "backup_base_path", NULL);
    BCON_APPEND(elsewhere, "backup_base_path", "/other/pool/test1/2024_01");
    bson_destroy(raw);
    expect_refused(elsewhere, "not below the backup location");
}

static void the_change_in_place_makes_the_same_document(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *raw = theirs("copying", "copying_in_progress");
    struct raw_imported r = import(bson_copy(raw));
    struct db_change c = raw_file_importing(raw, r.doc);
    bson_t set, unset;
    assert_true(doc_sub(c.update, "$set", &set));
    assert_true(doc_sub(c.update, "$unset", &unset));
    SAYS(&set, "status", "monitoring_acquisition");
    assert_true(db_has_key(&unset, "file_info"));
    assert_false(db_has_key(&set, "created_at"));
    assert_false(db_has_key(&set, "_id"));
    SAYS(c.filter, "status", "copying");
    assert_null(doc_difference(r.doc, r.doc));
    db_change_fini(&c);
    raw_imported_fini(&r);
}

static void metrics_get_the_names_of_today(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *old = BCON_NEW("raw_file", "a%.raw", "raw:gradient_length_m", BCON_DOUBLE(30.5),
                           "msqc_ms1_scans", BCON_INT32(7), "quanting_time_elapsed", BCON_DOUBLE(2),
                           "calibration:ms1_median_accuracy", BCON_DOUBLE(1), "proteins", BCON_NULL,
                           "msqc_taken", BCON_INT32(1), "taken", BCON_INT32(2));
    AUTO(bson_destroy) bson_t *now = import_metrics(old, true);
    SAYS(now, "raw_file", "a%25.raw");
    SAYS(now, "type", "alphadia");
    assert_true(doc_f64(now, "gradient_length", 0) > 30);
    assert_int_equal(doc_i64(now, "ms1_scans", 0), 7);
    assert_true(doc_has(now, "time_elapsed"));
    assert_true(doc_has(now, "calibration:ms1_bias"));
    assert_int_equal(doc_i64(now, "msqc_taken", 0), 1);
    assert_int_equal(doc_i64(now, "taken", 0), 2);
    assert_false(db_has_key(now, "proteins"));
    AUTO(bson_destroy) bson_t *again = import_metrics(now, false);
    assert_null(doc_difference(now, again));
}

static void settings_get_engines_and_resources(void **state)
{
    (void)state;
    char why[IMPORT_WHY];
    static const char *const engines[] = {"slurm", "slurm_no_sacct", "file_based"};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        AUTO(bson_destroy)
        bson_t *old = BCON_NEW("name", "human", "version", BCON_INT32(2), "job_engine",
                               BCON_UTF8(engines[i]), "description", BCON_NULL);
        AUTO(bson_destroy) bson_t *now = import_settings(old, why);
        SAYS(now, "job_engine", engines[i]);
        SAYS(now, "software_type", "alphadia");
        SAYS(now, "metrics_type", "alphadia");
        SAYS(now, "slurm_mem", "62G");
        assert_int_equal(doc_i64(now, "num_threads", 0), 8);
        assert_false(db_has_key(now, "description"));
        assert_string_equal(why, "");
        AUTO(bson_destroy) bson_t *again = import_settings(now, why);
        assert_null(doc_difference(now, again));
    }
    AUTO(bson_destroy)
    bson_t *other =
        BCON_NEW("name", "x", "job_engine", "generic", "status", "active", "software_type", "msqc");
    AUTO(bson_destroy) bson_t *archived = import_settings(other, why);
    SAYS(archived, "status", "inactive");
    SAYS(archived, "slurm_mem", "31G");
    assert_non_null(strstr(why, "generic"));
}

static void projects_and_assignments_lose_what_means_nothing(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *old = BCON_NEW("_id", "PRJ1", "settings", BCON_INT32(1));
    AUTO(bson_destroy) bson_t *project = import_project(old);
    SAYS(project, "name", "PRJ1");
    SAYS(project, "status", "active");
    assert_false(db_has_key(project, "settings"));
    AUTO(bson_destroy) bson_t *bare = BCON_NEW("project", "PRJ1", "excluded", BCON_NULL);
    AUTO(bson_destroy) bson_t *assignment = import_assignment(bare);
    SAYS(assignment, "scope", "*");
    SAYS(assignment, "raw_file_id_filter", "");
    bson_t list;
    assert_true(doc_sub(assignment, "excluded", &list));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_one_keeps_status_details_and_times),
        cmocka_unit_test(a_backup_that_is_not_complete_still_names_the_size_of_the_original),
        cmocka_unit_test(one_that_failed_before_it_had_a_backup_goes_back_to_monitoring),
        cmocka_unit_test(what_may_prove_a_backup_is_kept_until_the_original_is_seen),
        cmocka_unit_test(the_size_is_that_of_the_main_file_and_of_no_other),
        cmocka_unit_test(an_upload_counts_as_a_backup_and_is_remembered),
        cmocka_unit_test(an_unfinished_one_with_a_backup_is_quantified),
        cmocka_unit_test(an_unfinished_one_without_a_backup_goes_back_to_monitoring),
        cmocka_unit_test(a_record_without_sizes_or_hashes_is_none),
        cmocka_unit_test(names_are_escaped_and_keep_their_meaning),
        cmocka_unit_test(what_cannot_be_ours_is_refused_with_the_reason),
        cmocka_unit_test(the_change_in_place_makes_the_same_document),
        cmocka_unit_test(metrics_get_the_names_of_today),
        cmocka_unit_test(settings_get_engines_and_resources),
        cmocka_unit_test(projects_and_assignments_lose_what_means_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
