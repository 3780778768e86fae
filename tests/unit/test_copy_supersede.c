/* test_copy_supersede.c - an early copy makes way for the whole one, and nothing else ever does. */
#include "test_copy_fixture.h"

struct early {
    struct copy_superseded files[32];
    size_t n;
};

/* The first copy's files, as the raw file's document records them. */
static void record(struct fixture *f, struct early *e)
{
    assert_true(f->report.n_files <= 32);
    e->n = f->report.n_files;
    for (size_t i = 0; i < e->n; i++) { /* one member: the engine lists them in order */
        e->files[i].copy = 0;
        e->files[i].path = strdup(f->report.files[i].path);
        e->files[i].size = f->report.files[i].size;
        memcpy(e->files[i].xxh3, f->report.files[i].hash.xxh3, HASH_XXH_HEX);
    }
    f->plan.supersedes = e->files;
    f->plan.n_supersedes = e->n;
    f->plan.fence++;
}

static void early_fini(struct early *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->files[i].path);
    }
}

/* 1 when neither a part, nor a journal, nor old content is left. */
static int hidden(struct fixture *f)
{
    return shell(fmt("ls -A %s/i1/2026_11 | grep -q -e 'trawl-old$' -e '\\.part'", f->dst));
}

static void a_file_that_grew_replaces_its_early_copy(void **state)
{
    (void)state;
    for (int exchange = 0; exchange < 2; exchange++) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "a.raw");
        put_file(in_src(&f, "a.raw"), 3 * MIB, 1);
        must_copy(&f);
        assert_false(f.report.replaced);
        record(&f, &early);
        put_file(in_src(&f, "a.raw"), 5 * MIB + 7, 1);
        f.plan.no_exchange = exchange == 0;
        must_copy(&f);
        assert_true(f.report.replaced);
        assert_true(same_tree(&f, "a.raw"));
        assert_int_equal(hidden(&f), 1);
        assert_int_equal(shell(fmt("cd %s/i1/2026_11 && xxhsum -q -c .a.raw.MANIFEST.xxh3", f.dst)),
                         0);
        f.plan.fence++;
        must_copy(&f); /* once more: nothing is left to do */
        assert_true(f.report.already_there);
        assert_false(f.report.replaced);
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void a_folder_that_changed_replaces_its_early_copy(void **state)
{
    (void)state;
    for (int exchange = 0; exchange < 2; exchange++) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "x.d");
        assert_int_equal(shell(fmt("cd %s && mkdir -p x.d/m && echo 1 >x.d/m/a && echo 2 >x.d/b &&"
                                   " chmod 555 x.d/m",
                                   f.src)),
                         0);
        must_copy(&f);
        record(&f, &early);
        assert_int_equal(shell(fmt("cd %s && echo 22 >x.d/b && echo 4 >x.d/new", f.src)), 0);
        f.plan.no_exchange = exchange == 0;
        must_copy(&f);
        assert_true(f.report.replaced);
        assert_true(same_tree(&f, "x.d"));
        assert_int_equal(hidden(&f), 1);
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void an_early_copy_with_a_file_that_the_source_has_no_more_is_kept_aside(void **state)
{
    (void)state;
    static const char *const losses[] = {
        "rm x.d/gone",
        "rm x.d/gone && echo 22 >x.d/b && echo 4 >x.d/new",
        "rm -r x.d/m",
        "rm x.d/gone && mkdir x.d/gone",
        "rm -r x.d && echo 1 >x.d",
    };
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "x.d");
        assert_int_equal(shell(fmt("cd %s && mkdir -p x.d/m && echo 1 >x.d/m/a && echo 2 >x.d/b &&"
                                   " echo 3 >x.d/gone && cp -a x.d %s/was",
                                   f.src, f.root)),
                         0);
        must_copy(&f);
        record(&f, &early);
        assert_int_equal(shell(fmt("cd %s && %s", f.src, losses[i])), 0);
        must_copy(&f);
        assert_true(f.report.replaced);
        assert_true(same_tree(&f, "x.d"));
        assert_int_equal(
            shell(fmt("diff -r %s/was %s/i1/2026_11/x.d.1.alphakraken.bkp", f.root, f.dst)), 0);
        assert_int_equal(hidden(&f), 1);
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void the_same_size_with_other_bytes_is_replaced_too(void **state)
{
    (void)state;
    struct fixture f;
    struct early early;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 2 * MIB, 1);
    must_copy(&f);
    record(&f, &early);
    put_file(in_src(&f, "a.raw"), 2 * MIB, 2);
    must_copy(&f);
    assert_true(f.report.replaced);
    assert_true(same_tree(&f, "a.raw"));
    early_fini(&early);
    fixture_fini(&f);
}

