/* The matrix of moving, in real folders; each row of its table in docs/rules.md is a test. */
#include "test_move_fixture.h"

static void is_refused_as(bool changed, const char *why)
{
    struct outcome_seen s = move();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_INVALID);
    assert_int_equal(s.err.code == ERR_CODE_SOURCE_CHANGED, changed);
    if (strstr(s.err.msg, why) == NULL) {
        fail_msg("'%s' is not in '%s'", why, s.err.msg);
    }
}

/* For a person. */
static void is_refused(const char *why)
{
    is_refused_as(false, why);
}

/* The original is not what was backed up: it is acquired anew. */
static void has_changed(const char *why)
{
    is_refused_as(true, why);
}

static void source_without_target_is_renamed_into_backup(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    moves_as(true, "moved");
    assert_false(there(w.inst, "a.raw"));
    assert_text(w.backup, "a.raw", "bytes");
}

/* Where a rename may replace (CIFS), a file gets its new name before it loses the old one. */
static void a_move_that_was_cut_off_between_two_names_of_one_file_is_finished(void **state)
{
    (void)state;
    char from[256], to[256];
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    put(w.backup, "other", "");
    snprintf(from, sizeof from, "%s/a.raw", w.inst);
    snprintf(to, sizeof to, "%s/a.raw", w.backup);
    assert_int_equal(link(from, to), 0);
    moves_as(true, "duplicate");
    assert_false(there(w.inst, "a.raw"));
    assert_false(there(w.inst, "a.raw.deleteme"));
    assert_text(w.backup, "a.raw", "bytes");
}

static void no_source_but_a_target_is_presumed_moved(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.backup, "a.raw", "bytes");
    moves_as(true, "already");
    assert_text(w.backup, "a.raw", "bytes");
}

static void sciex_is_refused(const char *why)
{
    struct outcome_seen s = run_kind(&worker_move, "sciex");
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.code, ERR_CODE_SOURCE_CHANGED);
    if (strstr(s.err.msg, why) == NULL) {
        fail_msg("'%s' is not in '%s'", why, s.err.msg);
    }
    seen_free(&s);
}

/* Recorded by a version that took every name with the stem. */
static void a_set_of_which_a_file_is_another_raw_files_is_not_moved(void **state)
{
    (void)state;
    static const char *const names[] = {"QC_1.wiff", "QC_1.5ng.wiff.scan"};
    for (size_t i = 0; i < 2; i++) {
        add_member(names[i], names[i]);
        record_file(names[i], names[i]);
        put(w.inst, names[i], names[i]);
    }
    make_raw("QC_1.wiff", "initial");
    sciex_is_refused("QC_1.5ng.wiff.scan belongs to another raw file");
    put(w.inst, "QC_1.5ng.wiff", "the other");
    sciex_is_refused("QC_1.5ng.wiff.scan belongs to another raw file");
    assert_text(w.inst, "QC_1.wiff", "QC_1.wiff");
}

static void
a_set_that_has_got_another_file_is_not_moved_and_one_beside_a_longer_stem_is(void **state)
{
    (void)state;
    add_member("QC_1.wiff", "QC_1.wiff");
    record_file("QC_1.wiff", "main");
    make_raw("QC_1.wiff", "initial");
    put(w.inst, "QC_1.wiff", "main");
    put(w.inst, "QC_1.wiff.scan", "late");
    sciex_is_refused("QC_1.wiff.scan is not in the record of the backup");
    assert_int_equal(unlink(at(w.inst, "QC_1.wiff.scan")), 0);
    put(w.inst, "QC_1.5ng.wiff", "the other");
    put(w.inst, "QC_1.5ng.wiff2", "the other");
    struct outcome_seen s = run_kind(&worker_move, "sciex");
    assert_int_equal(s.rc, 0);
    seen_free(&s);
    assert_text(w.backup, "QC_1.wiff", "main");
    assert_text(w.inst, "QC_1.5ng.wiff2", "the other");
}

