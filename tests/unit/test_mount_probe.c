#include "common/mount/mount_probe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/base/clock.h"
#include "test.h"

#define DEADLINE_MS 1000

/* The share of the tests: answers as it is told, at once or when the gate opens. */
static atomic_bool shut;
static _Atomic int looks, writes, write_errno_now;
static _Atomic enum mount_status status_now;
static atomic_bool away; /* what is expected cannot be learned */

static void prove(const struct mount_expect *e, bool probe_write, struct mount_proof *out)
{
    atomic_fetch_add(&looks, 1);
    atomic_fetch_add(&writes, probe_write);
    while (strcmp(e->location, "backup") == 0 && atomic_load(&shut)) {
        mono_sleep_ms(5);
    }
    *out = (struct mount_proof){.status = atomic_load(&status_now),
                                .initialised = e->initialised,
                                .write_errno = probe_write ? atomic_load(&write_errno_now) : 0,
                                .free_bytes = 1 << 30,
                                .total_bytes = 2 << 20};
}

static int expect(void *ctx, const struct mount_need *need, struct mount_expect *out,
                  struct err *err)
{
    (void)ctx;
    *out = (struct mount_expect){.initialised = true};
    snprintf(out->location, sizeof out->location, "%s", need->location);
    return atomic_load(&away)
               ? ERR(err, ERR_TRANSIENT, ERR_CODE_DATABASE, "MongoDB does not answer")
               : 0;
}

static struct mounts *mounts;

static int open_mounts(void **state)
{
    (void)state;
    struct err err = {0};
    atomic_store(&shut, false);
    atomic_store(&away, false);
    atomic_store(&looks, 0);
    atomic_store(&writes, 0);
    atomic_store(&write_errno_now, 0);
    atomic_store(&status_now, MOUNT_OK);
    const struct mounts_options o = {
        .expect = expect, .prove = prove, .deadline_ms = DEADLINE_MS, .min_free_bytes = 1 << 20};
    mounts = mounts_open(&o, &err);
    return mounts == NULL;
}

static int close_mounts(void **state)
{
    (void)state;
    atomic_store(&shut, false);
    mounts_free(mounts);
    return 0;
}

static const struct mount_need backup = {.location = "backup", .path = "/b", .write = true};
static const struct mount_need instrument = {.location = "instrument/a", .path = "/a"};

static int check(const struct mount_need *need, struct err *err)
{
    *err = (struct err){0};
    return mounts_check(mounts, need, err);
}

static void a_location_that_is_well_passes(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(check(&backup, &err), 0);
    assert_int_equal(check(&instrument, &err), 0);
}

static void a_hung_look_costs_one_deadline_and_then_nothing(void **state)
{
    (void)state;
    struct err err;
    atomic_store(&shut, true);
    int64_t began = mono_ms();
    assert_int_equal(check(&backup, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_non_null(strstr(err.msg, "backup at /b: hangs: "));
    assert_true(mono_ms() - began >= DEADLINE_MS - 1);
    int before = atomic_load(&looks);
    began = mono_ms();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(check(&backup, &err), -1);
    }
    assert_true(mono_ms() - began < 10 * DEADLINE_MS); /* not 100 times */
    assert_int_equal(atomic_load(&looks), before);
}

static void a_hung_location_does_not_hold_another(void **state)
{
    (void)state;
    struct err err;
    atomic_store(&shut, true);
    assert_int_equal(check(&backup, &err), -1);
    int64_t began = mono_ms();
    assert_int_equal(check(&instrument, &err), 0);
    assert_true(mono_ms() - began < DEADLINE_MS);
}

static void a_location_that_answers_again_goes_on_by_itself(void **state)
{
    (void)state;
    struct err err;
    atomic_store(&shut, true);
    assert_int_equal(check(&backup, &err), -1);
    atomic_store(&shut, false);
    for (int64_t end = mono_ms() + 5000; check(&backup, &err) != 0;) {
        assert_true(mono_ms() < end);
        mono_sleep_ms(5);
    }
}

static void a_fresh_result_is_used_again_and_an_old_one_is_not(void **state)
{
    (void)state;
    struct err err;
    struct mount_need need = instrument;
    need.max_age_ms = 60000;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(check(&need, &err), 0);
    }
    assert_int_equal(atomic_load(&looks), 1);
    need.max_age_ms = 0;
    atomic_store(&status_now, MOUNT_EMPTY);
    assert_int_equal(check(&need, &err), -1);
    assert_int_equal(atomic_load(&looks), 2);
    assert_non_null(strstr(err.msg, ": empty: "));
}

