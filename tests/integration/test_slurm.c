/*
 * test_slurm.c - the quant kind against a real SLURM behind a real sshd (local/cluster,
 * local/sshd). The raw file of a test is a shell script that the "software" runs; runner and
 * database are fakes.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "slurm_world.h"
#include "test.h"
#include "workers/job/cluster.h"

#define RESULT                                                                                     \
    "printf 'ms1_scans\\tms2_scans\\tgradient_length\\tstatus\\tdetail\\n"                         \
    "12\\t34\\t\\tok\\t\\n' >\"$OUT/msqc_results.tsv\"\n"

static void assert_says(const struct err *err, enum err_kind kind, const char *part)
{
    if (err->kind != kind || strstr(err->msg, part) == NULL) {
        fail_msg("expected %s with \"%s\", got %s: %s", err_kind_name(kind), part,
                 err_kind_name(err->kind), err->msg);
    }
}

static void assert_ok(int rc, int expected, const struct err *err)
{
    if (rc != expected) {
        fail_msg("%d: %s", rc, err->msg);
    }
}

static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

static int sshd_port(void)
{
    return (int)strtol(strchr(world.cfg.ssh.hosts, ':') + 1, NULL, 10);
}

static void a_job_runs_and_its_metrics_are_stored(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "echo hello\n" RESULT);
    assert_ok(world_run(&err), 0, &err);
    assert_int_equal(world_ran(), 1);
    assert_string_equal(world.outcome.state, "COMPLETED");
    assert_string_equal(world.outcome.source, "wrapper");
    assert_true(world_metric("ms1_scans") == 12 && world_metric("ms2_scans") == 34);
    assert_true(world_metric("time_elapsed") >= 0);
    world_shell("grep -qx hello '%s/output/P1/out_a.mzML/msqc/log.txt'", world.root);
    world_shell("head -1 '%s/output/P1/out_a.mzML/msqc/log.txt' | grep -q 'slurm_job_id: %ld'",
                world.root, (long)world.parked_id);
    world_remove();
}

static void names_with_quotes_newlines_and_brackets_arrive_whole(void **state)
{
    (void)state;
    struct err err = {0};
    world_new(
        "a b'c\"d$(touch pwned)`touch pwned`[1]*;&|\n\xc3\xa4\xff%s.raw",
        "cat job.env >/dev/null 2>&1; [ \"$RAW_FILE_PATH\" = \"$1\" ] || exit 9\n"
        "[ \"$PWD\" = \"$OUT\" ] || exit 8\n[ \"$OUTPUT_PATH\" = \"$OUT\" ] || exit 7\n" RESULT);
    assert_ok(world_run(&err), 0, &err);
    world_shell("test -z \"$(find '%s' -name pwned)\"", world.root);
    assert_true(world_metric("ms1_scans") == 12);
    world_remove();
}

static void a_failed_job_says_its_exit_code_and_the_end_of_its_log(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "for i in $(seq 100); do echo line $i; done; exit 3\n");
    assert_ok(world_run(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "FAILED: job ");
    assert_says(&err, ERR_INVALID, "exit code 3");
    assert_says(&err, ERR_INVALID, "log.txt ends: line 100");
    assert_int_equal(strncmp(world.log_tail, "line 51\n", 8), 0);
    assert_int_equal(world.kept_id, 0);
    /* an operator's retry runs it again */
    struct err again = {0};
    world.attempt = 1;
    assert_ok(world_run(&again), -1, &again);
    assert_int_equal(world_ran(), 2);
    world_remove();
}

static void a_job_without_a_result_is_no_success(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "echo nothing to do\n");
    assert_ok(world_run(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "it wrote no msqc_results.tsv");
    world_remove();
}

static void an_older_result_does_not_pass_for_a_new_one(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "[ $(wc -l <$OUT/../../../../ran) = 1 ] && {\n"
                        "printf 'ms1_scans\\n1' >\"$OUT/msqc_results.tsv\"; }\ntrue\n");
    assert_ok(world_run(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "the file is cut");
    struct err again = {0};
    assert_ok(world_run(&again), -1, &again);
    assert_says(&again, ERR_INVALID, "it wrote no msqc_results.tsv");
    world_remove();
}

