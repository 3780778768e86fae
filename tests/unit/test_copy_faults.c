/* test_copy_faults.c - sources that change, targets that fill up, stops. */
#include <sys/mount.h>

#include "common/base/clock.h"
#include "test_copy_fixture.h"

#define SIZE (8 * MIB)

/* Does something to the world once a copy is under way; the limit makes it last half a second. */
struct meddler {
    struct fixture *f;
    void (*act)(struct fixture *f);
    bool done;
};

static void meddle(void *ctx, int64_t done, int64_t total)
{
    struct meddler *m = ctx;
    if (!m->done && done > 0 && done < total) {
        m->done = true;
        m->act(m->f);
    }
}

static void with_meddler(struct fixture *f, struct meddler *m, void (*act)(struct fixture *))
{
    *m = (struct meddler){.f = f, .act = act};
    f->plan.limit_bytes_per_s = 2 * SIZE;
    f->plan.hooks.progress = meddle;
    f->plan.hooks.ctx = m;
}

static void grow(struct fixture *f)
{
    int fd = open(in_src(f, f->members[0].from), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "more", 4), 4);
    close(fd);
}

static void shrink(struct fixture *f)
{
    assert_int_equal(truncate(in_src(f, f->members[0].from), SIZE - 5), 0);
}

static void touch(struct fixture *f)
{
    int fd = open(in_src(f, f->members[0].from), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    close(fd);
}

static void vanish(struct fixture *f)
{
    assert_int_equal(unlink(in_src(f, f->members[0].from)), 0);
}

static void replace(struct fixture *f)
{
    vanish(f);
    put_file(in_src(f, f->members[0].from), SIZE, 1);
}

static void a_source_that_changes_under_the_copy_is_noticed(void **state)
{
    (void)state;
    static const struct {
        void (*act)(struct fixture *);
        const char *message;
    } cases[] = {
        {grow, "source changed: a.raw grew"},
        {shrink, "source changed: a.raw shrank"},
        {touch, "source changed: a.raw was written"},
        {replace, "source changed: a.raw was"},
        {vanish, "source vanished: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct meddler m;
        fixture_init(&f, "a.raw");
        if (cases[i].act == replace && traits(&f).smb) { /* there an open file keeps its name */
            fixture_fini(&f);
            continue;
        }
        put_file(in_src(&f, "a.raw"), SIZE, 1);
        with_meddler(&f, &m, cases[i].act);
        must_fail(&f, ERR_INVALID, cases[i].message);
        assert_int_equal(strncmp(f.err.msg, "source ", 7), 0);
        assert_int_equal(f.err.code == ERR_CODE_SOURCE_CHANGED, cases[i].act != vanish);
        assert_true(m.done);
        assert_false(is_there(in_dst(&f, "a.raw")));
        assert_int_equal(leftovers(&f), 0);
        fixture_fini(&f);
    }
}

static void add_late(struct fixture *f)
{
    put_file(in_src(f, "x.d/late"), 10, 1);
}

static void lose_one(struct fixture *f)
{
    assert_int_equal(unlink(in_src(f, "x.d/f00")), 0);
}

static void a_folder_that_changes_under_the_copy_is_noticed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct meddler m;
        fixture_init(&f, "x.d");
        assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
        for (int k = 0; k < 32; k++) {
            put_file(in_src(&f, fmt("x.d/f%02d", k)), SIZE / 32, (unsigned)k);
        }
        with_meddler(&f, &m, i == 0 ? add_late : lose_one);
        must_fail(&f, ERR_INVALID, i == 0 ? "x.d/late is new" : "x.d/f00 is gone");
        assert_int_equal(leftovers(&f), 0);
        assert_false(is_there(in_dst(&f, "x.d")));
        fixture_fini(&f);
    }
}

static void a_source_that_is_not_there_has_vanished(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    must_fail(&f, ERR_INVALID, "source vanished: ");
    fixture_fini(&f);
}

static void links_and_special_files_are_refused_by_name(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    assert_int_equal(symlink("/etc/passwd", in_src(&f, "x.d/link")), 0);
    must_fail(&f, ERR_INVALID, "link is a symbolic link");
    assert_int_equal(unlink(in_src(&f, "x.d/link")), 0);
    assert_int_equal(mkfifo(in_src(&f, "x.d/pipe"), 0600), 0);
    must_fail(&f, ERR_INVALID, "pipe is a special file");
    fixture_fini(&f);
}

static int cancel(void *ctx, struct err *err)
{
    int64_t *started = ctx;
    return mono_ms() - *started < 300 ? 0 : ERR(err, ERR_CANCELLED, 0, "cancelled by a test");
}

static void a_cancelled_copy_ends_within_a_second_and_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    test_settle(f.src);
    int64_t started = mono_ms();
    f.plan.limit_bytes_per_s = MIB / 4;
    f.plan.hooks = (struct copy_hooks){.check = cancel, .ctx = &started};
    assert_int_equal(run_copy(&f), -1);
    assert_int_equal(f.err.kind, ERR_CANCELLED);
    assert_true(mono_ms() - started < 1500);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void the_bandwidth_limit_holds(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    f.plan.limit_bytes_per_s = SIZE;
    must_copy(&f);
    assert_in_range(f.report.ms, 800, 5000); /* the first block costs nothing */
    fixture_fini(&f);
}

