/* test_original.c - an original in a real folder, against the record of its backup. */
#include "test_retire_fixture.h"

#include "common/db/db.h"
#include "common/raw/original.h"

static struct original_seen seen;

static int stop_at_once(void *ctx, struct err *err)
{
    (void)ctx;
    return ERR(err, ERR_CANCELLED, 0, "stopped");
}

static int compare(const struct rehash_hooks *hooks, struct err *err)
{
    struct record record;
    struct original names;
    bson_t members;
    assert_int_equal(record_load(&record, NULL, w.raw, err), 0);
    assert_true(doc_sub(w.raw, "watch.members", &members));
    assert_int_equal(original_load(&names, &members, err), 0);
    AUTO(rehash_free) struct rehash *rehash = rehash_new(hooks, err);
    const struct original_look look = {.folder = w.inst,
                                       .members = names.members,
                                       .n = names.n,
                                       .record = &record,
                                       .rehash = rehash};
    original_seen_fini(&seen);
    int rc = original_compare(&look, &seen, err);
    original_fini(&names);
    record_fini(&record);
    return rc;
}

static void is(enum original_state state, const char *why)
{
    struct err err = {0};
    const struct rehash_hooks none = {0};
    uid_t me = geteuid();
    assert_int_equal(me == 0 ? seteuid(65534) : 0, 0);
    int rc = compare(&none, &err);
    assert_int_equal(seteuid(me), 0);
    if (rc != 0 || seen.state != state || strstr(seen.why, why) == NULL) {
        fail_msg("%d, %s: '%s' (%s), expected %s: '%s'", rc, original_state_name(seen.state),
                 seen.why, err.msg, original_state_name(state), why);
    }
}

static void shell_remove(const char *name)
{
    char command[192];
    snprintf(command, sizeof command, "rm -rf '%s'", at(w.inst, name));
    assert_int_equal(system(command), 0);
}

static void one_folder(void)
{
    add_member("a.d", "20261128-a.d"); /* a collision has another name in the backup */
    record_file("20261128-a.d/analysis.tdf", "index");
    record_file("20261128-a.d/analysis.tdf_bin", "most of the bytes");
    record_file("20261128-a.d/1.m/method", "how");
    make_raw("20261128-a.d", "initial");
    put(w.inst, "a.d/analysis.tdf", "index");
    put(w.inst, "a.d/analysis.tdf_bin", "most of the bytes");
    put(w.inst, "a.d/1.m/method", "how");
}

static void what_is_as_it_was_backed_up_is_the_same(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(mkdir(at(w.inst, "a.d/empty"), 0755), 0); /* folders have no content */
    is(ORIGINAL_SAME, "");
    assert_int_equal(seen.files, 3);
}

/* snowtrack/snowfs#176, gorakhargosh/watchdog#586: filled late, at equal size. */
static void other_content_at_equal_size_and_time_differs(void **state)
{
    (void)state;
    one_folder();
    struct stat st;
    assert_int_equal(stat(at(w.inst, "a.d/analysis.tdf"), &st), 0);
    put(w.inst, "a.d/analysis.tdf", "INDEX");
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, at(w.inst, "a.d/analysis.tdf"), times, 0), 0);
    is(ORIGINAL_DIFFERS, "a.d/analysis.tdf is not what was backed up (hashes differ)");
}

static void a_file_more_or_of_another_size_or_kind_differs(void **state)
{
    (void)state;
    one_folder();
    put(w.inst, "a.d/1.m/late", "");
    is(ORIGINAL_DIFFERS, "a.d/1.m/late is not in the record");
    assert_int_equal(remove(at(w.inst, "a.d/1.m/late")), 0);
    put(w.inst, "a.d/analysis.tdf", "index and more");
    is(ORIGINAL_DIFFERS, "a.d/analysis.tdf has 14 bytes, its backup has 5");
    assert_int_equal(remove(at(w.inst, "a.d/analysis.tdf")), 0);
    assert_int_equal(symlink("analysis.tdf_bin", at(w.inst, "a.d/analysis.tdf")), 0);
    is(ORIGINAL_DIFFERS, "a.d/analysis.tdf is not in the record");
}

static void touching_files_is_no_difference(void **state)
{
    (void)state;
    one_folder();
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, at(w.inst, "a.d/analysis.tdf"), times, 0), 0);
    is(ORIGINAL_SAME, "");
}

/* A file that goes is a difference, like one that comes; but who takes the bulk of it away must not
 * have the backup replaced by what is left. */