static void a_cancelled_task_cancels_its_job(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "sleep 300\n");
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    world.cancel = true;
    world_watch();
    assert_string_equal(world.outcome.state, "CANCELLED");
    assert_ok(world_attempt(&err), -1, &err);
    assert_int_equal(err.kind, ERR_CANCELLED);
    world_remove();
}

static void a_job_that_somebody_else_cancels_is_told_apart(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "sleep 300\n");
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    world.cancel = true;
    world_watch();
    world.cancel = false;
    assert_ok(world_attempt(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "not by Trawl");
    world_remove();
}

static void a_worker_that_dies_after_submitting_does_not_submit_again(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "sleep 1\n" RESULT);
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    int64_t first = world.parked_id;
    world.parked = false; /* the park was lost, only the name is known */
    world.kept_id = 0;
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    assert_int_equal(world.parked_id, first);
    world_watch();
    assert_ok(world_attempt(&err), 0, &err);
    assert_int_equal(world_ran(), 1);
    world_remove();
}

/* The name is known by squeue and sacct alone: the folder's own notes are gone. */
static void a_job_is_found_by_its_name_alone(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", "sleep 2\n" RESULT);
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    int64_t first = world.parked_id;
    world_shell("rm -f '%s'/job_id '%s'/claimed", world.parked_folder, world.parked_folder);
    world.parked = false;
    world.kept_id = 0;
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    assert_int_equal(world.parked_id, first);
    world_remove();
}

static void use_proxy(int port)
{
    char hosts[40];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    AUTO(free) char *known = NULL;
    assert_true(asprintf(&known, "%s/known_hosts", world.root) > 0);
    world_shell("sed 's/^[^ ]*/[127.0.0.1]:%d/' '%s' >'%s'", port,
                world_env("TRAWL_SSH_KNOWN_HOSTS"), known);
    set(&world.cfg.ssh.hosts, hosts);
    set(&world.cfg.ssh.known_hosts, known);
}

static void use_cluster(void)
{
    cluster_close();
    set(&world.cfg.ssh.hosts, world_env("TRAWL_SSH_HOSTS"));
    set(&world.cfg.ssh.known_hosts, world_env("TRAWL_SSH_KNOWN_HOSTS"));
}

/* Submit through a connection whose answers are cut after some bytes; how many there were. */
static long submit_cut(long cut, struct err *err, int *rc)
{
    int port = 0;
    struct proxy *p = proxy_start(sshd_port(), cut, &port);
    use_proxy(port);
    world.cfg.ssh.connect_ms = 2000;
    world.cfg.ssh.command_ms = 5000;
    *rc = world_attempt(err);
    cluster_close();
    long answered = proxy_stop(p);
    use_cluster();
    return answered;
}

static void a_lost_reply_makes_neither_two_jobs_nor_none(void **state)
{
    (void)state;
    int rc = 0;
    struct err err = {0};
    world_new("a.mzML", RESULT);
    long whole = submit_cut(0, &err, &rc);
    assert_ok(rc, STEP_PARK, &err);
    world_watch();
    world_remove();
    int adopted = 0;
    const struct cuts cuts = world_cuts((struct cuts){.step = 20, .from = 0});
    for (long cut = whole - cuts.from; cut > whole - 560; cut -= cuts.step) {
        struct err lost = {0};
        struct err clear = {0};
        world_new("a.mzML", RESULT);
        submit_cut(cut, &lost, &rc);
        if (rc != STEP_PARK) {
            assert_int_equal(lost.kind, ERR_HOLD);
            assert_ok(world_attempt(&clear), STEP_PARK, &clear);
            adopted += strstr(world.parked_name, "-f7") != NULL;
        }
        world_watch();
        assert_ok(world_attempt(&clear), 0, &clear);
        assert_int_equal(world_ran(), 1);
        world_remove();
    }
    assert_true(adopted > 0);
}

/* slurmctld takes the job although sbatch has given up: only where the test may stop the daemon. */
static void a_controller_that_hangs_costs_no_attempt_and_makes_no_second_job(void **state)
{
    (void)state;
    struct err err = {0};
    struct err again = {0};
    const char *pid = getenv("TRAWL_TEST_SLURMCTLD_PID");
    if (pid == NULL) {
        fprintf(stderr, "SKIPPED: TRAWL_TEST_SLURMCTLD_PID is not set\n");
        skip();
    }
    world_new("a.mzML", RESULT);
    world_shell("kill -STOP %s", pid);
    int rc = world_attempt(&err);
    world_shell("kill -CONT %s", pid);
    assert_ok(rc, -1, &err);
    assert_says(&err, ERR_HOLD, "cannot tell whether");
    assert_ok(world_run(&again), 0, &again);
    assert_int_equal(world_ran(), 1);
    assert_non_null(strstr(world.parked_name, "-f7")); /* the job of the first try */
    world_remove();
}