/* The software still has it open: CIFS says EACCES (TalAloni/SMBLibrary#245). */
static void a_source_that_may_not_be_read_yet_holds_and_is_copied_after_it_is_released(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    put_file(in_src(&f, "x.d/first"), 100, 1);
    put_file(in_src(&f, "x.d/held"), 100, 2);
    assert_int_equal(mkdir(in_src(&f, "x.d/sub"), 0755), 0);
    put_file(in_src(&f, "x.d/sub/deep"), 100, 3);
    assert_int_equal(chmod(f.root, 0755), 0);
    assert_int_equal(chmod(f.dst, 0777), 0);
    uid_t me = geteuid();
    const char *held[] = {"x.d/held", "x.d/sub", "x.d"};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        assert_int_equal(chmod(in_src(&f, held[i]), 0), 0);
        if (me == 0) {
            assert_int_equal(seteuid(65534), 0);
        }
        int rc = run_copy(&f);
        assert_int_equal(seteuid(me), 0);
        assert_int_equal(rc, -1);
        assert_int_equal(f.err.kind, ERR_HOLD);
        assert_int_equal(f.err.code, ERR_CODE_SOURCE_BUSY);
        assert_non_null(strstr(f.err.msg, held[i]));
        assert_non_null(strstr(f.err.msg, "Permission denied"));
        assert_int_equal(chmod(in_src(&f, held[i]), 0755), 0);
        f.err = (struct err){0};
    }
    f.plan.fence++;
    must_copy(&f);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void set_times(struct fixture *f)
{
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    assert_int_equal(utimensat(AT_FDCWD, in_src(f, f->members[0].from), times, 0), 0);
}

/* An SMB server writes times late, a scanner touches files: the content decides. */
static void a_source_of_which_only_the_times_move_is_read_again_and_copied(void **state)
{
    (void)state;
    struct fixture f;
    struct meddler m;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    with_meddler(&f, &m, set_times);
    must_copy(&f);
    assert_true(m.done);
    assert_int_equal(f.report.bytes_read, 2 * SIZE);
    fixture_fini(&f);
}

static void a_set_that_loses_a_file_has_changed_and_not_vanished(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.wiff");
    put_file(in_src(&f, "a.wiff"), 100, 1);
    fixture_add(&f, "a.wiff.scan");
    must_fail(&f, ERR_INVALID, "source changed: a.wiff.scan is gone");
    assert_int_equal(f.err.code, ERR_CODE_SOURCE_CHANGED);
    fixture_fini(&f);
}

/* A file system of 8 MiB at f->dst; false where nobody may mount. */
static bool small_target(struct fixture *f)
{
    return mount("tmpfs", f->dst, "tmpfs", 0, "size=8m,mode=0777") == 0;
}

static void a_target_without_room_holds_before_the_first_byte(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    if (!small_target(&f)) {
        fixture_fini(&f);
        skip();
    }
    put_file(in_src(&f, "a.raw"), 2 * SIZE, 1);
    must_fail(&f, ERR_HOLD, "a.raw needs 16.0 MiB, has 8.0 MiB free: free space on ");
    assert_int_equal(leftovers(&f), 0);
    assert_int_equal(umount(f.dst), 0);
    fixture_fini(&f);
}

static void many_small_files_without_room_hold_before_the_first_byte(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    if (!small_target(&f)) {
        fixture_fini(&f);
        skip();
    }
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    for (int k = 0; k < 16; k++) {
        put_file(in_src(&f, fmt("x.d/f%02d", k)), SIZE / 8, (unsigned)k);
    }
    must_fail(&f, ERR_HOLD, "x.d needs 16.0 MiB, has 8.0 MiB free: free space on ");
    assert_int_equal(leftovers(&f), 0);
    assert_int_equal(umount(f.dst), 0);
    fixture_fini(&f);
}

static void fill_up(struct fixture *f)
{
    (void)shell(fmt("cat /dev/zero >%s/ballast 2>/dev/null", f->dst));
}

static void a_target_that_fills_up_holds_and_the_copy_resumes_later(void **state)
{
    (void)state;
    struct fixture f;
    struct meddler m;
    fixture_init(&f, "x.d");
    if (!small_target(&f)) {
        fixture_fini(&f);
        skip();
    }
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    for (int k = 0; k < 32; k++) {
        put_file(in_src(&f, fmt("x.d/f%02d", k)), SIZE / 64, (unsigned)k);
    }
    with_meddler(&f, &m, fill_up);
    f.plan.limit_bytes_per_s = SIZE / 2;
    must_fail(&f, ERR_HOLD, "target full");
    assert_false(is_there(in_dst(&f, "x.d")));
    assert_int_equal(unlink(fmt("%s/ballast", f.dst)), 0);
    f.plan.fence = 2;
    f.plan.hooks = (struct copy_hooks){0};
    must_copy(&f);
    assert_true(f.report.resumed_bytes > 0);
    assert_false(f.report.bytes_written == f.report.size);
    assert_true(same_tree(&f, "x.d"));
    assert_int_equal(umount(f.dst), 0);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_changes_under_the_copy_is_noticed),
        cmocka_unit_test(a_folder_that_changes_under_the_copy_is_noticed),
        cmocka_unit_test(a_source_that_is_not_there_has_vanished),
        cmocka_unit_test(links_and_special_files_are_refused_by_name),
        cmocka_unit_test(a_cancelled_copy_ends_within_a_second_and_leaves_nothing),
        cmocka_unit_test(the_bandwidth_limit_holds),
        cmocka_unit_test(
            a_source_that_may_not_be_read_yet_holds_and_is_copied_after_it_is_released),
        cmocka_unit_test(a_source_of_which_only_the_times_move_is_read_again_and_copied),
        cmocka_unit_test(a_set_that_loses_a_file_has_changed_and_not_vanished),
        cmocka_unit_test(a_target_without_room_holds_before_the_first_byte),
        cmocka_unit_test(many_small_files_without_room_hold_before_the_first_byte),
        cmocka_unit_test(a_target_that_fills_up_holds_and_the_copy_resumes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
