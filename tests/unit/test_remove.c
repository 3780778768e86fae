/* Freeing an instrument's Backup, in real folders: what must stay stays, all of it. */
#include "test_retire_fixture.h"

#include <grp.h>

#include "common/db/db.h"

extern const struct worker_kind worker_remove;

#define NOBODY 65534

static struct outcome_seen remove_it(void)
{
    return run_kind(&worker_remove, "bruker");
}

static void purges(int64_t files, int64_t bytes)
{
    struct outcome_seen s = remove_it();
    if (s.rc != 0) {
        fail_msg("%s", s.err.msg);
    }
    assert_true(doc_bool(s.result, "purged", false));
    assert_int_equal(doc_i64(s.result, "files", -1), files);
    assert_int_equal(doc_i64(s.result, "freed_bytes", -1), bytes);
    bson_t list;
    assert_true(doc_sub(s.result, "deleted", &list));
    assert_int_equal(bson_count_keys(&list), files);
    seen_free(&s);
}

static void is_refused(const char *path, const char *why)
{
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_INVALID);
    if (strstr(s.err.msg, why) == NULL) {
        fail_msg("'%s' is not in '%s'", why, s.err.msg);
    }
    if (path != NULL) {
        assert_non_null(w.kept);
        bson_iter_t at;
        bson_t list, first;
        assert_true(bson_iter_init_find(&at, w.kept, "kept.refused"));
        const uint8_t *data;
        uint32_t len;
        bson_iter_array(&at, &len, &data);
        assert_true(bson_init_static(&list, data, len));
        assert_true(doc_sub(&list, "0", &first));
        assert_string_equal(doc_str(&first, "path", ""), path);
        assert_non_null(strstr(doc_str(&first, "why", ""), why));
    }
}

/* A Bruker folder that is backed up, and is in Backup. */
static void fill(void)
{
    static const char *const paths[] = {"a.d/analysis.tdf", "a.d/analysis.tdf_bin", "a.d/1.m/lock",
                                        "a.d/1.m/sub/x"};
    for (size_t i = 0; i < 4; i++) {
        put(w.backup, paths[i], paths[i]);
    }
}

static void one_folder(void)
{
    static const char *const paths[] = {"a.d/analysis.tdf", "a.d/analysis.tdf_bin", "a.d/1.m/lock",
                                        "a.d/1.m/sub/x"};
    add_member("a.d", "a.d");
    for (size_t i = 0; i < 4; i++) {
        record_file(paths[i], paths[i]);
    }
    make_raw("a.d", "moved");
    fill();
    put(w.backup, "other.d/analysis.tdf", "of somebody else");
}

#define ALL_BYTES (16 + 20 + 12 + 13)

static void all_is_there(void)
{
    assert_true(there(w.backup, "a.d/analysis.tdf") && there(w.backup, "a.d/analysis.tdf_bin") &&
                there(w.backup, "a.d/1.m/lock") && there(w.backup, "a.d/1.m/sub/x"));
}

static void what_is_proven_twice_is_deleted_and_nothing_else(void **state)
{
    (void)state;
    one_folder();
    purges(4, ALL_BYTES);
    assert_false(there(w.backup, "a.d"));
    assert_text(w.backup, "other.d/analysis.tdf", "of somebody else");
    assert_text(w.pool, "a.d/1.m/sub/x", "a.d/1.m/sub/x");
}

static void nothing_left_is_purged_too(void **state)
{
    (void)state;
    one_folder();
    purges(4, ALL_BYTES);
    purges(0, 0);
}

static void a_missing_backup_folder_holds_because_the_share_may_be_away(void **state)
{
    (void)state;
    add_member("a.raw", "a.raw");
    record_file("a.raw", "x");
    make_raw("a.raw", "moved");
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_HOLD);
}

static void a_flipped_byte_in_the_pool_copy_is_refused(void **state)
{
    (void)state;
    one_folder();
    put(w.pool, "a.d/1.m/lock", "a.d/1.m/LOCK");
    is_refused("a.d/1.m/lock", "its backup in the pool is damaged");
    all_is_there();
}

static void a_shorter_or_missing_pool_copy_is_refused(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(truncate(at(w.pool, "a.d/analysis.tdf"), 1), 0);
    is_refused("a.d/analysis.tdf", "has 1 bytes instead of the recorded 16");
    assert_int_equal(remove(at(w.pool, "a.d/analysis.tdf")), 0);
    is_refused("a.d/analysis.tdf", "missing in the pool");
    all_is_there();
}