static void a_bad_partition_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", RESULT);
    set(&world.cfg.slurm.partition, "no such; partition");
    assert_ok(world_attempt(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "invalid partition");
    world_remove();
}

static void a_folder_of_somebody_else_is_not_touched(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", RESULT);
    world_shell("mkdir -p '%s/output/P1/out_a.mzML/msqc' && cd '%s/output/P1/out_a.mzML/msqc' && "
                "echo x >mine && chmod -R 777 '%s/output'",
                world.root, world.root, world.root);
    assert_ok(world_attempt(&err), -1, &err);
    assert_says(&err, ERR_INVALID, "exists already");
    struct err again = {0};
    snprintf(world.exists_mode, sizeof world.exists_mode, "add");
    assert_ok(world_run(&again), 0, &again);
    world_shell("test -e '%s/output/P1/out_a.mzML/msqc.run2/msqc_results.tsv'", world.root);
    world_shell("test ! -e '%s/output/P1/out_a.mzML/msqc/log.txt'", world.root);
    world_remove();
}

/* --- SSH --- */

static void fails_to_connect(enum err_kind kind, const char *part)
{
    struct err err = {0};
    cluster_close();
    assert_ok(world_attempt(&err), -1, &err);
    assert_says(&err, kind, part);
}

static void an_unknown_host_is_refused_with_the_remedy(void **state)
{
    (void)state;
    world_new("a.mzML", RESULT);
    char path[100];
    snprintf(path, sizeof path, "%s/nobody", world.root);
    set(&world.cfg.ssh.known_hosts, path);
    fails_to_connect(ERR_HOLD, "cannot be read");
    world_shell("touch '%s'", path);
    fails_to_connect(ERR_HOLD, "trawl cluster trust 127.0.0.1:");
    world_shell("ssh-keygen -q -t ed25519 -N '' -f '%s/other' && "
                "echo \"$(cut -d' ' -f1 '%s') $(cut -d' ' -f1,2 '%s/other.pub')\" >'%s'",
                world.root, world_env("TRAWL_SSH_KNOWN_HOSTS"), world.root, path);
    fails_to_connect(ERR_HOLD, "has CHANGED");
    fails_to_connect(ERR_HOLD, "trawl cluster trust --replace");
    world_remove();
}

/* libssh2/libssh2#508; the rules one by one: test_known_hosts.c */
static void known_hosts_is_read_as_openssh_reads_it(void **state)
{
    (void)state;
    struct err err = {0};
    world_new("a.mzML", RESULT);
    const char *known = world_env("TRAWL_SSH_KNOWN_HOSTS");
    char path[100];
    snprintf(path, sizeof path, "%s/known", world.root);
    world_shell("cp '%s' '%s' && echo \"@revoked * $(cut -d' ' -f2,3 '%s')\" >>'%s'", known, path,
                known, path);
    set(&world.cfg.ssh.known_hosts, path);
    fails_to_connect(ERR_HOLD, "is marked @revoked in");
    world_shell("echo \"@cert-authority * $(cut -d' ' -f2,3 '%s')\" >'%s'", known, path);
    fails_to_connect(ERR_HOLD, "its @cert-authority is of no use");
    world_shell("sed 's/$/\\r/' '%s' >'%s' && ssh-keygen -q -H -f '%s' 2>/dev/null >&2", known,
                path, path);
    cluster_close();
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    char two[240];
    snprintf(two, sizeof two, "%s/none %s", world.root, path);
    set(&world.cfg.ssh.known_hosts, two);
    cluster_close();
    world_watch();
    assert_ok(world_attempt(&err), 0, &err);
    world_remove();
}

