/* test_copy_engine.c - what a copy is: files, folders, sets, names, manifests, what is there. */
#include <sys/inotify.h>

#include "test_copy_fixture.h"

static void a_large_file_is_copied_in_chunks_with_the_plain_hash(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 9 * MIB + 1234, 1);
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    assert_int_equal(f.report.n_files, 1);
    assert_int_equal(f.report.bytes_written, 9 * MIB + 1234);
    assert_int_equal(f.report.bytes_readback, 9 * MIB + 1234);
    assert_int_equal(shell(fmt("test \"$(xxhsum -H2 %s | cut -c1-32)\" = %s", in_src(&f, "a.raw"),
                               f.report.files[0].hash.xxh3)),
                     0);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void every_size_around_blocks_and_chunks_is_exact(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0,           1,           4095,          4096,        4097,
                                    MIB - 1,     MIB,         MIB + 1,       2 * MIB - 1, 2 * MIB,
                                    2 * MIB + 1, 4 * MIB - 1, 4 * MIB + 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        fixture_init(&f, "a.raw");
        put_file(in_src(&f, "a.raw"), sizes[i], (unsigned)i);
        f.plan.chunk_bytes = 2 * MIB;
        f.plan.buffered = i % 2 == 1;
        must_copy(&f);
        assert_true(same_tree(&f, "a.raw"));
        fixture_fini(&f);
    }
}

static void times_and_modes_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(
        shell(fmt("cd %s && mkdir -p x.d/ro.m && echo 1 >x.d/ro.m/a && echo 2 >x.d/b &&"
                  " chmod 440 x.d/b && touch -d '2001-02-03 04:05:06.123456789' x.d/b"
                  " x.d/ro.m && chmod 555 x.d/ro.m && touch -d 1965-01-01 x.d",
                  f.src)),
        0);
    must_copy(&f);
    assert_true(same_tree(&f, "x.d"));
    static const char list[] = "find x.d -printf '%p %m %T@ %y\\n' | sort";
    assert_int_equal(
        shell(fmt("test \"$(cd %s; %s)\" = \"$(cd %s/i1/2026_11; %s)\"", f.src, list, f.dst, list)),
        0);
    must_copy(&f); /* a read-only folder is no obstacle to looking again */
    assert_true(f.report.already_there);
    fixture_fini(&f);
}

static void a_folder_of_many_files_appears_whole(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(shell(fmt("mkdir -p %s/x.d/sub/empty", f.src)), 0);
    for (int i = 0; i < 300; i++) {
        put_file(in_src(&f, fmt("x.d/%sf%03d", i % 2 ? "sub/" : "", i)), i * 37, (unsigned)i);
    }
    put_file(in_src(&f, "x.d/analysis.tdf_bin"), 5 * MIB + 17, 9);
    f.plan.digest = HASH_MD5;
    must_copy(&f);
    assert_true(same_tree(&f, "x.d"));
    assert_int_equal(f.report.n_files, 301);
    assert_int_equal(leftovers(&f), 0);
    char *cd = fmt("cd %s/i1/2026_11 &&", f.dst);
    assert_int_equal(shell(fmt("%s xxhsum -q -c .x.d.MANIFEST.xxh3 >/dev/null 2>&1", cd)), 0);
    assert_int_equal(shell(fmt("%s md5sum --quiet --strict -c .x.d.MANIFEST.md5", cd)), 0);
    assert_int_equal(shell(fmt("%s test $(wc -l < .x.d.MANIFEST.md5) = 301", cd)), 0);
    fixture_fini(&f);
}

static void an_empty_folder_is_copied(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    must_copy(&f);
    assert_true(is_there(in_dst(&f, "x.d")));
    assert_int_equal(f.report.n_files, 0);
    assert_null(f.report.manifest);
    fixture_fini(&f);
}

/* The name of the last member that got its final name, from a watch on the folder. */
static void last_published(int watch, char name[static 256])
{
    char buf[8192] __attribute__((aligned(8)));
    name[0] = '\0';
    for (ssize_t n; (n = read(watch, buf, sizeof buf)) > 0;) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event head;
            memcpy(&head, buf + at, sizeof head);
            const char *to = buf + at + sizeof head;
            if (to[0] != '.' && strstr(to, ".trawl-") == NULL) {
                snprintf(name, 256, "%s", to);
            }
            at += (ssize_t)(sizeof head + head.len);
        }
    }
}

static void a_set_is_complete_when_its_main_file_appears(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "s.wiff");
    fixture_add(&f, "s.wiff.scan");
    fixture_add(&f, "s.wiff2");
    f.plan.main = "s.wiff";
    put_file(in_src(&f, "s.wiff"), 100, 1);
    put_file(in_src(&f, "s.wiff.scan"), 3 * MIB + 5, 2);
    put_file(in_src(&f, "s.wiff2"), 2000, 3);
    f.plan.digest = HASH_SHA256;
    assert_int_equal(shell(fmt("mkdir -p %s/i1/2026_11", f.dst)), 0);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, fmt("%s/i1/2026_11", f.dst), IN_MOVED_TO | IN_CREATE) >=
                0);
    must_copy(&f);
    char last[256];
    last_published(watch, last);
    close(watch);
    assert_string_equal(last, "s.wiff");
    for (size_t i = 0; i < 3; i++) {
        assert_true(same_tree(&f, f.members[i].to));
    }
    assert_int_equal(shell(fmt("cd %s/i1/2026_11 && sha256sum --quiet --strict -c "
                               ".s.wiff.MANIFEST.sha256",
                               f.dst)),
                     0);
    fixture_fini(&f);
}

