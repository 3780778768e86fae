/* test_copy_resume.c - kill -9 in the middle, and what the next attempt makes of it. */
#include <signal.h>
#include <sys/file.h>

#include "test_copy_fixture.h"

#define SIZE (16 * MIB)

static void kill_at_half(void *ctx, int64_t done, int64_t total)
{
    (void)ctx;
    if (done >= total / 2) {
        kill(getpid(), SIGKILL);
    }
}

/* Run a copy in a process that is killed when half is done. */
static void interrupted(struct fixture *f)
{
    test_settle(f->src);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        f->plan.limit_bytes_per_s = 16 * MIB;
        f->plan.hooks.progress = kill_at_half;
        (void)!copy_run(&f->plan, &f->report, &err);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    test_settle(f->dst);
}

static void corrupt(const char *path, off_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "damaged", 7, at), 7);
    close(fd);
}

static void a_killed_copy_of_a_file_resumes_under_the_next_fence(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    interrupted(&f);
    assert_false(is_there(in_dst(&f, "a.raw")));
    assert_true(is_there(in_part(&f, "a.raw.trawl-1.part")));
    f.plan.fence = 2;
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    assert_true(f.report.bytes_written <= SIZE * 55 / 100);
    assert_int_equal(f.report.bytes_written + f.report.resumed_bytes, SIZE);
    assert_int_equal(f.report.repaired_bytes, 0);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void a_damaged_chunk_of_a_part_is_found_and_written_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    interrupted(&f);
    corrupt(in_part(&f, "a.raw.trawl-1.part"), 2 * MIB + 77);
    f.plan.fence = 2;
    f.plan.readback = COPY_READBACK_NONE; /* what is adopted is proven all the same */
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    assert_int_equal(f.report.repaired_bytes, MIB);
    fixture_fini(&f);
}

static void a_source_that_changed_since_is_copied_anew(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    interrupted(&f);
    put_file(in_src(&f, "a.raw"), SIZE, 2); /* the same size: only the hashes tell */
    f.plan.fence = 2;
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    assert_int_equal(f.report.resumed_bytes, 0);
    assert_true(f.report.repaired_bytes > 0);
    put_file(in_src(&f, "a.raw"), 3 * MIB, 3);
    fixture_fini(&f);
}

static void a_killed_copy_of_a_folder_resumes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(shell(fmt("mkdir -p %s/x.d/sub", f.src)), 0);
    for (int i = 0; i < 64; i++) {
        put_file(in_src(&f, fmt("x.d/sub/f%02d", i)), SIZE / 64, (unsigned)i);
    }
    f.plan.readback = COPY_READBACK_NONE; /* so that half done is half written */
    interrupted(&f);
    assert_false(is_there(in_dst(&f, "x.d")));
    corrupt(in_part(&f, "x.d.trawl-1.part/sub/f00"), 100);
    put_file(in_part(&f, "x.d.trawl-1.part/stranger"), 100, 1);
    f.plan.fence = 7;
    f.plan.readback = COPY_READBACK_DISK;
    must_copy(&f);
    assert_true(same_tree(&f, "x.d"));
    assert_true(f.report.bytes_written <= SIZE * 60 / 100);
    assert_int_equal(f.report.repaired_bytes, SIZE / 64);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void a_torn_or_lying_journal_costs_time_not_truth(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 4 * MIB, 1);
    assert_int_equal(shell(fmt("mkdir -p %s/i1/2026_11", f.dst)), 0);
    put_file(in_part(&f, "a.raw.trawl-1.part"), MIB, 5);
    FILE *j = fopen(in_part(&f, "a.raw.trawl-1.part.chunks"), "w");
    assert_non_null(j);
    fprintf(
        j, "trawl-chunks 1 %d\n0 %032d %d \nnonsense\n1 zz 4 \n99 %032d %d \n-1 %032d %d \n2 %032d",
        1 << 20, 0, 4 << 20, 0, 4 << 20, 0, 4 << 20, 7);
    fclose(j);
    f.plan.fence = 2;
    must_copy(&f);
    assert_true(same_tree(&f, "a.raw"));
    /* It does not say who wrote it: where that counts nothing is taken over. */
    assert_int_equal(f.report.repaired_bytes, traits(&f).local_locks ? 0 : MIB);
    assert_int_equal(leftovers(&f), 0);
    fixture_fini(&f);
}