static void neither_source_nor_target_is_logged_and_moves_nothing(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "other.raw", "x");
    moves_as(false, "missing");
    assert_false(there(w.inst, "Backup"));
}

static void an_empty_share_holds_the_move(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    struct outcome_seen s = move();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_HOLD);
}

static void source_and_equal_target_sets_the_source_aside(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    put(w.inst, "a.raw.deleteme", "an older one");
    put(w.backup, "a.raw", "bytes");
    moves_as(true, "duplicate");
    assert_false(there(w.inst, "a.raw"));
    assert_text(w.inst, "a.raw.deleteme", "an older one");
    assert_text(w.inst, "a.raw.1.deleteme", "bytes");
    assert_text(w.backup, "a.raw", "bytes");
}

static void a_folder_that_is_in_backup_with_more_in_it_is_equal(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/analysis.tdf", "one");
    record_file("a.d/m/method", "two");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/analysis.tdf", "one");
    put(w.inst, "a.d/m/method", "two");
    put(w.backup, "a.d/analysis.tdf", "one");
    put(w.backup, "a.d/m/method", "two");
    put(w.backup, "a.d/extra", "three");
    moves_as(true, "duplicate");
    assert_text(w.inst, "a.d.deleteme/m/method", "two");
    assert_text(w.backup, "a.d/extra", "three");
}

static void source_and_differing_target_is_refused_and_nothing_is_touched(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    put(w.backup, "a.raw", "Bytes");
    is_refused("differ");
    assert_text(w.inst, "a.raw", "bytes");
    assert_text(w.backup, "a.raw", "Bytes");
}

static void a_folder_in_backup_that_lacks_a_file_is_refused(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/x", "one");
    record_file("a.d/y", "two");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/x", "one");
    put(w.inst, "a.d/y", "two");
    put(w.backup, "a.d/x", "one");
    is_refused("in Backup are there and differ");
    assert_text(w.inst, "a.d/y", "two");
}

static void one_differing_member_keeps_the_whole_set(void **state)
{
    (void)state;
    add_member("s.wiff", "s.wiff");
    add_member("s.wiff.scan", "s.wiff.scan");
    record_file("s.wiff", "one");
    record_file("s.wiff.scan", "two");
    make_raw("s.wiff", "initial");
    put(w.inst, "s.wiff", "one");
    put(w.inst, "s.wiff.scan", "two");
    put(w.backup, "s.wiff.scan", "TWO");
    is_refused("differ");
    assert_text(w.inst, "s.wiff", "one");
    assert_text(w.inst, "s.wiff.scan", "two");
}

static void a_source_of_other_size_or_content_is_refused(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "more bytes");
    has_changed("its backup has 5");
    put(w.inst, "a.raw", "BYTES");
    has_changed("hashes differ");
    assert_text(w.inst, "a.raw", "BYTES");
    assert_false(there(w.inst, "Backup"));
}

static void a_folder_with_a_file_more_or_less_is_refused(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/x", "one");
    record_file("a.d/y", "two");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/x", "one");
    has_changed("has 1 files, its backup has 2");
    put(w.inst, "a.d/y", "two");
    put(w.inst, "a.d/late", "three");
    has_changed("not in the record");
    assert_true(there(w.inst, "a.d/late"));
}

static void a_link_in_a_folder_is_refused(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/x", "one");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/x", "one");
    assert_int_equal(symlink("/etc/passwd", at(w.inst, "a.d/y")), 0);
    has_changed("not in the record");
}

/* Deleting originals must never have their backup replaced by what is left. */
static void an_original_that_somebody_takes_away_is_for_a_person(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/analysis.tdf_bin", "most of the bytes");
    record_file("a.d/method", "few");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/method", "few");
    is_refused("has 1 files, its backup has 2");
    assert_text(w.inst, "a.d/method", "few");
    put(w.inst, "a.d/method", "FEW"); /* what is left was written: that is no taking away */
    has_changed("hashes differ");
}

