/*
 * test_copy_flush.c - flushes that fail: the library's calls are replaced, because no file system
 * loses the writes of one file when it is told to.
 */
#include <sys/syscall.h>

#include "test_copy_fixture.h"

static struct {
    bool syncfs_fails;     /* with EIO */
    const char *lost;      /* fsync of what is called so fails, */
    int code;              /* so, */
    bool folders;          /* when it is a folder */
    int syncfs_n, fsync_n; /* calls */
} flush;

int syncfs(int fd)
{
    flush.syncfs_n++;
    if (flush.syncfs_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_syncfs, fd);
}

int fsync(int fd)
{
    struct stat st;
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    bool counts = fstat(fd, &st) == 0 && (!flush.folders || S_ISDIR(st.st_mode));
    __atomic_fetch_add(&flush.fsync_n, 1, __ATOMIC_RELAXED);
    if (flush.lost != NULL && n > 0 && counts && strstr(path, flush.lost) != NULL) {
        errno = flush.code;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

enum { MANY = 40 };

static void many_small(struct fixture *f)
{
    memset(&flush, 0, sizeof flush);
    fixture_init(f, "x.d");
    assert_int_equal(shell(fmt("mkdir -p %s/x.d/sub", f->src)), 0);
    for (int i = 0; i < MANY; i++) {
        put_file(in_src(f, fmt("x.d/sub/f%02d", i)), 1000, (unsigned)i);
    }
}

/* C9 of ../shared/reference/cifs.md: syncfs tells the lost write of any file of the mount. */
static void a_flush_that_fails_for_another_file_costs_a_look_at_each(void **state)
{
    (void)state;
    struct fixture f;
    many_small(&f);
    flush.syncfs_fails = true;
    f.plan.readback = COPY_READBACK_NONE;
    must_copy(&f);
    assert_true(same_tree(&f, "x.d"));
    assert_true(flush.syncfs_n > 0);
    assert_true(flush.fsync_n >= MANY);
    assert_int_equal(f.report.bytes_readback, MANY * 1000); /* what may be lost is read */
    fixture_fini(&f);
}

static void a_flush_that_works_costs_none(void **state)
{
    (void)state;
    struct fixture f;
    many_small(&f);
    f.plan.readback = COPY_READBACK_NONE;
    must_copy(&f);
    assert_true(flush.fsync_n < MANY);
    assert_int_equal(f.report.bytes_readback, 0);
    fixture_fini(&f);
}

static void a_lost_write_is_named_and_passes(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum err_kind kind;
    } cases[] = {{EIO, ERR_TRANSIENT}, {ENOSPC, ERR_HOLD}, {EHOSTDOWN, ERR_HOLD}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        many_small(&f);
        flush.syncfs_fails = true;
        flush.lost = "sub/f17";
        flush.code = cases[i].code;
        must_fail(&f, cases[i].kind, "x.d/sub/f17");
        assert_false(is_there(in_dst(&f, "x.d")));
        memset(&flush, 0, sizeof flush);
        f.plan.fence = 2;
        must_copy(&f);
        assert_true(same_tree(&f, "x.d"));
        fixture_fini(&f);
    }
}

/* Older clients of CIFS say EINVAL, others EOPNOTSUPP. */
static void a_folder_that_cannot_be_flushed_is_let_be(void **state)
{
    (void)state;
    const int codes[] = {EINVAL, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct fixture f;
        many_small(&f);
        flush.syncfs_fails = flush.folders = true;
        flush.code = codes[i];
        flush.lost = "/"; /* any */
        must_copy(&f);
        assert_true(same_tree(&f, "x.d"));
        fixture_fini(&f);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_that_fails_for_another_file_costs_a_look_at_each),
        cmocka_unit_test(a_flush_that_works_costs_none),
        cmocka_unit_test(a_lost_write_is_named_and_passes),
        cmocka_unit_test(a_folder_that_cannot_be_flushed_is_let_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
