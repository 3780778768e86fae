/* test_copy_options.c - what a copy can be told: other hashes, ETags, a bandwidth that is shared.
 */
#include <stdatomic.h>

#include "common/base/clock.h"
#include "test_copy_fixture.h"

/* The ETag of an upload in parts of 1 MiB, by other means. */
static bool etag_is(const char *path, const char *etag)
{
    return shell(fmt("python3 -c 'import hashlib, sys\n"
                     "d = open(sys.argv[1], \"rb\").read()\n"
                     "p = [hashlib.md5(d[i:i + 1048576]) for i in range(0, len(d) or 1, 1048576)]\n"
                     "m = hashlib.md5(b\"\".join(x.digest() for x in p)).hexdigest()\n"
                     "e = p[0].hexdigest() if len(p) == 1 else m + \"-\" + str(len(p))\n"
                     "sys.exit(e != sys.argv[2])' %s %s",
                     path, etag)) == 0;
}

static void check_hashes(struct fixture *f)
{
    for (size_t i = 0; i < f->report.n_files; i++) {
        const struct copy_file *file = &f->report.files[i];
        assert_true(etag_is(in_src(f, file->path), file->hash.etag));
        assert_int_equal(shell(fmt("test \"$(md5sum <%s | cut -c1-32)\" = %s",
                                   in_src(f, file->path), file->hash.digest)),
                         0);
    }
    assert_int_equal(shell(fmt("cd %s/i1/2026_11 && md5sum --quiet -c .x.d.MANIFEST.md5", f->dst)),
                     0);
}

static void md5_and_etag_are_those_of_the_tools_for_every_size(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB + 4097, 9 * MIB};
    struct fixture f;
    fixture_init(&f, "x.d");
    assert_int_equal(mkdir(in_src(&f, "x.d"), 0755), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        put_file(in_src(&f, fmt("x.d/f%zu", i)), sizes[i], (unsigned)i);
    }
    f.plan.chunk_bytes = 2 * MIB; /* some are large, some small */
    f.plan.digest = HASH_MD5;
    f.plan.etag_part_bytes = MIB;
    must_copy(&f);
    assert_int_equal(f.report.n_files, sizeof sizes / sizeof *sizes);
    check_hashes(&f);
    must_copy(&f); /* and of what is there already */
    assert_true(f.report.already_there);
    check_hashes(&f);
    f.plan.etag_part_bytes = 0;
    must_copy(&f);
    assert_string_equal(f.report.files[0].hash.etag, "");
    fixture_fini(&f);
}

/* --- bandwidth --- */

static int64_t rate_of(void *ctx)
{
    return atomic_load((_Atomic int64_t *)ctx);
}

struct opener { /* lets go of the limit as the hour would, some time into the copy */
    _Atomic int64_t rate;
    int64_t start_ms, opened_ms;
};

static void open_later(void *ctx, int64_t done, int64_t total)
{
    struct opener *o = ctx;
    (void)done;
    (void)total;
    if (o->opened_ms == 0 && mono_ms() - o->start_ms > 600) {
        o->opened_ms = mono_ms();
        atomic_store(&o->rate, 0);
    }
}

static void a_limit_that_ends_lets_a_running_copy_go_at_once(void **state)
{
    (void)state;
    struct err err = {0};
    struct fixture f;
    struct opener o = {.rate = MIB, .start_ms = mono_ms()};
    fixture_init(&f, "a.raw");
    put_file(in_src(&f, "a.raw"), 24 * MIB, 1);
    struct bandwidth *limit = bandwidth_new(rate_of, &o.rate, &err);
    assert_non_null(limit);
    f.plan.limit = bandwidth_share_new(limit, &err);
    f.plan.hooks.progress = open_later;
    f.plan.hooks.ctx = &o;
    must_copy(&f);
    int64_t ms = mono_ms() - o.start_ms;
    assert_true(o.opened_ms > 0);
    assert_in_range(ms, 600, 12000); /* at 1 MiB/s it would have been 24 s */
    assert_true(same_tree(&f, "a.raw"));
    bandwidth_share_free(f.plan.limit);
    bandwidth_free(limit);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_and_etag_are_those_of_the_tools_for_every_size),
        cmocka_unit_test(a_limit_that_ends_lets_a_running_copy_go_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