static void odd_names_arrive_as_they_are(void **state)
{
    (void)state;
    static const char *const names[] = {
        "with space.raw",
        "\xc3\xbcml\xc3\xa4ut.raw",
        "[br]{a}*?.raw",
        "-dash.raw",
        "new\nline.raw",
        "back\\slash.raw",
        "not\xff\xfeutf.raw",
        "%41.raw",
        "-",
        "cr\rname",
        ".hidden",
        "quote'\".raw",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fixture f;
        fixture_init(&f, names[i]);
        put_file(in_src(&f, names[i]), 3000 + (int64_t)i, (unsigned)i);
        f.plan.digest = HASH_MD5;
        f.plan.name = "id";
        must_copy(&f);
        assert_true(is_there(in_dst(&f, names[i])));
        char *cd = fmt("cd %s/i1/2026_11 &&", f.dst);
        assert_int_equal(shell(fmt("%s md5sum --quiet --strict -c .id.MANIFEST.md5", cd)), 0);
        if (strchr(names[i], '\n') == NULL) { /* xxhsum 0.8.1 has no way to write a newline */
            assert_int_equal(shell(fmt("%s xxhsum -q -c .id.MANIFEST.xxh3 >/dev/null 2>&1", cd)),
                             0);
        }
        must_copy(&f);
        assert_true(f.report.already_there);
        fixture_fini(&f);
    }
}

static void long_names_fit_up_to_255_bytes(void **state)
{
    (void)state;
    static const size_t lengths[] = {199, 200, 201, 217, 235, 236, 240, 241, 254, 255};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char name[256];
        memset(name, 'n', lengths[i]);
        name[lengths[i]] = '\0';
        struct fixture f;
        fixture_init(&f, name);
        put_file(in_src(&f, name), 2 * MIB, 4);
        f.plan.fence = 999999999999999999;
        must_copy(&f);
        assert_true(same_tree(&f, name));
        assert_int_equal(leftovers(&f), 0);
        fixture_fini(&f);
    }
}

static void the_same_content_under_the_final_name_is_done(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 3 * MIB, 1);
    must_copy(&f);
    char first[HASH_XXH_HEX];
    memcpy(first, f.report.files[0].hash.xxh3, sizeof first);
    assert_int_equal(unlink(in_dst(&f, ".a.raw.MANIFEST.xxh3")), 0);
    f.plan.fence = 2;
    must_copy(&f);
    assert_true(f.report.already_there);
    assert_int_equal(f.report.bytes_written, 0);
    assert_string_equal(f.report.files[0].hash.xxh3, first);
    assert_true(is_there(in_dst(&f, ".a.raw.MANIFEST.xxh3")));
    fixture_fini(&f);
}

static void other_content_under_the_final_name_is_never_overwritten(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 3 * MIB, 1);
    assert_int_equal(shell(fmt("mkdir -p %s/i1/2026_11", f.dst)), 0);
    put_file(in_dst(&f, "a.raw"), 3 * MIB, 2);
    must_fail(&f, ERR_INVALID, "other content: a.raw (source ");
    assert_non_null(strstr(f.err.msg, ", target "));
    assert_false(same_tree(&f, "a.raw"));
    assert_int_equal(leftovers(&f), 0);

    f.plan.rename_aside = true;
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    assert_true(is_there(in_dst(&f, "a.raw.1.alphakraken.bkp")));
    put_file(in_src(&f, "a.raw"), 100, 3);
    must_copy(&f);
    assert_true(is_there(in_dst(&f, "a.raw.2.alphakraken.bkp")));
    fixture_fini(&f);
}

static void a_folder_with_one_more_file_is_other_content(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    put_file(in_src(&f, "x.d/a"), 10, 1);
    must_copy(&f);
    put_file(in_dst(&f, "x.d/stranger"), 10, 1);
    must_fail(&f, ERR_INVALID, "stranger is only there");
    assert_int_equal(unlink(in_dst(&f, "x.d/stranger")), 0);
    put_file(in_dst(&f, "x.d/a"), 10, 2);
    must_fail(&f, ERR_INVALID, "x.d/a (source ");
    fixture_fini(&f);
}

static void a_plan_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"..", ".", "", "a/b", "/a"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fixture f;
        fixture_init(&f, names[i]);
        f.plan.name = "id";
        must_fail(&f, ERR_INVALID, "is no name of a file");
        fixture_fini(&f);
    }
    struct fixture f;
    fixture_init(&f, "a");
    f.plan.target_dir = "../x";
    must_fail(&f, ERR_INVALID, "does not stay below");
    f.plan.target_dir = "/x";
    must_fail(&f, ERR_INVALID, "does not stay below");
    f.plan.target_dir = "x";
    f.plan.target_root = "relative";
    must_fail(&f, ERR_INVALID, "not an absolute path");
    f.plan.target_root = "/nowhere/at/all";
    must_fail(&f, ERR_HOLD, "is not there");
    assert_false(is_there("/nowhere"));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_file_is_copied_in_chunks_with_the_plain_hash),
        cmocka_unit_test(every_size_around_blocks_and_chunks_is_exact),
        cmocka_unit_test(times_and_modes_are_kept),
        cmocka_unit_test(a_folder_of_many_files_appears_whole),
        cmocka_unit_test(an_empty_folder_is_copied),
        cmocka_unit_test(a_set_is_complete_when_its_main_file_appears),
        cmocka_unit_test(odd_names_arrive_as_they_are),
        cmocka_unit_test(long_names_fit_up_to_255_bytes),
        cmocka_unit_test(the_same_content_under_the_final_name_is_done),
        cmocka_unit_test(other_content_under_the_final_name_is_never_overwritten),
        cmocka_unit_test(a_folder_with_one_more_file_is_other_content),
        cmocka_unit_test(a_plan_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
