/*
 * test_job_engines.c - the engines that need no cluster: processes of this host, and job files.
 * Real processes, real locks; whoever submits is killed now and then.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/mono.h"
#include "test.h"
#include "unit/output_marks.h"
#include "workers/job/job.h"

static char root[64], none[1] = "", slurm_root[80], output_root[80];
static struct config cfg = {
    .location = {.slurm = {.worker = slurm_root, .cluster = none},
                 .output = {.worker = output_root, .cluster = none}},
    .slurm = {.modules = none},
};
static char folder[200], output[200], name[32];
static int count;

static int __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
    AUTO(free) char *line = NULL;
    AUTO(free) char *all = NULL;
    va_list ap;
    va_start(ap, format);
    assert_true(vasprintf(&line, format, ap) > 0);
    va_end(ap);
    assert_true(asprintf(&all, "cd %s && { %s\n}", root, line) > 0);
    int rc = system(all);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(test_folder(root, sizeof root, "trawl-engine"));
    snprintf(slurm_root, sizeof slurm_root, "%s/slurm", root);
    snprintf(output_root, sizeof output_root, "%s/output", root);
    mkdir(slurm_root, 0700);
    mkdir(output_root, 0700);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    /* A job's last helper may still be leaving. */
    for (int i = 0; i < 50 && shell("cd / && rm -rf %s 2>/dev/null", root) != 0; i++) {
        mono_sleep_ms(50);
    }
    return access(root, F_OK) == 0 ? -1 : 0;
}

/* A job of a new name; its command is a line of bash. */
static struct job_spec new_job(const char *line, char command[static 1000])
{
    static const struct job_pair env[] = {{"CUSTOM_COMMAND", "it's $(touch pwned)"},
                                          {"OUTPUT_PATH", output}};
    snprintf(name, sizeof name, "trawl-test-%d", ++count);
    snprintf(folder, sizeof folder, "%s/jobs/m/%s", slurm_root, name);
    snprintf(output, sizeof output, "%s/P1/out %d", output_root, count);
    snprintf(command, 1000, "bash -c '%s'", line);
    return (struct job_spec){.name = name,
                             .folder = folder,
                             .owner = "task",
                             .output = output,
                             .worker_output = output,
                             .exists_mode = "raise",
                             .command = command,
                             .env = env,
                             .n_env = 2,
                             .input = "",
                             .results = "",
                             .copy_stem = "",
                             .copy_variable = "",
                             .mem = "",
                             .time = "",
                             .cpus = 1};
}

static int64_t submitted(const struct job_engine *e, const struct job_spec *spec)
{
    struct err err = {0};
    int64_t id = 0;
    if (job_submit(e, &cfg, spec, &id, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    assert_true(id > 0);
    return id;
}

/* One look; the fate, and how it ended. */
static enum job_fate look(const struct job_engine *e, int64_t id, bool cancel,
                          struct job_outcome *out)
{
    struct err err = {0};
    struct job_poll poll;
    struct job_watched job = {.view = {.id = id, .name = name},
                              .folder = folder,
                              .worker_output = output,
                              .cancel = cancel};
    assert_int_equal(e->look(&cfg, &job, 1, &poll, &err), 0);
    assert_true(poll.queue_ok && poll.accounting_ok);
    job_poll_fini(&poll);
    return states_decide(&job.view, out);
}

static struct job_outcome wait_end(const struct job_engine *e, int64_t id, bool cancel)
{
    struct job_outcome out;
    int64_t until = mono_ms() + 20000;
    while (look(e, id, cancel, &out) == JOB_WAITS) {
        assert_true(mono_ms() < until);
        mono_sleep_ms(20);
    }
    return out;
}

static void assert_ran(int times)
{
    if (shell("[ \"$(cat ran 2>/dev/null | wc -l)\" = %d ]", times) != 0) {
        shell("cat ran >&2");
        fail_msg("it did not run %d times", times);
    }
}

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_local_job_runs_once_and_tells_how_it_went),
        TEST(a_local_job_outlives_who_submitted_it_and_is_found),
        TEST(a_submission_that_is_killed_anywhere_makes_one_job_or_none),
        TEST(many_that_submit_one_name_start_one_process),
        TEST(a_local_job_is_stopped_and_one_that_vanished_is_lost),
        TEST(a_local_job_keeps_to_its_time_and_memory),
        TEST(the_output_of_another_task_is_not_touched),
        TEST(a_mark_decides_whose_an_output_is),
        TEST(a_job_file_says_all_and_its_status_is_read),
        TEST(a_job_file_is_withdrawn_and_a_name_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
