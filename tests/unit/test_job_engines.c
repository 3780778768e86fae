/*
 * test_job_engines.c - the engines that need no cluster: processes of this host, and job files.
 * Real processes, real locks; whoever submits is killed now and then.
 */
#include "unit/engine_fixture.h"
#include "unit/output_marks.h"

static void a_local_job_runs_once_and_tells_how_it_went(void **state)
{
    (void)state;
    char command[1000];
    struct job_spec spec = new_job("echo x >>../../../ran; echo said; exit 3", command);
    int64_t id = submitted(&engine_local, &spec);
    assert_true(submitted(&engine_local, &spec) == id); /* the same name: the same job */
    struct job_outcome out = wait_end(&engine_local, id, false);
    assert_string_equal(out.state, "FAILED");
    assert_string_equal(out.source, "wrapper");
    assert_int_equal(out.exit_code, 3);
    assert_ran(1);
    assert_int_equal(shell("grep -qx said 'output/P1/out %d/log.txt'", count), 0);
    assert_true(submitted(&engine_local, &spec) == id); /* also when it has ended */
    assert_ran(1);
}

static void a_local_job_outlives_who_submitted_it_and_is_found(void **state)
{
    (void)state;
    char command[1000];
    struct job_spec spec = new_job("echo x >>../../../ran; sleep 0.7", command);
    int64_t id = 0;
    pid_t worker = fork();
    if (worker == 0) {
        struct err err = {0};
        int rc = job_submit(&engine_local, &cfg, &spec, &id, &err);
        kill(getpid(), SIGKILL);
        _exit(rc);
    }
    waitpid(worker, NULL, 0);
    struct err err = {0};
    assert_int_equal(job_ask(&engine_local, &cfg, &spec, &id, &err), 0);
    assert_true(id > 0);
    assert_string_equal(wait_end(&engine_local, id, false).state, "COMPLETED");
    assert_ran(1);
}

/* Killed at any moment of a submission, then asked by name: one job or none, never two. */
static void a_submission_that_is_killed_anywhere_makes_one_job_or_none(void **state)
{
    (void)state;
    int with = 0, without = 0;
    char any[1000];
    struct job_spec first = new_job("true", any);
    int64_t began = mono_ns();
    wait_end(&engine_local, submitted(&engine_local, &first), false);
    int64_t step_us = (mono_ns() - began) / 1000 / 20;
    for (int n = 0; n < 24; n++) {
        char command[1000];
        struct job_spec spec = new_job("echo x >>../../../ran", command);
        shell("rm -f ran");
        int64_t id = 0;
        pid_t worker = fork();
        if (worker == 0) {
            struct err ignored = {0};
            _exit(job_submit(&engine_local, &cfg, &spec, &id, &ignored));
        }
        usleep((useconds_t)(n * step_us));
        kill(worker, SIGKILL);
        waitpid(worker, NULL, 0);
        struct err err = {0}, closed = {0};
        assert_int_equal(job_ask(&engine_local, &cfg, &spec, &id, &err), 0);
        if (id > 0) {
            with++;
            assert_string_equal(wait_end(&engine_local, id, false).state, "COMPLETED");
        } else {
            without++;
            assert_int_equal(job_submit(&engine_local, &cfg, &spec, &id, &closed), -1);
            assert_int_equal(closed.kind, ERR_HOLD);
        }
        assert_ran(id > 0 ? 1 : 0);
    }
    assert_true(with > 0 && without > 0);
}

static void many_that_submit_one_name_start_one_process(void **state)
{
    (void)state;
    char command[1000];
    struct job_spec spec = new_job("echo x >>../../../ran; sleep 0.2", command);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            struct err ignored = {0};
            int64_t id = 0;
            _exit(job_submit(&engine_local, &cfg, &spec, &id, &ignored) == 0 ? 0 : 1);
        }
    }
    int status = 0;
    while (wait(&status) > 0) {
        assert_int_equal(status, 0);
    }
    wait_end(&engine_local, submitted(&engine_local, &spec), false);
    assert_ran(1);
}

