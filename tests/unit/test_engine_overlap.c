/*
 * test_engine_overlap.c - no two runs at the same time where there is no cluster: what is not seen
 * is not taken for gone, and no output folder is used twice.
 */
#include "unit/engine_fixture.h"

/* A view of the job in which nothing was said yet. */
static struct job_view view_of(const struct job_engine *e, int64_t id, bool close, bool *queue_ok)
{
    struct err err = {0};
    struct job_poll poll;
    struct job_watched job = {.view = {.id = id, .name = name},
                              .folder = folder,
                              .worker_output = output,
                              .close = close};
    assert_int_equal(e->look(&cfg, &job, 1, &poll, &err), 0);
    *queue_ok = poll.queue_ok;
    job_poll_fini(&poll);
    return job.view;
}

static void a_local_job_of_which_nothing_is_seen_is_not_taken_for_lost(void **state)
{
    (void)state;
    char command[1000];
    bool ok = true;
    struct job_outcome out;
    struct job_spec spec = new_job("sleep 60", command);
    int64_t id = submitted(&engine_local, &spec);
    int64_t until = mono_ms() + 5000;
    while (shell("grep -qs RUNNING %s/status.json && [ -s %s/beat ]", folder, folder) != 0 &&
           mono_ms() < until) {
        mono_sleep_ms(20);
    }
    assert_int_equal(shell("mv slurm/jobs slurm/elsewhere"), 0); /* as a share that is away */
    struct job_view view = view_of(&engine_local, id, false, &ok);
    assert_false(ok);
    assert_int_equal(states_decide(&view, &out), JOB_UNKNOWN);
    assert_int_equal(shell("mv slurm/elsewhere slurm/jobs"), 0);
    assert_int_equal(look(&engine_local, id, false, &out), JOB_WAITS);

    /* on another host, or after a restart, a lock that can be had proves nothing by itself */
    kill(-(pid_t)id, SIGKILL);
    assert_int_equal(shell("echo another >%s/boot", folder), 0);
    while (look(&engine_local, id, false, &out) == JOB_WAITS && mono_ms() < until) {
        mono_sleep_ms(20);
    }
    view = view_of(&engine_local, id, false, &ok);
    assert_int_equal(states_decide(&view, &out), JOB_LOST);
    assert_true(states_may_run(&view, JOB_LOST) && view.claimed && !view.closed && ok);
    assert_string_equal(view.beat, "0.1");
    view = view_of(&engine_local, id, true, &ok);
    assert_true(view.closed);
}