static void other_content_on_the_instrument_is_refused(void **state)
{
    (void)state;
    one_folder();
    put(w.backup, "a.d/analysis.tdf", "A.d/analysis.tdf");
    is_refused("a.d/analysis.tdf", "not what was backed up");
    put(w.backup, "a.d/analysis.tdf", "longer than what was backed up");
    is_refused("a.d/analysis.tdf", "instead of the recorded 16");
    all_is_there();
}

static int code_of_refusal(void)
{
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_INVALID);
    return s.err.code;
}

/* What the raw file is shown as goes by it: the pool's copy is no fault of the original's. */
static void an_original_that_differs_is_told_from_a_damaged_backup(void **state)
{
    (void)state;
    one_folder();
    put(w.backup, "a.d/analysis.tdf", "A.d/analysis.tdf");
    assert_int_equal(code_of_refusal(), ERR_CODE_ORIGINAL_DIFFERS);
    put(w.backup, "a.d/analysis.tdf", "a.d/analysis.tdf");
    put(w.backup, "a.d/late", "x");
    assert_int_equal(code_of_refusal(), ERR_CODE_ORIGINAL_DIFFERS);
    assert_int_equal(remove(at(w.backup, "a.d/late")), 0);
    put(w.pool, "a.d/analysis.tdf", "A.d/analysis.tdf");
    assert_int_not_equal(code_of_refusal(), ERR_CODE_ORIGINAL_DIFFERS);
    all_is_there();
}

/* TalAloni/SMBLibrary#245: a sharing violation is EACCES or EBUSY. */
static void what_others_have_open_holds_the_removal(void **state)
{
    (void)state;
    one_folder();
    static const char *const closed[] = {"a.d/1.m/sub/x", "a.d/1.m/sub", "a.d", "."};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        assert_int_equal(chmod(at(w.backup, closed[i]), 0), 0);
        holds_as_busy(run_kind_as_nobody(&worker_remove, "bruker"), "Permission denied");
        assert_int_equal(chmod(at(w.backup, closed[i]), 0755), 0);
    }
    static const int refused[] = {EACCES, EBUSY, ETXTBSY, EPERM, ESTALE, EHOSTDOWN, EAGAIN};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        w.refuse = refused[i];
        holds_as_busy(remove_it(), "delete a.d/");
    }
    w.refuse = 0;
    all_is_there();
    purges(4, ALL_BYTES);
}

static void an_extra_file_keeps_all_files(void **state)
{
    (void)state;
    one_folder();
    put(w.backup, "a.d/1.m/notes.txt", "by hand");
    is_refused("a.d/1.m/notes.txt", "not in the record");
    all_is_there();
    assert_text(w.backup, "a.d/1.m/notes.txt", "by hand");
}

static void a_link_keeps_all_files(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(symlink("analysis.tdf", at(w.backup, "a.d/link")), 0);
    is_refused("a.d/link", "link");
    all_is_there();
}

static void a_folder_behind_a_link_is_not_followed(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(rename(at(w.backup, "a.d"), at(w.root, "elsewhere")), 0);
    assert_int_equal(symlink(at(w.root, "elsewhere"), at(w.backup, "a.d")), 0);
    is_refused("a.d", "link");
    assert_true(there(w.root, "elsewhere/analysis.tdf"));
}

static void a_companion_that_came_late_keeps_the_whole_set(void **state)
{
    (void)state;
    add_member("s.wiff", "s.wiff");
    record_file("s.wiff", "one");
    make_raw("s.wiff", "moved");
    put(w.backup, "s.wiff", "one");
    put(w.backup, "s.timeseries.data", "late");
    struct outcome_seen s = run_kind(&worker_remove, "sciex");
    assert_int_equal(s.rc, -1);
    assert_non_null(strstr(s.err.msg, "s.timeseries.data"));
    assert_true(there(w.backup, "s.wiff"));
}

