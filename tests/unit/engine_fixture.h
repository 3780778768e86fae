/* engine_fixture.h - jobs of the engines that need no cluster, in folders of their own. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "test.h"
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
                             .copy = "",
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#endif