static void a_key_that_is_of_no_use_is_named(void **state)
{
    (void)state;
    world_new("a.mzML", RESULT);
    char path[100];
    snprintf(path, sizeof path, "%s/key", world.root);
    set(&world.cfg.ssh.key_file, path);
    fails_to_connect(ERR_HOLD, "[ssh] key_file");
    world_shell("ssh-keygen -q -t ed25519 -N '' -f '%s'", path);
    fails_to_connect(ERR_HOLD, "does not accept the key");
    world_shell("rm '%s' && ssh-keygen -q -t rsa -b 2048 -N '' -f '%s'", path, path);
    fails_to_connect(ERR_HOLD, "is an RSA key");
    world_shell("rm '%s' && ssh-keygen -q -t rsa -m PEM -b 2048 -N '' -f '%s'", path, path);
    fails_to_connect(ERR_HOLD, "is an RSA key");
    world_shell("rm '%s' && ssh-keygen -q -t ed25519 -N secret -f '%s'", path, path);
    fails_to_connect(ERR_HOLD, "has a passphrase");
    world_shell("echo nothing >'%s'", path);
    fails_to_connect(ERR_HOLD, "no private key");
    world_remove();
}

static int black_hole(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 4) == 0);
    assert_true(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void a_silent_head_node_costs_its_time_and_the_next_one_serves(void **state)
{
    (void)state;
    struct err err = {0};
    int port = 0;
    int fd = black_hole(&port);
    char hosts[100];
    world_new("a.mzML", RESULT);
    world.cfg.ssh.connect_ms = 700;
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    set(&world.cfg.ssh.hosts, hosts);
    int64_t start = mono_ms();
    fails_to_connect(ERR_HOLD, "no answer in time");
    assert_true(mono_ms() - start < 3000);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d, 127.0.0.1:1,%s", port,
             world_env("TRAWL_SSH_HOSTS"));
    set(&world.cfg.ssh.hosts, hosts);
    world.cfg.ssh.connect_ms = 2000;
    cluster_close();
    assert_ok(world_run(&err), 0, &err);
    close(fd);
    world_remove();
}

static void one_session_serves_many_jobs_and_heals(void **state)
{
    (void)state;
    struct err err = {0};
    int port = 0;
    world_new("a.mzML", RESULT);
    struct proxy *p = proxy_start(sshd_port(), 0, &port);
    use_proxy(port);
    uint64_t before = cluster_logins();
    assert_ok(world_attempt(&err), STEP_PARK, &err);
    assert_int_equal(cluster_logins() - before, 1);
    proxy_stop(p);
    use_cluster();
    world_watch();
    assert_ok(world_attempt(&err), 0, &err);
    assert_int_equal(world_ran(), 1);
    world_remove();
}

int main(void)
{
    if (getenv("TRAWL_SSH_HOSTS") == NULL) {
        fprintf(stderr, "SKIPPED: TRAWL_SSH_HOSTS is not set; eval \"$(local/env)\" first\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_runs_and_its_metrics_are_stored),
        cmocka_unit_test(names_with_quotes_newlines_and_brackets_arrive_whole),
        cmocka_unit_test(a_failed_job_says_its_exit_code_and_the_end_of_its_log),
        cmocka_unit_test(a_job_without_a_result_is_no_success),
        cmocka_unit_test(an_older_result_does_not_pass_for_a_new_one),
        cmocka_unit_test(a_cancelled_task_cancels_its_job),
        cmocka_unit_test(a_job_that_somebody_else_cancels_is_told_apart),
        cmocka_unit_test(a_worker_that_dies_after_submitting_does_not_submit_again),
        cmocka_unit_test(a_job_is_found_by_its_name_alone),
        cmocka_unit_test(a_lost_reply_makes_neither_two_jobs_nor_none),
        cmocka_unit_test(a_controller_that_hangs_costs_no_attempt_and_makes_no_second_job),
        cmocka_unit_test(a_bad_partition_is_refused_with_the_reason),
        cmocka_unit_test(a_folder_of_somebody_else_is_not_touched),
        cmocka_unit_test(an_unknown_host_is_refused_with_the_remedy),
        cmocka_unit_test(known_hosts_is_read_as_openssh_reads_it),
        cmocka_unit_test(a_key_that_is_of_no_use_is_named),
        cmocka_unit_test(a_silent_head_node_costs_its_time_and_the_next_one_serves),
        cmocka_unit_test(one_session_serves_many_jobs_and_heals),
    };
    cmocka_set_test_filter(getenv("TRAWL_TEST_ONLY")); /* a pattern of names; NULL: all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