static void a_local_job_is_stopped_and_one_that_vanished_is_lost(void **state)
{
    (void)state;
    char command[1000];
    struct job_outcome out;
    struct job_spec spec = new_job("sleep 60", command);
    int64_t id = submitted(&engine_local, &spec);
    assert_int_equal(look(&engine_local, id, false, &out), JOB_WAITS);
    assert_string_equal(wait_end(&engine_local, id, true).state, "CANCELLED");

    spec = new_job("sleep 60", command);
    id = submitted(&engine_local, &spec);
    int64_t until = mono_ms() + 5000;
    while (shell("grep -qs RUNNING %s/status.json", folder) != 0 && mono_ms() < until) {
        mono_sleep_ms(20);
    }
    assert_int_equal(kill(-(pid_t)id, SIGKILL), 0); /* as when its host is switched off */
    out = wait_end(&engine_local, id, false);
    assert_string_equal(out.state, "NODE_FAIL");
    assert_int_equal(states_fate(out.state), JOB_LOST);
}

static void a_local_job_keeps_to_its_time_and_memory(void **state)
{
    (void)state;
    char command[1000];
    struct job_spec spec = new_job("sleep 60", command);
    spec.time_s = 1;
    assert_string_equal(wait_end(&engine_local, submitted(&engine_local, &spec), false).state,
                        "TIMEOUT");
    spec =
        new_job("a=$(head -c 90000000 /dev/zero | tr \\\\0 x); echo ${#a} >>../../../ran", command);
    spec.mem_mib = 64;
    struct job_outcome out = wait_end(&engine_local, submitted(&engine_local, &spec), false);
    assert_ran(0);
    assert_string_equal(out.state, "FAILED");
    spec =
        new_job("a=$(head -c 90000000 /dev/zero | tr \\\\0 x); echo ${#a} >>../../../ran", command);
    spec.mem_mib = 1024;
    out = wait_end(&engine_local, submitted(&engine_local, &spec), false);
    assert_string_equal(out.state, "COMPLETED");
    assert_ran(1);
}

static void words_that_name_no_engine_name_none(void **state)
{
    (void)state;
    assert_ptr_equal(job_engine("local"), &engine_local);
    assert_ptr_equal(job_engine("file_based"), &engine_file);
    assert_null(job_engine("generic"));
    assert_null(job_engine(""));
}

static void the_output_of_another_task_is_not_touched(void **state)
{
    (void)state;
    const struct job_engine *const engines[] = {&engine_local, &engine_file};
    for (size_t i = 0; i < 2; i++) {
        char command[1000];
        struct err err = {0};
        int64_t id = 0;
        struct job_spec spec = new_job("true", command);
        assert_int_equal(shell("mkdir -p '%s' && echo mine >'%s/mine'", output, output), 0);
        assert_int_equal(job_submit(engines[i], &cfg, &spec, &id, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.msg, "exists already"));
        assert_int_equal(shell("[ \"$(ls -A '%s')\" = mine ]", output), 0);
        spec.exists_mode = "overwrite";
        id = submitted(engines[i], &spec);
        if (engines[i]->here) {
            assert_string_equal(wait_end(engines[i], id, false).state, "COMPLETED");
        }
    }
}

static void a_mark_decides_whose_an_output_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTPUT_MARKS; i++) {
        char command[1000];
        struct err err = {0};
        int64_t id = 0;
        struct job_spec spec = new_job("true", command);
        assert_int_equal(
            shell("mkdir -p '%s' && cd '%s' && { %s; }", output, output, output_marks[i].make), 0);
        int rc = job_submit(&engine_file, &cfg, &spec, &id, &err);
        if (rc != (output_marks[i].free ? 0 : -1)) {
            fail_msg("%s: %d %s", output_marks[i].make, rc, err.msg);
        }
        if (output_marks[i].free) {
            assert_int_equal(shell("[ \"$(cat '%s/.trawl-task')\" = task ]", output), 0);
        } else {
            assert_int_equal(err.kind, ERR_INVALID);
        }
    }
}