static void an_output_folder_in_which_a_local_job_runs_is_not_used(void **state)
{
    (void)state;
    char command[1000], other[1000], first_name[sizeof name], out_there[sizeof output];
    struct err err = {0};
    int64_t none_yet = 0;
    struct job_spec spec = new_job("echo x >>../../../ran; sleep 60", command);
    int64_t id = submitted(&engine_local, &spec);
    int64_t until = mono_ms() + 5000;
    while (shell("[ -s ran ]") != 0 && mono_ms() < until) {
        mono_sleep_ms(20);
    }
    memcpy(first_name, name, sizeof name);
    memcpy(out_there, output, sizeof output);
    struct job_spec next = new_job("echo x >>../../../ran", other);
    next.output = next.worker_output = out_there;
    assert_int_equal(job_submit(&engine_local, &cfg, &next, &none_yet, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_non_null(strstr(err.msg, "still writes to"));
    assert_int_equal(shell("[ -e slurm/jobs/m/%s/closed ]", first_name), 0); /* it is to stop */
    kill(-(pid_t)id, SIGKILL);
    struct err still = {0};
    until = mono_ms() + 5000;
    while (job_submit(&engine_local, &cfg, &next, &none_yet, &still) != 0 && mono_ms() < until) {
        mono_sleep_ms(20);
    }
    assert_string_equal(wait_end(&engine_local, none_yet, false).state, "COMPLETED");
    assert_ran(2);
}

/* Not every share shows one host's locks to another: there the beat tells. */
static void an_output_folder_of_a_job_on_another_host_is_not_used(void **state)
{
    (void)state;
    char command[1000], other[1000], there[sizeof folder], out_there[sizeof output];
    struct err err = {0};
    int64_t ignored = 0;
    struct job_spec spec = new_job("sleep 60", command);
    int64_t id = submitted(&engine_local, &spec);
    int64_t until = mono_ms() + 5000;
    while (shell("grep -qs RUNNING %s/status.json && [ -s %s/beat ]", folder, folder) != 0 &&
           mono_ms() < until) {
        mono_sleep_ms(20);
    }
    memcpy(there, folder, sizeof folder);
    memcpy(out_there, output, sizeof output);
    assert_int_equal(shell("cd %s && echo another >boot && rm alive && >alive", there), 0);
    struct job_spec next = new_job("true", other);
    next.output = next.worker_output = out_there;
    assert_int_equal(job_submit(&engine_local, &cfg, &next, &ignored, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_non_null(strstr(err.msg, "still writes to"));
    assert_int_equal(shell("[ -e %s/closed ]", there), 0);
    kill(-(pid_t)id, SIGKILL);
    struct err still = {0};
    assert_int_equal(job_submit(&engine_local, &cfg, &next, &ignored, &still), -1);
    assert_int_equal(shell("cd %s && read -r beat since <looked && "
                           "echo \"$beat $((since - 70))\" >looked",
                           there),
                     0);
    assert_true(submitted(&engine_local, &next) > 0);
}

static void a_job_file_that_is_not_there_any_more_is_not_taken_for_lost(void **state)
{
    (void)state;
    char command[1000], other[1000];
    struct job_outcome out;
    struct err err = {0};
    int64_t ignored = 0;
    struct job_spec spec = new_job("true", command);
    int64_t id = submitted(&engine_file, &spec);
    assert_int_equal(shell("rm output/job_queue/%s.job", name), 0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_WAITS);
    assert_int_equal(look(&engine_file, id, true, &out), JOB_UNKNOWN); /* an operator's word */
    assert_int_equal(shell("echo COMPLETED >'%s/job_status.log'", output), 0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_SUCCEEDED);

    spec = new_job("true", command);
    id = submitted(&engine_file, &spec);
    assert_int_equal(shell("cd output/job_queue && mv %s.job %s.job.processed && "
                           "echo started >'%s/job_status.log'",
                           name, name, output),
                     0);
    char out_there[sizeof output], first_name[sizeof name];
    memcpy(out_there, output, sizeof output);
    memcpy(first_name, name, sizeof name);
    struct job_spec next = new_job("true", other);
    next.output = next.worker_output = out_there;
    assert_int_equal(job_submit(&engine_file, &cfg, &next, &ignored, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_non_null(strstr(err.msg, first_name));
    struct err gone = {0};
    assert_int_equal(shell("rm output/job_queue/%s.job.processed", first_name), 0);
    assert_int_equal(job_submit(&engine_file, &cfg, &next, &ignored, &gone), -1);
    assert_int_equal(gone.kind, ERR_HOLD);
    assert_int_equal(shell("echo FAILED >>'%s/job_status.log'", out_there), 0);
    assert_true(submitted(&engine_file, &next) > 0);
    /* one that nobody has taken makes way */
    struct job_spec third = new_job("true", command);
    char second_name[sizeof name];
    snprintf(second_name, sizeof second_name, "trawl-test-%d", count - 1);
    third.output = third.worker_output = out_there;
    assert_true(submitted(&engine_file, &third) > 0);
    assert_int_equal(shell("[ -e output/job_queue/%s.job.cancelled ]", second_name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_local_job_of_which_nothing_is_seen_is_not_taken_for_lost),
        TEST(an_output_folder_in_which_a_local_job_runs_is_not_used),
        TEST(an_output_folder_of_a_job_on_another_host_is_not_used),
        TEST(a_job_file_that_is_not_there_any_more_is_not_taken_for_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