static void what_has_a_longer_stem_in_backup_is_neither_in_the_way_nor_deleted(void **state)
{
    (void)state;
    add_member("s.wiff", "s.wiff");
    record_file("s.wiff", "one");
    make_raw("s.wiff", "moved");
    put(w.backup, "s.wiff", "one");
    put(w.backup, "s.5ng.wiff", "another");
    put(w.backup, "s.5ng.wiff.scan", "another");
    put(w.backup, "s.5ng.odd", "another");
    struct outcome_seen s = run_kind(&worker_remove, "sciex");
    assert_int_equal(s.rc, 0);
    seen_free(&s);
    assert_false(there(w.backup, "s.wiff"));
    assert_text(w.backup, "s.5ng.wiff.scan", "another");
    assert_text(w.backup, "s.5ng.odd", "another");
}

static void a_backup_marked_damaged_or_not_done_is_refused(void **state)
{
    (void)state;
    one_folder();
    BSON_APPEND_BOOL(w.raw, "backup_damaged", true);
    is_refused(NULL, "damaged");
    bson_destroy(w.raw);
    w.raw = BCON_NEW("_id", "a.d", "backup_status", "copying_failed");
    is_refused(NULL, "not complete");
    bson_destroy(w.raw);
    w.raw = BCON_NEW("_id", "a.d", "backup_status", "copying_done");
    is_refused(NULL, "no record");
    all_is_there();
}

static void md5_is_compared_when_it_is_recorded(void **state)
{
    (void)state;
    char xxh3[HASH_XXH_HEX];
    hash_mem("one", 3, xxh3);
    add_member("a.raw", "a.raw");
    put(w.pool, "a.raw", "one");
    put(w.backup, "a.raw", "one");
    BCON_APPEND(&w.files, "0", "{", "path", "a.raw", "size", BCON_INT64(3), "xxh3", BCON_UTF8(xxh3),
                "md5", "00000000000000000000000000000000", "}");
    make_raw("a.raw", "moved");
    is_refused("a.raw", "hashes differ");
    assert_true(there(w.backup, "a.raw"));
}

static void alphakrakens_file_info_is_a_record_too(void **state)
{
    (void)state;
    put(w.pool, "a.raw", "one");
    put(w.backup, "a.raw", "one");
    char base[128];
    snprintf(base, sizeof base, "%s/qe1/" MONTH, w.cfg.location.backup.worker);
    w.raw = BCON_NEW("_id", "a.raw", "instrument_id", "qe1", "backup_status", "copying_done",
                     "created_at", BCON_DATE_TIME(INT64_C(1795000000000)), "backup_base_path",
                     BCON_UTF8(base), "file_info", "{", "qe1/" MONTH "/a.raw", "[", BCON_INT64(3),
                     "f97c5d29941bfb1b2fdab0874906ab82", "]", "}");
    purges(1, 3);
    assert_false(there(w.backup, "a.raw"));
}

static void collisions_are_removed_by_their_id(void **state)
{
    (void)state;
    const char *id = "20261121-024005-123456-a.raw";
    add_member("a.raw", id);
    record_file(id, "second");
    make_raw(id, "moved");
    put(w.backup, id, "second");
    put(w.backup, "a.raw", "first");
    purges(1, 6);
    assert_text(w.backup, "a.raw", "first");
}

static void outside_production_nothing_is_deleted_and_the_result_says_so(void **state)
{
    (void)state;
    one_folder();
    memcpy(w.cfg.trawl.env, "local", sizeof "local");
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, 0);
    assert_string_equal(doc_str(s.result, "skipped", ""), "not production");
    assert_false(doc_has(s.result, "purged"));
    all_is_there();
    seen_free(&s);
}

static void a_cancelled_removal_stops_before_the_next_file(void **state)
{
    (void)state;
    one_folder();
    w.stop = ERR_CANCELLED;
    w.stop_at = 8 + 3; /* four files are read twice; then two are deleted */
    struct outcome_seen s = remove_it();
    assert_int_equal(s.err.kind, ERR_CANCELLED);
    assert_true(there(w.backup, "a.d/analysis.tdf") || there(w.backup, "a.d/analysis.tdf_bin"));
    w.stop = ERR_NONE;
    s = remove_it();
    assert_int_equal(s.rc, 0);
    assert_false(there(w.backup, "a.d"));
    seen_free(&s);
}

static void rewrite_before_the_first_is_deleted(int n)
{
    if (n == 8 + 1) {
        put(w.backup, "a.d/1.m/lock", "A.D/1.M/LOCK");
    }
}