static void an_unchanged_source_keeps_its_early_copy(void **state)
{
    (void)state;
    struct fixture f;
    struct early early;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 2 * MIB, 1);
    must_copy(&f);
    record(&f, &early);
    must_copy(&f);
    assert_true(f.report.already_there);
    assert_false(f.report.replaced);
    assert_int_equal(f.report.bytes_written, 0);
    early_fini(&early);
    fixture_fini(&f);
}

static void must_refuse(struct fixture *f, const char *name)
{
    assert_int_equal(shell(fmt("cp -a %s/i1/2026_11/%s %s/kept", f->dst, name, f->root)), 0);
    must_fail(f, ERR_INVALID, "is there already with other content");
    assert_int_equal(
        shell(fmt("diff -r %s/kept %s/i1/2026_11/%s >/dev/null", f->root, f->dst, name)), 0);
    assert_int_equal(leftovers(f), 0);
}

static void what_is_not_exactly_the_recorded_content_is_never_replaced(void **state)
{
    (void)state;
    static const char *const meddling[] = {
        "echo x >>a.raw",                                  /* longer */
        "printf X | dd of=a.raw conv=notrunc status=none", /* one byte */
        "rm a.raw && mkdir a.raw && echo 1 >a.raw/a",      /* another kind */
        "rm a.raw && mkdir a.raw",                         /* nothing to compare */
    };
    for (size_t i = 0; i < sizeof meddling / sizeof *meddling; i++) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "a.raw");
        put_file(in_src(&f, "a.raw"), MIB, 1);
        must_copy(&f);
        record(&f, &early);
        put_file(in_src(&f, "a.raw"), 2 * MIB, 1);
        assert_int_equal(shell(fmt("cd %s/i1/2026_11 && %s", f.dst, meddling[i])), 0);
        must_refuse(&f, "a.raw");
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void a_folder_with_a_file_more_or_less_is_never_replaced(void **state)
{
    (void)state;
    static const char *const meddling[] = {"echo 1 >x.d/more", "rm x.d/b"};
    for (size_t i = 0; i < sizeof meddling / sizeof *meddling; i++) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "x.d");
        assert_int_equal(shell(fmt("cd %s && mkdir x.d && echo 1 >x.d/a && echo 2 >x.d/b", f.src)),
                         0);
        must_copy(&f);
        record(&f, &early);
        assert_int_equal(shell(fmt("echo 3 >>%s/x.d/a", f.src)), 0);
        assert_int_equal(shell(fmt("cd %s/i1/2026_11 && %s", f.dst, meddling[i])), 0);
        must_refuse(&f, "x.d");
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void append_to_early_copy(struct fixture *f)
{
    int fd = open(in_dst(f, "a.raw"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void an_early_copy_that_is_touched_meanwhile_stays(void **state)
{
    (void)state;
    struct fixture f;
    struct early early;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), MIB, 1);
    must_copy(&f);
    record(&f, &early);
    put_file(in_src(&f, "a.raw"), 8 * MIB, 1);
    f.err = (struct err){0};
    AUTO(copy_free) struct copy *c = copy_new(&f.plan, &f.err);
    assert_non_null(c);
    assert_int_equal(copy_reserve(c, &f.err), 0);
    append_to_early_copy(&f);
    assert_int_equal(copy_transfer(c, &f.err), 0);
    assert_int_equal(copy_verify(c, &f.err), 0);
    assert_int_equal(copy_publish(c, &f.err), -1);
    assert_non_null(strstr(f.err.msg, "was changed meanwhile"));
    copy_free(TAKE(c));
    f.plan.fence++;
    must_fail(&f, ERR_INVALID, "is there already with other content");
    early_fini(&early);
    fixture_fini(&f);
}

static void a_folder_left_beside_its_name_is_put_back_first(void **state)
{
    (void)state;
    struct fixture f;
    struct early early;
    fixture_init(&f, "x.d");
    assert_int_equal(shell(fmt("cd %s && mkdir x.d && echo 1 >x.d/a", f.src)), 0);
    must_copy(&f);
    record(&f, &early);
    /* An attempt died between its two renames. */
    assert_int_equal(shell(fmt("cd %s/i1/2026_11 && mv x.d .x.d.trawl-old", f.dst)), 0);
    assert_int_equal(unlink(in_src(&f, "x.d/a")), 0);
    assert_int_equal(shell(fmt("ln -s nowhere %s/x.d/link", f.src)), 0);
    must_fail(&f, ERR_INVALID, "link"); /* before anything is looked at */
    assert_int_equal(unlink(in_src(&f, "x.d/link")), 0);
    put_file(in_src(&f, "x.d/a"), 4096, 1);
    must_copy(&f);
    assert_true(f.report.replaced);
    assert_true(same_tree(&f, "x.d"));
    assert_int_equal(hidden(&f), 1);
    /* Another one died before it had removed the old one. */
    assert_int_equal(
        shell(fmt("cd %s/i1/2026_11 && mkdir .x.d.trawl-old && echo >.x.d.trawl-old/a", f.dst)), 0);
    f.plan.fence++;
    must_copy(&f);
    assert_true(f.report.already_there);
    assert_int_equal(hidden(&f), 1);
    early_fini(&early);
    fixture_fini(&f);
}

static void a_set_is_replaced_member_by_member(void **state)
{
    (void)state;
    struct fixture f;
    struct early early;
    fixture_init(&f, "s.wiff");
    fixture_add(&f, "s.wiff.scan");
    f.plan.main = "s.wiff";
    put_file(in_src(&f, "s.wiff"), 1000, 1);
    put_file(in_src(&f, "s.wiff.scan"), 2000, 2);
    must_copy(&f);
    record(&f, &early);
    put_file(in_src(&f, "s.wiff.scan"), 2 * MIB, 3);
    must_copy(&f);
    assert_true(f.report.replaced);
    assert_true(same_tree(&f, "s.wiff"));
    assert_true(same_tree(&f, "s.wiff.scan"));
    assert_int_equal(hidden(&f), 1);
    early_fini(&early);
    fixture_fini(&f);
}

/* A worker that is killed at any moment of the replacement: there is a whole copy afterwards. */
/* Both are tried, whole: of a folder that is half one and half the other nothing is known. */
static void any_of_several_early_copies_is_replaced_as_a_whole(void **state)
{
    (void)state;
    for (int mixed = 0; mixed < 2; mixed++) {
        struct fixture f;
        struct early first, both;
        fixture_init(&f, "x.d");
        assert_int_equal(shell(fmt("cd %s && mkdir x.d && echo 1 >x.d/a && echo 1 >x.d/b", f.src)),
                         0);
        must_copy(&f);
        record(&f, &first);
        assert_int_equal(shell(fmt("cd %s && echo 22 >x.d/a && echo 22 >x.d/b", f.src)), 0);
        must_copy(&f);
        record(&f, &both);
        for (size_t i = 0; i < first.n; i++) {
            both.files[both.n] = first.files[i];
            both.files[both.n++].copy = 1;
        }
        f.plan.n_supersedes = both.n;
        assert_int_equal(shell(fmt("cd %s/i1/2026_11/x.d && chmod u+w . a && echo 1 >a && "
                                   "if [ %d = 0 ]; then chmod u+w b && echo 1 >b; fi",
                                   f.dst, mixed)),
                         0);
        assert_int_equal(shell(fmt("cd %s && echo 333 >x.d/a", f.src)), 0);
        if (mixed != 0) {
            must_refuse(&f, "x.d");
        } else {
            must_copy(&f);
            assert_true(f.report.replaced);
            assert_true(same_tree(&f, "x.d"));
        }
        early_fini(&both);
        fixture_fini(&f);
    }
}

static void kill_in(struct fixture *f, int ms)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err = {0};
        struct copy_report report = {0};
        _exit(copy_run(&f->plan, &report, &err) == 0 ? 0 : 1);
    }
    usleep((useconds_t)ms * 1000);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
}

