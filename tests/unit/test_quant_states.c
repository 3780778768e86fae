#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "test.h"
#include "workers/job/states.h"

static void every_state_of_slurm_has_its_fate(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum job_fate fate;
        const char *name;
    } cases[] = {
        {"PENDING", JOB_WAITS, "PENDING"},
        {"CONFIGURING", JOB_WAITS, "CONFIGURING"},
        {"RUNNING", JOB_WAITS, "RUNNING"},
        {"COMPLETING", JOB_WAITS, "COMPLETING"},
        {"SUSPENDED", JOB_WAITS, "SUSPENDED"},
        {"STOPPED", JOB_WAITS, "STOPPED"},
        {"REQUEUED", JOB_WAITS, "REQUEUED"},
        {"REQUEUE_HOLD", JOB_WAITS, "REQUEUE_HOLD"},
        {"COMPLETED", JOB_SUCCEEDED, "COMPLETED"},
        {"FAILED", JOB_FAILED, "FAILED"},
        {"TIMEOUT", JOB_FAILED, "TIMEOUT"},
        {"OUT_OF_MEMORY", JOB_FAILED, "OUT_OF_MEMORY"},
        {"OUT_OF_ME+", JOB_FAILED, "OUT_OF_MEMORY"},
        {"DEADLINE", JOB_FAILED, "DEADLINE"},
        {"NODE_FAIL", JOB_LOST, "NODE_FAIL"},
        {"PREEMPTED", JOB_LOST, "PREEMPTED"},
        {"BOOT_FAIL", JOB_LOST, "BOOT_FAIL"},
        {"CANCELLED", JOB_CANCELLED, "CANCELLED"},
        {"CANCELLED by 1001", JOB_CANCELLED, "CANCELLED"},
        {"CANCELLED+", JOB_CANCELLED, "CANCELLED"},
        {"", JOB_UNKNOWN, "UNKNOWN"},
        {"+", JOB_UNKNOWN, "UNKNOWN"},
        {"COMPLETE", JOB_UNKNOWN, "UNKNOWN"},
        {"completed", JOB_UNKNOWN, "UNKNOWN"},
        {"COMPLETEDX", JOB_UNKNOWN, "UNKNOWN"},
        {"UNKNOWN", JOB_UNKNOWN, "UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(states_fate(cases[i].text), cases[i].fate);
        assert_string_equal(states_name(cases[i].text), cases[i].name);
    }
}

static void elapsed_times_over_a_day_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"00:00:00", 0},
        {"00:01:01", 61},
        {"24:00:00", 86400},
        {"1-02:03:04", 93784},
        {"12-00:00:00", 1036800},
        {"365-00:00:00", 31536000},
        {"02:03", 123},
        {"59", 59},
        {"02:03.500", 123},
        {"1-02", 93600},
        {"1-02:03", 93780},
        {"", -1},
        {"INVALID", -1},
        {"UNLIMITED", -1},
        {"1:2:3:4", -1},
        {"1-", -1},
        {"-1:00", -1},
        {"00:60", -1},
        {"00:00:00x", -1},
        {"99999999999999999999", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(elapsed_s(cases[i].text), cases[i].seconds);
    }
}