static void a_result_without_a_write_probe_is_not_enough_to_write(void **state)
{
    (void)state;
    struct err err;
    struct mount_need need = instrument;
    need.max_age_ms = 60000;
    assert_int_equal(check(&need, &err), 0);
    assert_int_equal(atomic_load(&writes), 0);
    atomic_store(&write_errno_now, 30); /* EROFS */
    need.write = true;
    assert_int_equal(check(&need, &err), -1);
    assert_non_null(strstr(err.msg, ": read_only: "));
    need.write = false;
    assert_int_equal(check(&need, &err), 0);
}

static void a_well_location_is_probed_by_writing_only_now_and_then(void **state)
{
    (void)state;
    struct err err;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(check(&backup, &err), 0);
    }
    assert_int_equal(atomic_load(&looks), 10);
    assert_int_equal(atomic_load(&writes), 1);
}

static void what_is_expected_must_be_known(void **state)
{
    (void)state;
    struct err err;
    atomic_store(&away, true);
    assert_int_equal(check(&backup, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_int_equal(err.code, ERR_CODE_DATABASE); /* so that nobody blames the share */
    assert_int_equal(atomic_load(&looks), 0);
}

struct seen {
    int n;
    enum mount_status last;
};

static void see(void *ctx, const struct mounts_view *v)
{
    struct seen *s = ctx;
    s->n++;
    s->last = v->status;
    assert_true(v->since_ms > 0);
}

static void changes_are_told_once(void **state)
{
    (void)state;
    struct err err;
    struct seen seen = {0};
    assert_int_equal(check(&instrument, &err), 0);
    assert_true(mounts_changed(mounts));
    assert_false(mounts_changed(mounts));
    assert_int_equal(check(&instrument, &err), 0);
    assert_false(mounts_changed(mounts));
    atomic_store(&status_now, MOUNT_WRONG);
    assert_int_equal(check(&instrument, &err), -1);
    assert_true(mounts_changed(mounts));
    mounts_each(mounts, see, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last, MOUNT_WRONG);
    assert_int_equal(mounts_look(mounts, &backup, see, &seen, &err), 0);
    assert_int_equal(seen.n, 2);
}

static void *check_often(void *arg)
{
    const struct mount_need *need = arg;
    struct err err = {0};
    intptr_t failed = 0;
    for (int i = 0; i < 200; i++) {
        failed += mounts_check(mounts, need, &err) != 0;
    }
    return (void *)failed;
}

static void many_threads_ask_at_once(void **state)
{
    (void)state;
    pthread_t threads[8];
    struct mount_need needs[8];
    for (size_t i = 0; i < 8; i++) {
        needs[i] = i % 2 == 0 ? backup : instrument;
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, &needs[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

static void closing_does_not_wait_for_a_hung_look(void **state)
{
    (void)state;
    struct err err;
    atomic_store(&shut, true);
    assert_int_equal(check(&backup, &err), -1);
    int64_t began = mono_ms();
    mounts_free(mounts);
    assert_true(mono_ms() - began < 5000);
    mounts = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_mounts, close_mounts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_location_that_is_well_passes),
        TEST(a_hung_look_costs_one_deadline_and_then_nothing),
        TEST(a_hung_location_does_not_hold_another),
        TEST(a_location_that_answers_again_goes_on_by_itself),
        TEST(a_fresh_result_is_used_again_and_an_old_one_is_not),
        TEST(a_result_without_a_write_probe_is_not_enough_to_write),
        TEST(a_well_location_is_probed_by_writing_only_now_and_then),
        TEST(what_is_expected_must_be_known),
        TEST(changes_are_told_once),
        TEST(many_threads_ask_at_once),
        TEST(closing_does_not_wait_for_a_hung_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