static bool whole_copy(struct fixture *f, const char *early_hash)
{
    return same_tree(f, "a.raw") || shell(fmt("test \"$(xxhsum -q -H2 %s | cut -c1-32)\" = %s",
                                              in_dst(f, "a.raw"), early_hash)) == 0;
}

static void a_whole_copy_is_there_whenever_the_worker_is_killed(void **state)
{
    (void)state;
    for (int ms = 0; ms < 40; ms += 2) {
        struct fixture f;
        struct early early;
        fixture_init(&f, "a.raw");
        put_file(in_src(&f, "a.raw"), MIB, 1);
        must_copy(&f);
        record(&f, &early);
        put_file(in_src(&f, "a.raw"), 6 * MIB, 2);
        f.plan.no_exchange = ms % 4 == 0;
        kill_in(&f, ms);
        assert_true(whole_copy(&f, early.files[0].xxh3));
        f.plan.fence++;
        must_copy(&f);
        assert_true(same_tree(&f, "a.raw"));
        assert_int_equal(hidden(&f), 1);
        early_fini(&early);
        fixture_fini(&f);
    }
}

static void a_record_out_of_order_or_leading_out_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    char up[] = "../a", a[] = "a", b[] = "b";
    const struct copy_superseded bad[3][2] = {{{.path = b}, {.path = a}},
                                              {{.copy = 1, .path = a}, {.path = b}},
                                              {{.path = up}, {.path = a}}};
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 1, 1);
    f.plan.n_supersedes = 2;
    for (size_t i = 0; i < 3; i++) {
        f.plan.supersedes = bad[i];
        must_fail(&f, ERR_INVALID, "superseded:");
    }
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_grew_replaces_its_early_copy),
        cmocka_unit_test(a_folder_that_changed_replaces_its_early_copy),
        cmocka_unit_test(an_early_copy_with_a_file_that_the_source_has_no_more_is_kept_aside),
        cmocka_unit_test(the_same_size_with_other_bytes_is_replaced_too),
        cmocka_unit_test(an_unchanged_source_keeps_its_early_copy),
        cmocka_unit_test(what_is_not_exactly_the_recorded_content_is_never_replaced),
        cmocka_unit_test(a_folder_with_a_file_more_or_less_is_never_replaced),
        cmocka_unit_test(an_early_copy_that_is_touched_meanwhile_stays),
        cmocka_unit_test(a_folder_left_beside_its_name_is_put_back_first),
        cmocka_unit_test(a_set_is_replaced_member_by_member),
        cmocka_unit_test(any_of_several_early_copies_is_replaced_as_a_whole),
        cmocka_unit_test(a_whole_copy_is_there_whenever_the_worker_is_killed),
        cmocka_unit_test(a_record_out_of_order_or_leading_out_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