static void a_part_whose_writer_lives_is_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    interrupted(&f);
    int fd = open(in_part(&f, "a.raw.trawl-1.part.chunks"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    f.plan.fence = 2;
    must_copy(&f);
    assert_int_equal(f.report.bytes_written, SIZE);
    assert_int_equal(f.report.resumed_bytes, 0);
    assert_int_equal(leftovers(&f), 0); /* once ours is published, theirs is worth nothing */
    close(fd);
    fixture_fini(&f);
}

/* The newest part may belong to a dead attempt, and an older one to a writer that lives: nobody can
 * tell any more whose inode the part is. */
static void one_living_writer_is_enough_to_begin_afresh(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    f.plan.fence = 2;
    interrupted(&f);
    int fd = open(in_part(&f, "a.raw.trawl-1.part.chunks"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    f.plan.fence = 3;
    must_copy(&f);
    assert_int_equal(f.report.resumed_bytes, 0);
    assert_int_equal(f.report.bytes_written, SIZE);
    assert_true(same_tree(&f, "a.raw"));
    close(fd);
    fixture_fini(&f);
}

static void an_older_attempt_gives_way_to_a_newer_one(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), SIZE, 1);
    f.plan.fence = 5;
    interrupted(&f);
    f.plan.fence = 4;
    must_fail(&f, ERR_FENCED, "a newer attempt");
    assert_true(is_there(in_part(&f, "a.raw.trawl-5.part")));
    fixture_fini(&f);
}

static void parts_of_other_raw_files_are_not_touched(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 100, 1);
    assert_int_equal(shell(fmt("mkdir -p %s/i1/2026_11", f.dst)), 0);
    static const char *const others[] = {".a.raw2.trawl-1.part", ".aa.raw.trawl-1.part",
                                         ".a.raw.trawl-x.part", ".a.raw.trawl-1.parts", "a.raw2"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put_file(in_dst(&f, others[i]), 10, 1);
    }
    f.plan.fence = 9;
    must_copy(&f);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(is_there(in_dst(&f, others[i])));
    }
    fixture_fini(&f);
}

/* One form is of a share, or of a version that gave all parts a dot. */
static void leftovers_of_either_form_are_cleared_away(void **state)
{
    (void)state;
    static const char *const left[] = {"a.raw.trawl-1.part",        ".a.raw.trawl-2.part",
                                       "a.raw.trawl-3.part.chunks", ".a.raw.trawl-4.part.chunks",
                                       "a.raw.trawl-old",           ".a.raw.trawl-old"};
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 100, 1);
    must_copy(&f);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        put_file(in_dst(&f, left[i]), 10, 2);
    }
    f.plan.fence = 9;
    must_copy(&f);
    assert_int_equal(shell(fmt("cd %s/i1/2026_11 && ls -A | wc -l | grep -qx 2", f.dst)), 0);
    fixture_fini(&f);
}

static void a_manifest_that_a_killed_attempt_began_is_cleared_away(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 100, 1);
    must_copy(&f); /* the raw file has its name; the attempt died in the manifest */
    put_file(in_dst(&f, "..a.raw.MANIFEST.xxh3.trawl-1.part"), 10, 2);
    f.plan.fence = 2;
    must_copy(&f);
    assert_int_equal(leftovers(&f), 0);
    assert_int_equal(shell(fmt("cd %s/i1/2026_11 && ls -A | wc -l | grep -qx 2", f.dst)), 0);
    fixture_fini(&f);
}

static void a_set_published_by_half_is_completed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "s.wiff");
    fixture_add(&f, "s.wiff.scan");
    f.plan.main = "s.wiff";
    put_file(in_src(&f, "s.wiff"), 100, 1);
    put_file(in_src(&f, "s.wiff.scan"), 3 * MIB, 2);
    must_copy(&f);
    assert_int_equal(unlink(in_dst(&f, "s.wiff")), 0); /* as if killed between the two renames */
    f.plan.fence = 2;
    must_copy(&f);
    assert_int_equal(f.report.bytes_written, 100);
    assert_true(same_tree(&f, "s.wiff"));
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_copy_of_a_file_resumes_under_the_next_fence),
        cmocka_unit_test(a_damaged_chunk_of_a_part_is_found_and_written_again),
        cmocka_unit_test(a_source_that_changed_since_is_copied_anew),
        cmocka_unit_test(a_killed_copy_of_a_folder_resumes),
        cmocka_unit_test(a_torn_or_lying_journal_costs_time_not_truth),
        cmocka_unit_test(a_part_whose_writer_lives_is_left_alone),
        cmocka_unit_test(one_living_writer_is_enough_to_begin_afresh),
        cmocka_unit_test(an_older_attempt_gives_way_to_a_newer_one),
        cmocka_unit_test(parts_of_other_raw_files_are_not_touched),
        cmocka_unit_test(leftovers_of_either_form_are_cleared_away),
        cmocka_unit_test(a_manifest_that_a_killed_attempt_began_is_cleared_away),
        cmocka_unit_test(a_set_published_by_half_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