/* An attempt was cut off between its rename and its word; the name was used again since. */
static void another_file_under_the_name_of_a_moved_one_is_left_to_the_watcher(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "others");
    put(w.backup, "a.raw", "bytes");
    moves_as(true, "already");
    assert_text(w.inst, "a.raw", "others");
    assert_text(w.backup, "a.raw", "bytes");
}

static void two_files_of_which_none_is_what_was_backed_up_are_for_a_person(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "others");
    put(w.backup, "a.raw", "BYTES");
    is_refused("both it and its name in Backup");
    assert_text(w.inst, "a.raw", "others");
    assert_text(w.backup, "a.raw", "BYTES");
}

static void half_moved_set(void)
{
    put(w.backup, "s.wiff", "s.wiff");
    put(w.backup, "s.wiff2", "s.wiff2");
    put(w.inst, "s.wiff.scan", "written late");
    remove(at(w.inst, "s.wiff"));
    remove(at(w.inst, "s.wiff2"));
}

static void make_set(void)
{
    static const char *const names[] = {"s.wiff", "s.wiff.scan", "s.wiff2"};
    for (size_t i = 0; i < 3; i++) {
        add_member(names[i], names[i]);
        record_file(names[i], names[i]);
    }
    make_raw("s.wiff", "initial");
}

static void come_back(void)
{
    struct outcome_seen s = move();
    _exit(s.rc == -1 && s.err.code == ERR_CODE_SOURCE_CHANGED ? 0 : 1);
}

/* A set is acquired anew as a whole: nothing of it stays behind in Backup, whenever we die. */
static void what_was_moved_of_a_set_that_changed_comes_back(void **state)
{
    (void)state;
    make_set();
    int deaths = 0;
    for (bool died = true; died;) {
        half_moved_set();
        died = dies_at(++deaths, come_back);
        has_changed("s.wiff.scan has 12 bytes");
        assert_text(w.inst, "s.wiff", "s.wiff");
        assert_text(w.inst, "s.wiff2", "s.wiff2");
        assert_text(w.inst, "s.wiff.scan", "written late");
        assert_false(there(w.backup, "s.wiff") || there(w.backup, "s.wiff2"));
    }
    assert_true(deaths > 4); /* two renames, four flushes */
    half_moved_set();        /* cut off where a rename is two calls (CIFS) */
    assert_int_equal(link(at(w.backup, "s.wiff"), at(w.inst, "s.wiff")), 0);
    has_changed("s.wiff.scan has 12 bytes");
    assert_text(w.inst, "s.wiff", "s.wiff");
    assert_false(there(w.backup, "s.wiff"));
}

static void a_folder_that_cannot_be_listed_or_entered_for_now_holds_the_move(void **state)
{
    (void)state;
    make_set();
    assert_int_equal(chmod(w.inst, 0311), 0);
    holds_as_busy(run_kind_as_nobody(&worker_move, "sciex"), "Permission denied");
    assert_int_equal(chmod(w.inst, 0755), 0);
    assert_int_equal(chmod(w.pool, 0), 0);
    struct outcome_seen s = run_kind_as_nobody(&worker_move, "sciex");
    assert_int_equal(s.err.kind, ERR_HOLD);
    assert_non_null(strstr(s.err.msg, "in the pool: Permission denied"));
    assert_int_equal(chmod(w.pool, 0755), 0);
}

static void without_its_copy_in_the_pool_nothing_is_moved(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    assert_int_equal(truncate(at(w.pool, "a.raw"), 3), 0);
    is_refused("has 3 bytes instead of the recorded 5");
    assert_int_equal(remove(at(w.pool, "a.raw")), 0);
    is_refused("in the pool");
    assert_text(w.inst, "a.raw", "bytes");
}

static void a_damaged_or_unfinished_backup_keeps_the_source(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    BSON_APPEND_BOOL(w.raw, "backup_damaged", true);
    is_refused("damaged");
    bson_t *raw = BCON_NEW("_id", "a.raw", "backup_status", "copying_in_progress");
    bson_destroy(w.raw);
    w.raw = raw;
    is_refused("not complete");
    assert_text(w.inst, "a.raw", "bytes");
}