/* What squeue, the wrapper, sacct and scontrol say, and what comes of it. */
static void the_wrapper_comes_first_and_unknown_is_never_success(void **state)
{
    (void)state;
    static const struct {
        const char *squeue, *wrapper, *sacct, *scontrol;
        enum job_fate fate;
        const char *state, *source;
    } cases[] = {
        {"RUNNING", "RUNNING", "", "", JOB_WAITS, NULL, NULL},
        {"PENDING", "", "", "", JOB_WAITS, NULL, NULL},
        {"COMPLETING", "COMPLETED", "", "", JOB_SUCCEEDED, "COMPLETED", "wrapper"},
        {"COMPLETED", "COMPLETED", "", "", JOB_SUCCEEDED, "COMPLETED", "wrapper"},
        {"", "COMPLETED", "", "", JOB_SUCCEEDED, "COMPLETED", "wrapper"},
        /* put back into the queue: what an earlier run wrote does not count */
        {"PENDING", "COMPLETED", "", "", JOB_WAITS, NULL, NULL},
        {"REQUEUED", "COMPLETED", "", "", JOB_WAITS, NULL, NULL},
        {"RUNNING", "FAILED", "", "", JOB_WAITS, NULL, NULL},
        {"FAILED", "FAILED", "FAILED", "", JOB_FAILED, "FAILED", "wrapper"},
        {"", "FAILED", "OUT_OF_MEMORY", "", JOB_FAILED, "OUT_OF_MEMORY", "sacct"},
        {"", "KILLED", "TIMEOUT", "", JOB_FAILED, "TIMEOUT", "sacct"},
        {"", "KILLED", "CANCELLED by 0", "", JOB_CANCELLED, "CANCELLED", "sacct"},
        {"", "KILLED", "", "", JOB_UNKNOWN, "UNKNOWN", "none"},
        {"", "RUNNING", "NODE_FAIL", "", JOB_LOST, "NODE_FAIL", "sacct"},
        {"", "RUNNING", "", "PREEMPTED", JOB_LOST, "PREEMPTED", "scontrol"},
        {"TIMEOUT", "RUNNING", "", "", JOB_FAILED, "TIMEOUT", "squeue"},
        {"", "", "COMPLETED", "", JOB_SUCCEEDED, "COMPLETED", "sacct"},
        {"", "", "RUNNING", "", JOB_UNKNOWN, "UNKNOWN",
         "none"}, /* sacct lags behind, or for ever */
        {"", "", "", "RUNNING", JOB_WAITS, NULL, NULL},
        {"", "RUNNING", "", "", JOB_UNKNOWN, "UNKNOWN", "none"},
        {"", "", "", "", JOB_UNKNOWN, "UNKNOWN", "none"},
        {"", "", "NEW_STATE", "", JOB_UNKNOWN, "UNKNOWN", "none"},
        {"NEW_STATE", "", "", "", JOB_WAITS, NULL, NULL},
        {"", "SUPERSEDED", "FAILED", "", JOB_LOST, "SUPERSEDED", "wrapper"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job_view view = {.id = 1, .name = "x"};
        struct job_outcome out;
        strncpy(view.squeue.state, cases[i].squeue, JOB_STATE_MAX - 1);
        strncpy(view.wrapper.state, cases[i].wrapper, JOB_STATE_MAX - 1);
        strncpy(view.sacct.state, cases[i].sacct, JOB_STATE_MAX - 1);
        strncpy(view.scontrol.state, cases[i].scontrol, JOB_STATE_MAX - 1);
        enum job_fate fate = states_decide(&view, &out);
        if (fate != cases[i].fate ||
            (cases[i].state != NULL && (strcmp(out.state, cases[i].state) != 0 ||
                                        strcmp(out.source, cases[i].source) != 0))) {
            fail_msg("case %zu: fate %d, %s by %s", i, (int)fate, out.state, out.source);
        }
    }
}

static void a_log_that_tells_of_memory_is_believed(void **state)
{
    (void)state;
    struct job_outcome out;
    struct job_view view = {.id = 1, .name = "n", .over_memory = true};
    snprintf(view.sacct.state, sizeof view.sacct.state, "FAILED");
    assert_int_equal(states_decide(&view, &out), JOB_FAILED);
    assert_string_equal(out.state, "OUT_OF_MEMORY");
    snprintf(view.sacct.state, sizeof view.sacct.state, "CANCELLED by 0");
    assert_int_equal(states_decide(&view, &out), JOB_FAILED);
    snprintf(view.sacct.state, sizeof view.sacct.state, "COMPLETED");
    assert_int_equal(states_decide(&view, &out), JOB_SUCCEEDED);
    assert_string_equal(out.state, "COMPLETED");
}

static void a_job_may_run_until_it_is_seen_to_be_gone(void **state)
{
    (void)state;
    static const struct {
        struct job_view view;
        enum job_fate fate;
        bool may_run;
    } cases[] = {
        {{.id = 1}, JOB_UNKNOWN, true}, /* it may wait in a queue that nobody lists */
        {{.id = 1}, JOB_LOST, true},
        {{.closed = true}, JOB_UNKNOWN, false},
        {{.closed = true}, JOB_LOST, false},
        {{.closed = true, .claimed = true}, JOB_UNKNOWN, true},
        {{.closed = true, .claimed = true}, JOB_LOST, true},
        {{.id = 1}, JOB_CANCELLED, false},
        {{.claimed = true}, JOB_CANCELLED, true},
        {{.wrapper = {.state = "RUNNING"}}, JOB_CANCELLED, true},
        {{.wrapper = {.state = "RUNNING"}, .closed = true}, JOB_LOST, true},
        {{.wrapper = {.state = "KILLED"}, .claimed = true}, JOB_CANCELLED, false},
        {{.wrapper = {.state = "SUPERSEDED"}, .claimed = true}, JOB_LOST, false},
        {{.gone = true, .claimed = true}, JOB_LOST, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (states_may_run(&cases[i].view, cases[i].fate) != cases[i].may_run) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_tells_of_memory_is_believed),
        cmocka_unit_test(every_state_of_slurm_has_its_fate),
        cmocka_unit_test(elapsed_times_over_a_day_parse),
        cmocka_unit_test(a_job_may_run_until_it_is_seen_to_be_gone),
        cmocka_unit_test(the_wrapper_comes_first_and_unknown_is_never_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