static void a_file_less_differs_unless_most_of_it_is_gone(void **state)
{
    (void)state;
    one_folder();
    assert_int_equal(remove(at(w.inst, "a.d/analysis.tdf")), 0);
    is(ORIGINAL_DIFFERS, "it has 2 files, its backup has 3");
    put(w.inst, "a.d/analysis.tdf", "index");
    assert_int_equal(remove(at(w.inst, "a.d/analysis.tdf_bin")), 0);
    is(ORIGINAL_FEWER, "it has 2 files, its backup has 3");
    assert_int_equal(seen.missing, 1);
    put(w.inst, "a.d/analysis.tdf", "INDEX");
    is(ORIGINAL_DIFFERS, "hashes differ");
    shell_remove("a.d");
    is(ORIGINAL_GONE, "");
}

/* TalAloni/SMBLibrary#245 */
static void what_cannot_be_read_now_is_no_difference(void **state)
{
    (void)state;
    one_folder();
    static const char *const closed[] = {"a.d", "a.d/1.m", "a.d/1.m/method"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(at(w.inst, closed[i]), 0), 0);
        is(ORIGINAL_BUSY, "Permission denied");
        assert_int_equal(seen.busy.kind, ERR_HOLD);
        assert_int_equal(chmod(at(w.inst, closed[i]), 0755), 0);
    }
    is(ORIGINAL_SAME, "");
}

static void a_hook_that_stops_is_no_answer(void **state)
{
    (void)state;
    one_folder();
    struct err err = {0};
    const struct rehash_hooks hooks = {.check = stop_at_once};
    assert_int_equal(compare(&hooks, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
}

static void of_a_set_each_file_counts(void **state)
{
    (void)state;
    static const char *const names[] = {"s.wiff", "s.wiff.scan"};
    for (size_t i = 0; i < 2; i++) {
        add_member(names[i], names[i]);
        record_file(names[i], names[i]);
        put(w.inst, names[i], names[i]);
    }
    make_raw("s.wiff", "initial");
    is(ORIGINAL_SAME, "");
    put(w.inst, "s.wiff.scan", "S.wiff.scan");
    is(ORIGINAL_DIFFERS, "s.wiff.scan");
    assert_int_equal(remove(at(w.inst, "s.wiff.scan")), 0);
    is(ORIGINAL_FEWER, "it has 1 files");
}

static void only_what_differs_or_is_unsettled_is_not_safe(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        bool safe;
    } cases[] = {
        {"same", true}, {"fewer", true}, {"gone", true}, {"differs", false}, {"unsettled", false}};
    char said[ORIGINAL_PROBLEM];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(bson_destroy)
        bson_t *raw =
            BCON_NEW("original", "{", "state", BCON_UTF8(cases[i].state), "why", "x", "}");
        assert_int_equal(original_is_safe(raw), cases[i].safe);
        assert_int_equal(original_problem(raw, said)[0] == '\0', cases[i].safe);
    }
    bson_t none = BSON_INITIALIZER;
    assert_true(original_is_safe(&none));
}

static void a_document_without_members_names_what_its_record_names(void **state)
{
    (void)state;
    struct err err = {0};
    struct original names;
    struct record record;
    AUTO(bson_destroy)
    bson_t *raw = BCON_NEW("_id", "20261128-a.raw", "collision_flag", "20261128-", "file_info", "{",
                           "20261128-a.raw", "[", BCON_INT64(3),
                           BCON_UTF8("900150983cd24fb0d6963f7d28e17f72"), "]", "}");
    assert_int_equal(record_load(&record, NULL, raw, &err), 0);
    assert_int_equal(original_load_of(&names, raw, &record, &err), 0);
    assert_int_equal(names.n, 1);
    assert_string_equal(names.members[0].from, "a.raw");
    assert_string_equal(names.members[0].to, "20261128-a.raw");
    original_fini(&names);
    record_fini(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(what_is_as_it_was_backed_up_is_the_same),
        WORLD(other_content_at_equal_size_and_time_differs),
        WORLD(a_file_more_or_of_another_size_or_kind_differs),
        WORLD(touching_files_is_no_difference),
        WORLD(a_file_less_differs_unless_most_of_it_is_gone),
        WORLD(what_cannot_be_read_now_is_no_difference),
        WORLD(a_hook_that_stops_is_no_answer),
        WORLD(of_a_set_each_file_counts),
        cmocka_unit_test(a_document_without_members_names_what_its_record_names),
        WORLD(only_what_differs_or_is_unsettled_is_not_safe),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    original_seen_fini(&seen);
    return failed;
}