/* --- job files --- */

static void a_job_file_says_all_and_its_status_is_read(void **state)
{
    (void)state;
    char command[1000];
    struct job_outcome out;
    struct job_spec spec = new_job("true", command);
    assert_int_equal(shell("mkdir -p '%s' && echo task >'%s/.trawl-task' && "
                           "echo COMPLETED >'%s/job_status.log'",
                           output, output, output),
                     0);
    int64_t id = submitted(&engine_file, &spec);
    assert_true(submitted(&engine_file, &spec) == id);
    assert_true(engine_file.id_of(name) == id);
    assert_int_equal(shell("cd output/job_queue && [ $(ls *.job | wc -l) = 1 ] && "
                           "grep -qxF \"CUSTOM_COMMAND=it's \\$(touch pwned)\" %s.job && "
                           "grep -qxF 'OUTPUT_PATH=%s' %s.job",
                           name, output, name),
                     0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_WAITS); /* not the old COMPLETED */
    assert_int_equal(shell("cd output/job_queue && mv %s.job %s.job.processed && "
                           "printf 'PID 7\\n' >'%s/job_status.log'",
                           name, name, output),
                     0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_WAITS);
    assert_true(submitted(&engine_file, &spec) == id); /* taken is submitted */
    assert_int_equal(shell("printf ' COMPLETED\\r\\n\\n' >>'%s/job_status.log'", output), 0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_SUCCEEDED);
    assert_true(out.elapsed_s >= 0);
    assert_int_equal(shell("echo FAILED >>'%s/job_status.log'", output), 0);
    assert_int_equal(look(&engine_file, id, false, &out), JOB_FAILED);
}

static void a_job_file_is_withdrawn_and_a_name_is_given_up(void **state)
{
    (void)state;
    char command[1000];
    struct job_outcome out;
    struct err err = {0};
    struct job_spec spec = new_job("true", command);
    int64_t id = submitted(&engine_file, &spec);
    assert_int_equal(look(&engine_file, id, true, &out), JOB_CANCELLED);
    assert_int_equal(shell("[ ! -e output/job_queue/%s.job ]", name), 0);

    spec = new_job("true", command);
    assert_int_equal(job_ask(&engine_file, &cfg, &spec, &id, &err), 0);
    assert_int_equal(id, 0);
    assert_int_equal(job_submit(&engine_file, &cfg, &spec, &id, &err), -1);
    assert_int_equal(err.kind, ERR_HOLD);
    assert_int_equal(look(&engine_file, 5, false, &out), JOB_UNKNOWN);

    static const struct job_pair lines[] = {{"A", "two\nlines"}};
    struct err bad = {0};
    spec = new_job("true", command);
    spec.env = lines;
    spec.n_env = 1;
    assert_int_equal(job_submit(&engine_file, &cfg, &spec, &id, &bad), -1);
    assert_int_equal(bad.kind, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_local_job_runs_once_and_tells_how_it_went),
        TEST(a_local_job_outlives_who_submitted_it_and_is_found),
        TEST(a_submission_that_is_killed_anywhere_makes_one_job_or_none),
        TEST(many_that_submit_one_name_start_one_process),
        TEST(a_local_job_is_stopped_and_one_that_vanished_is_lost),
        TEST(a_local_job_keeps_to_its_time_and_memory),
        TEST(words_that_name_no_engine_name_none),
        TEST(the_output_of_another_task_is_not_touched),
        TEST(a_mark_decides_whose_an_output_is),
        TEST(a_job_file_says_all_and_its_status_is_read),
        TEST(a_job_file_is_withdrawn_and_a_name_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
