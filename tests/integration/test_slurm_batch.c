/*
 * test_slurm_batch.c - many submissions in one round trip against a real SLURM behind a real sshd:
 * each job runs exactly once, wherever the answer is cut; and the ways to log in.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "slurm_world.h"
#include "test.h"
#include "workers/job/cluster.h"

#define JOBS 6

struct one {
    struct job_spec spec;
    char key[32], name[JOB_NAME_MAX], folder[200], output[200];
    struct job_result result;
    int rc;
    struct err err;
};

static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

static void name_job(struct one *j, int64_t fence)
{
    job_name(&world.cfg, j->key, fence, j->name);
    snprintf(j->folder, sizeof j->folder, "%s/slurm/jobs/2026_11/%s", world.root, j->name);
}

static void make_job(struct one *j, int number)
{
    static int salt;
    *j = (struct one){.rc = 0};
    snprintf(j->key, sizeof j->key, "%d-%d-%d", (int)getpid(), ++salt, number);
    snprintf(j->output, sizeof j->output, "%s/output/b %d", world.root, number);
    name_job(j, 1);
    j->spec = (struct job_spec){.name = j->name,
                                .folder = j->folder,
                                .owner = j->key,
                                .output = j->output,
                                .worker_output = j->output,
                                .exists_mode = "raise",
                                .command = "bash -c 'echo x >>ran'",
                                .input = "",
                                .results = "",
                                .copy = "",
                                .copy_variable = "",
                                .mem = "50M",
                                .time = "5:00",
                                .cpus = 1};
}

static void *submit_main(void *arg)
{
    struct one *j = arg;
    j->rc = engine_slurm.submit(&world.cfg, &j->spec, &j->result, &j->err);
    return NULL;
}

static void submit_all(struct one *jobs)
{
    pthread_t threads[JOBS];
    for (int i = 0; i < JOBS; i++) {
        make_job(&jobs[i], i);
    }
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_main, &jobs[i]), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* What the kind does with a lost answer; the job's id. */
static int64_t make_clear(struct one *j, int *adopted)
{
    struct err err = {0};
    int64_t id = j->rc == 0 && j->result.answer == JOB_FOUND ? j->result.id : 0;
    if (id == 0 && job_ask(&engine_slurm, &world.cfg, &j->spec, &id, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    *adopted += id > 0 && j->result.answer != JOB_FOUND;
    if (id == 0) {
        name_job(j, 2);
        if (job_submit(&engine_slurm, &world.cfg, &j->spec, &id, &err) != 0) {
            fail_msg("%s", err.msg);
        }
    }
    return id;
}

static int compare(const void *a, const void *b)
{
    const struct job_watched *x = a, *y = b;
    return x->view.id < y->view.id ? -1 : x->view.id > y->view.id;
}

static void wait_all(struct one *jobs, const int64_t *ids)
{
    int64_t until = mono_ms() + 60000;
    for (int ended = 0; ended < JOBS;) {
        struct job_watched watched[JOBS];
        struct job_poll poll;
        struct err err = {0};
        struct job_outcome out;
        for (int i = 0; i < JOBS; i++) {
            watched[i] = (struct job_watched){.view = {.id = ids[i], .name = jobs[i].name},
                                              .folder = jobs[i].folder};
        }
        qsort(watched, JOBS, sizeof *watched, compare);
        assert_int_equal(engine_slurm.look(&world.cfg, watched, JOBS, &poll, &err), 0);
        job_poll_fini(&poll);
        ended = 0;
        for (int i = 0; i < JOBS; i++) {
            ended += states_decide(&watched[i].view, &out) == JOB_SUCCEEDED;
        }
        assert_true(mono_ms() < until);
    }
    for (int i = 0; i < JOBS; i++) {
        world_shell("[ \"$(wc -l <'%s/ran')\" = 1 ]", jobs[i].output);
    }
}

static int port_of_sshd(void)
{
    return (int)strtol(strchr(world_env("TRAWL_SSH_HOSTS"), ':') + 1, NULL, 10);
}

/* Submit all through a way that is cut after some bytes of answer; how many there were. */
static long submit_cut(struct one *jobs, long cut)
{
    int port = 0;
    char hosts[40], known[100];
    struct proxy *p = proxy_start(port_of_sshd(), cut, &port);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    snprintf(known, sizeof known, "%s/known_hosts", world.root);
    world_shell("sed 's/^[^ ]*/[127.0.0.1]:%d/' '%s' >'%s'", port,
                world_env("TRAWL_SSH_KNOWN_HOSTS"), known);
    set(&world.cfg.ssh.hosts, hosts);
    set(&world.cfg.ssh.known_hosts, known);
    world.cfg.ssh.connect_ms = 2000;
    world.cfg.ssh.command_ms = 5000;
    submit_all(jobs);
    cluster_close();
    long answered = proxy_stop(p);
    set(&world.cfg.ssh.hosts, world_env("TRAWL_SSH_HOSTS"));
    set(&world.cfg.ssh.known_hosts, world_env("TRAWL_SSH_KNOWN_HOSTS"));
    return answered;
}

static void a_group_cut_anywhere_runs_every_job_once(void **state)
{
    (void)state;
    struct one jobs[JOBS];
    int64_t ids[JOBS];
    int adopted = 0, lost = 0;
    world_new("a", "true");
    long whole = submit_cut(jobs, 0);
    for (int i = 0; i < JOBS; i++) {
        assert_true(jobs[i].rc == 0 && jobs[i].result.answer == JOB_FOUND);
        ids[i] = jobs[i].result.id;
    }
    wait_all(jobs, ids);
    world_remove();
    const struct cuts cuts = world_cuts((struct cuts){.step = (whole - whole / 3) / 8, .from = 7});
    for (long cut = whole - cuts.from; cut > whole / 3; cut -= cuts.step) {
        world_new("a", "true");
        submit_cut(jobs, cut);
        for (int i = 0; i < JOBS; i++) {
            lost += jobs[i].result.answer != JOB_FOUND;
            ids[i] = make_clear(&jobs[i], &adopted);
        }
        wait_all(jobs, ids);
        world_remove();
    }
    assert_true(lost > 0 && adopted > 0);
}

/* --- ways to log in --- */

static void ask_cluster(bool ok, const char *part)
{
    struct job_poll poll = {0};
    struct err err = {0};
    cluster_close();
    int rc = engine_slurm.look(&world.cfg, NULL, 0, &poll, &err);
    job_poll_fini(&poll);
    if ((rc == 0) != ok || (!ok && strstr(err.msg, part) == NULL)) {
        fail_msg("%d: %s", rc, err.msg);
    }
    mono_sleep_ms(ok ? 0 : 2100); /* after a refusal nobody knocks for a moment */
}

static void the_keys_of_an_agent_open_the_door(void **state)
{
    (void)state;
    char socket[100], line[300];
    world_new("a", "true");
    set(&world.cfg.ssh.key_file, "");
    world.cfg.ssh.agent = true;
    snprintf(socket, sizeof socket, "%s/agent", world.root);
    assert_int_equal(setenv("SSH_AUTH_SOCK", socket, 1), 0);
    ask_cluster(false, "no SSH agent answers");
    world_shell("ssh-agent -a '%s' >'%s/agent.sh'", socket, world.root);
    ask_cluster(false, "none of the 0 keys");
    world_shell("ssh-keygen -q -t ed25519 -N '' -f '%s/other' && ssh-add -q '%s/other'", world.root,
                world.root);
    ask_cluster(false, "none of the 1 keys");
    world_shell("ssh-keygen -q -t rsa -N '' -f '%s/rsa' && ssh-add -q '%s/rsa'", world.root,
                world.root);
    ask_cluster(false, "RSA keys are not tried");
    world_shell("ssh-keygen -q -t ecdsa -N '' -f '%s/ecdsa' && ssh-add -q '%s/ecdsa'", world.root,
                world.root);
    snprintf(line, sizeof line, "cp '%s' '%s/key' && chmod 600 '%s/key' && ssh-add -q '%s/key'",
             world_env("TRAWL_SSH_KEY_FILE"), world.root, world.root, world.root);
    world_shell("%s", line);
    ask_cluster(true, "");
    world.cfg.ssh.connect_ms = 1500;
    world_shell(". '%s/agent.sh' >/dev/null && kill -STOP $SSH_AGENT_PID", world.root);
    ask_cluster(false, "no SSH agent answers");
    world_shell(". '%s/agent.sh' >/dev/null && kill -CONT $SSH_AGENT_PID", world.root);
    world.cfg.ssh.connect_ms = 10000;
    ask_cluster(true, "");
    world_shell(". '%s/agent.sh' >/dev/null && kill $SSH_AGENT_PID", world.root);
    unsetenv("SSH_AUTH_SOCK");
    world_remove();
}

static void a_password_in_a_file_opens_the_door(void **state)
{
    (void)state;
    char file[200], wrong[100];
    world_new("a", "true");
    snprintf(file, sizeof file, "%s/sshd/password", world_env("TRAWL_LOCAL_DIR"));
    snprintf(wrong, sizeof wrong, "%s/wrong", world.root);
    set(&world.cfg.ssh.key_file, "");
    if (access(file, R_OK) != 0) {
        fail_msg("%s is not there", file);
    }
    set(&world.cfg.ssh.password_file, file);
    ask_cluster(true, "");
    world_shell("echo wrong >'%s'", wrong);
    set(&world.cfg.ssh.password_file, wrong);
    ask_cluster(false, "does not accept the password");
    set(&world.cfg.ssh.password_file, "/no/such/file");
    ask_cluster(false, "[ssh] password_file");
    set(&world.cfg.ssh.password_file, "");
    ask_cluster(false, "no way to log in");
    world_remove();
}

int main(void)
{
    if (getenv("TRAWL_SSH_HOSTS") == NULL) {
        fprintf(stderr, "SKIPPED: TRAWL_SSH_HOSTS is not set; eval \"$(local/env)\" first\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_cut_anywhere_runs_every_job_once),
        cmocka_unit_test(the_keys_of_an_agent_open_the_door),
        cmocka_unit_test(a_password_in_a_file_opens_the_door),
    };
    cmocka_set_test_filter(getenv("TRAWL_TEST_ONLY")); /* a pattern of names; NULL: all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