static void a_collision_goes_by_its_id_and_leaves_the_other_alone(void **state)
{
    (void)state;
    const char *id = "20261121-024005-123456-a.raw";
    one_file("a.raw", id, "second");
    put(w.inst, "a.raw", "second");
    put(w.backup, "a.raw", "first");
    moves_as(true, "moved");
    assert_text(w.backup, id, "second");
    assert_text(w.backup, "a.raw", "first");
}

static void names_with_odd_bytes_are_moved(void **state)
{
    (void)state;
    const char *name = "-M\xfcller [1] 100%.raw", *escaped = "-M%FCller [1] 100%25.raw";
    add_member(escaped, escaped);
    record_file(name, "bytes");
    make_raw(escaped, "initial");
    put(w.inst, name, "bytes");
    moves_as(true, "moved");
    assert_text(w.backup, name, "bytes");
}

static void an_empty_folder_is_moved(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    make_raw("a.d", "initial");
    assert_int_equal(mkdir(at(w.inst, "a.d"), 0755), 0);
    moves_as(true, "moved");
    assert_true(there(w.backup, "a.d"));
}

static void outside_production_nothing_is_moved_and_the_result_says_so(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    memcpy(w.cfg.trawl.env, "sandbox", sizeof "sandbox");
    struct outcome_seen s = move();
    assert_int_equal(s.rc, 0);
    assert_string_equal(doc_str(s.result, "skipped", ""), "not production");
    assert_false(doc_has(s.result, "moved"));
    assert_text(w.inst, "a.raw", "bytes");
    assert_false(there(w.inst, "Backup"));
    seen_free(&s);
}

static void a_task_that_leads_outside_is_refused(void **state)
{
    (void)state;
    add_member("../a.raw", "a.raw");
    is_refused("no name of a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(source_without_target_is_renamed_into_backup),
        WORLD(a_move_that_was_cut_off_between_two_names_of_one_file_is_finished),
        WORLD(no_source_but_a_target_is_presumed_moved),
        WORLD(neither_source_nor_target_is_logged_and_moves_nothing),
        WORLD(an_empty_share_holds_the_move),
        WORLD(source_and_equal_target_sets_the_source_aside),
        WORLD(a_folder_that_is_in_backup_with_more_in_it_is_equal),
        WORLD(source_and_differing_target_is_refused_and_nothing_is_touched),
        WORLD(a_folder_in_backup_that_lacks_a_file_is_refused),
        WORLD(one_differing_member_keeps_the_whole_set),
        WORLD(a_source_of_other_size_or_content_is_refused),
        WORLD(a_folder_with_a_file_more_or_less_is_refused),
        WORLD(a_link_in_a_folder_is_refused),
        WORLD(an_original_that_somebody_takes_away_is_for_a_person),
        WORLD(another_file_under_the_name_of_a_moved_one_is_left_to_the_watcher),
        WORLD(two_files_of_which_none_is_what_was_backed_up_are_for_a_person),
        WORLD(what_was_moved_of_a_set_that_changed_comes_back),
        WORLD(a_folder_that_cannot_be_listed_or_entered_for_now_holds_the_move),
        WORLD(without_its_copy_in_the_pool_nothing_is_moved),
        WORLD(a_damaged_or_unfinished_backup_keeps_the_source),
        WORLD(a_collision_goes_by_its_id_and_leaves_the_other_alone),
        WORLD(names_with_odd_bytes_are_moved),
        WORLD(a_set_of_which_a_file_is_another_raw_files_is_not_moved),
        WORLD(a_set_that_has_got_another_file_is_not_moved_and_one_beside_a_longer_stem_is),
        WORLD(an_empty_folder_is_moved),
        WORLD(outside_production_nothing_is_moved_and_the_result_says_so),
        WORLD(a_task_that_leads_outside_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