static void a_file_that_changes_after_it_was_read_is_not_deleted(void **state)
{
    (void)state;
    one_folder();
    w.on_check = rewrite_before_the_first_is_deleted;
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_TRANSIENT);
    assert_text(w.backup, "a.d/1.m/lock", "A.D/1.M/LOCK");
    w.on_check = NULL;
    is_refused("a.d/1.m/lock", "not what was backed up");
}

static void a_backup_that_is_found_damaged_while_reading_keeps_all_files(void **state)
{
    (void)state;
    one_folder();
    w.damaged_at = 2;
    is_refused(NULL, "damaged");
    all_is_there();
}

static void what_a_majority_does_not_know_as_it_was_read_is_not_deleted_yet(void **state)
{
    (void)state;
    one_folder();
    w.moved_on = true;
    struct outcome_seen s = remove_it();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_HOLD);
    assert_non_null(strstr(s.err.msg, "nothing is deleted yet"));
    seen_free(&s);
    all_is_there();
}

static void run_to_the_end(void)
{
    struct outcome_seen s = remove_it();
    if (s.rc != 0) {
        fprintf(stderr, "%s\n", s.err.msg);
        _exit(1);
    }
    seen_free(&s);
}

static void killed_before_any_change_the_next_attempt_ends_the_same(void **state)
{
    (void)state;
    one_folder();
    int deaths = 0;
    for (bool died = true; died;) {
        fill();
        died = dies_at(++deaths, run_to_the_end);
        struct outcome_seen s = remove_it();
        assert_int_equal(s.rc, 0);
        assert_true(doc_bool(s.result, "purged", false));
        assert_false(there(w.backup, "a.d"));
        seen_free(&s);
    }
    assert_true(deaths > 7); /* four files, three folders, a flush */
    assert_text(w.pool, "a.d/analysis.tdf", "a.d/analysis.tdf");
}

static void as_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0) {
        _exit(2);
    }
    run_to_the_end();
}

static void a_read_only_method_folder_is_removed(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(chmod(at(w.backup, "a.d/1.m/lock"), 0444), 0);
    assert_int_equal(chmod(at(w.backup, "a.d/1.m/sub"), 0555), 0);
    assert_int_equal(chmod(at(w.backup, "a.d/1.m"), 0555), 0);
    if (geteuid() == 0) { /* root may write everywhere: be somebody else */
        char command[160];
        snprintf(command, sizeof command, "chown -R %d:%d %s", NOBODY, NOBODY, w.root);
        assert_int_equal(system(command), 0);
        assert_false(dies_at(0, as_nobody));
    } else {
        assert_false(dies_at(0, run_to_the_end));
    }
    assert_false(there(w.backup, "a.d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(what_is_proven_twice_is_deleted_and_nothing_else),
        WORLD(nothing_left_is_purged_too),
        WORLD(a_missing_backup_folder_holds_because_the_share_may_be_away),
        WORLD(a_flipped_byte_in_the_pool_copy_is_refused),
        WORLD(a_shorter_or_missing_pool_copy_is_refused),
        WORLD(other_content_on_the_instrument_is_refused),
        WORLD(an_original_that_differs_is_told_from_a_damaged_backup),
        WORLD(what_others_have_open_holds_the_removal),
        WORLD(an_extra_file_keeps_all_files),
        WORLD(a_link_keeps_all_files),
        WORLD(a_folder_behind_a_link_is_not_followed),
        WORLD(a_companion_that_came_late_keeps_the_whole_set),
        WORLD(what_has_a_longer_stem_in_backup_is_neither_in_the_way_nor_deleted),
        WORLD(a_backup_marked_damaged_or_not_done_is_refused),
        WORLD(md5_is_compared_when_it_is_recorded),
        WORLD(alphakrakens_file_info_is_a_record_too),
        WORLD(collisions_are_removed_by_their_id),
        WORLD(outside_production_nothing_is_deleted_and_the_result_says_so),
        WORLD(a_cancelled_removal_stops_before_the_next_file),
        WORLD(a_file_that_changes_after_it_was_read_is_not_deleted),
        WORLD(a_backup_that_is_found_damaged_while_reading_keeps_all_files),
        WORLD(what_a_majority_does_not_know_as_it_was_read_is_not_deleted_yet),
        WORLD(killed_before_any_change_the_next_attempt_ends_the_same),
        WORLD(a_read_only_method_folder_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
