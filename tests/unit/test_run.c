/* What a run asks between its steps: no server, a runner without threads. */
#include "test.h"

#include "common/base/clock.h"
#include "workers/runner.h"

#define LEASE_MS 30000

static struct config cfg;
static struct runner runner;
static struct run run;

static int fresh(void **state)
{
    (void)state;
    cfg.worker.lease_ms = LEASE_MS;
    runner = (struct runner){.cfg = &cfg};
    run = (struct run){.runner = &runner};
    return 0;
}

static int64_t ago(int64_t ms)
{
    return mono_ms() - ms;
}

static enum err_kind check(void)
{
    struct err err = {0};
    return run_check(&run, &err) == 0 ? ERR_NONE : err.kind;
}

static void a_worker_that_has_never_beaten_has_no_lease(void **state)
{
    (void)state;
    assert_false(runner_has_lease(&runner));
    assert_int_equal(check(), ERR_YIELD);
}

static void a_run_goes_on_while_the_last_beat_is_young(void **state)
{
    (void)state;
    atomic_store(&runner.beat_ok_ms, ago(LEASE_MS / 2));
    assert_int_equal(check(), ERR_NONE);
}

static void a_run_yields_at_three_quarters_of_the_lease_though_the_heartbeat_hangs(void **state)
{
    (void)state;
    atomic_store(&runner.beat_ok_ms, ago(LEASE_MS * 3 / 4));
    assert_int_equal(check(), ERR_YIELD);
}

static void a_late_beat_does_not_bring_a_given_up_run_back(void **state)
{
    (void)state;
    atomic_store(&run.lapsed, true);
    atomic_store(&runner.beat_ok_ms, ago(0));
    assert_int_equal(check(), ERR_YIELD);
}

static void a_newer_attempt_matters_more_than_the_lease(void **state)
{
    (void)state;
    atomic_store(&run.fenced, true);
    assert_int_equal(check(), ERR_FENCED);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_worker_that_has_never_beaten_has_no_lease),
        T(a_run_goes_on_while_the_last_beat_is_young),
        T(a_run_yields_at_three_quarters_of_the_lease_though_the_heartbeat_hangs),
        T(a_late_beat_does_not_bring_a_given_up_run_back),
        T(a_newer_attempt_matters_more_than_the_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
