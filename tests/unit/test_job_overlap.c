/*
 * test_job_overlap.c - no two runs of one task at the same time, and no two jobs in one output
 * folder: the wrapper's part, and the head node's when it submits. The wrapper's beat is made
 * faster.
 */
#include "unit/script_fixture.h"

/* Ends with the status of the last command. */
#define FAST "sed 's/^BEAT_S=.*/BEAT_S=0.1/' \"$W\" >fast; "

static void the_wrapper_shows_that_it_lives(void **state)
{
    (void)state;
    job_env("\"sleep 1.5\"", "");
    assert_int_equal(shell(FAST "SLURM_JOB_ID=7 bash fast \"$R/job\" & w=$!\n"
                                "until [ -s job/beat ]; do sleep 0.02; done; a=$(cat job/beat)\n"
                                "sleep 0.7; b=$(cat job/beat); wait $w || exit 1\n"
                                "[ \"$a\" != \"$b\" ] || exit 2; c=$(cat job/beat); sleep 0.5\n"
                                "[ \"$c\" = \"$(cat job/beat)\" ]"),
                     0);
    assert_status("COMPLETED", 0);
}

/* Whoever closes a name stops the job, also one that the cluster has forgotten. */
static void a_job_that_is_closed_or_overtaken_while_it_runs_stops(void **state)
{
    (void)state;
    static const char *const ends[] = {"touch job/closed", "echo n2 >out/.trawl-job"};
    for (size_t i = 0; i < 2; i++) {
        AUTO(free) char *line = NULL;
        job_env("\"bash -c 'echo begins; sleep 30; echo after'\"", "");
        assert_int_equal(shell("rm -f job/claimed job/closed job/status.json job/run out/log.txt; "
                               "echo n1 >out/.trawl-job"),
                         0);
        assert_true(asprintf(&line,
                             FAST "SLURM_JOB_ID=7 bash fast \"$R/job\" & w=$!\n"
                                  "until grep -qs begins out/log.txt; do sleep 0.02; done\n"
                                  "%s; SECONDS=0; wait $w; [ $SECONDS -lt 15 ]",
                             ends[i]) > 0);
        assert_int_equal(shell(line), 0);
        assert_status("SUPERSEDED", 143);
        assert_int_equal(shell("! grep -q after out/log.txt"), 0);
    }
}

/* NODE_FAIL with a requeue: the same id runs again while its first run goes on elsewhere. */
static void a_job_that_runs_again_waits_until_its_first_run_is_gone(void **state)
{
    (void)state;
    assert_int_equal(shell("cat >slow <<'E'\ntrap 'sleep 0.5; echo stopped >>ran; exit 1' TERM\n"
                           "echo begin >>ran; sleep 2 & wait; echo end >>ran\nE\n"),
                     0);
    job_env("\"bash $R/slow\"", "");
    assert_int_equal(shell(FAST
                           "SLURM_JOB_ID=7 bash fast \"$R/job\" & w=$!\n"
                           "until grep -qs begin out/ran; do sleep 0.02; done\n"
                           "SLURM_JOB_ID=7 SLURM_RESTART_COUNT=1 bash fast \"$R/job\" || exit 1\n"
                           "wait $w; cat out/ran >&2\n"
                           "[ \"$(tr '\\n' ' ' <out/ran)\" = 'begin stopped begin end ' ]"),
                     0);
    json_t *s = status();
    assert_int_equal(json_integer_value(json_object_get(s, "restart")), 1);
    assert_string_equal(json_string_value(json_object_get(s, "state")), "COMPLETED");
    json_decref(s);
}

static void a_signal_before_the_command_begins_ends_the_job(void **state)
{
    (void)state;
    job_env("\"touch ran\"", "\"'$R/in/fifo'\"");
    assert_int_equal(shell("mkfifo in/fifo; SLURM_JOB_ID=7 bash \"$W\" \"$R/job\" & w=$!\n"
                           "until [ -d out/tmp_raw_data ]; do sleep 0.02; done\n"
                           "kill -TERM $w; : >in/fifo; wait $w; [ ! -e out/ran ]"),
                     0);
    json_t *s = status();
    assert_string_equal(json_string_value(json_object_get(s, "state")), "KILLED");
    json_decref(s);
}

/* A start file of the user, and what it exports, is for the command and not for the wrapper. */
static void the_users_environment_does_not_reach_the_wrapper(void **state)
{
    (void)state;
    job_env("\"bash -c 'type -t mine'\"", "");
    assert_int_equal(
        shell("cp \"$W\" w && chmod 755 w && echo 'echo BASH_ENV >&2' >env.sh\n"
              "env CDPATH=/tmp BASH_ENV=$R/env.sh SHELLOPTS=noglob:nounset:errexit SLURM_JOB_ID=7 "
              "'BASH_FUNC_mine%%=() { :; }' 'BASH_FUNC_mv%%=() { echo; }' "
              "'BASH_FUNC_date%%=() { exit 9; }' ./w \"$R/job\""),
        0);
    assert_status("COMPLETED", 0);
    assert_int_equal(shell("grep -qx function out/log.txt"), 0);
}

/* --- the head node --- */

/* The job old of task `owner` has begun, and its last word is state; its beat is 0.5. */
static void old_job(const char *owner, const char *state)
{
    AUTO(free) char *line = NULL;
    assert_true(
        asprintf(&line,
                 "rm -rf jobs new; mkdir -p jobs/m1/old 'new/x y/out'; echo 5 >jobs/m1/old/job_id\n"
                 "ln -s 5 jobs/m1/old/claimed; echo '%s' >'new/x y/out/.trawl-task'\n"
                 "echo old >'new/x y/out/.trawl-job'; echo 0.5 >jobs/m1/old/beat; rm -f cancelled\n"
                 "echo '{\"state\":\"%s\"}' >jobs/m1/old/status.json",
                 owner, state) > 0);
    assert_int_equal(shell(line), 0);
}

static void an_output_folder_that_an_earlier_attempt_writes_is_not_used(void **state)
{
    (void)state;
    stand_in("squeue", "exit 0");
    stand_in("sbatch", "echo 22");
    stand_in("scancel", "echo \"$@\" >$R/cancelled");
    old_job("task/1", "RUNNING");
    struct job_result r = submit("raise");
    assert_int_equal(r.answer, JOB_UNUSABLE);
    assert_non_null(strstr(r.message, "job 5 (old) still writes to"));
    assert_int_equal(
        shell("[ -e jobs/m1/old/closed ] && [ \"$(cat cancelled)\" = '--name=old 5' ]"), 0);
    assert_int_equal(shell("[ ! -e jobs/m%d/n1/job_id ]"), 0);

    /* its beat has stood still for long */
    assert_int_equal(shell("read -r beat since <jobs/m1/old/looked && "
                           "echo \"$beat $((since - 70))\" >jobs/m1/old/looked"),
                     0);
    assert_int_equal(submit("raise").answer, JOB_FOUND);

    old_job("task/1", "RUNNING");
    assert_int_equal(submit("raise").answer, JOB_UNUSABLE);
    assert_int_equal(shell("read -r beat since <jobs/m1/old/looked && "
                           "echo \"$beat $((since - 70))\" >jobs/m1/old/looked && "
                           "echo 0.6 >jobs/m1/old/beat"), /* and then it moves */
                     0);
    assert_int_equal(submit("raise").answer, JOB_UNUSABLE);
    assert_int_equal(shell("echo '{\"state\":\"SUPERSEDED\"}' >jobs/m1/old/status.json"), 0);
    assert_int_equal(submit("raise").answer, JOB_FOUND);

    old_job("task/1", "COMPLETED");
    assert_int_equal(submit("raise").answer, JOB_FOUND);
    old_job("task/1", "RUNNING");
    assert_int_equal(shell("rm jobs/m1/old/claimed"), 0); /* it has not begun: it never will */
    assert_int_equal(submit("raise").answer, JOB_FOUND);
    assert_int_equal(shell("[ -e jobs/m1/old/closed ]"), 0);
}

static void another_tasks_job_is_waited_for_and_not_stopped(void **state)
{
    (void)state;
    stand_in("squeue", "exit 0");
    stand_in("sbatch", "echo 22");
    stand_in("scancel", "touch $R/cancelled");
    old_job("task/2", "RUNNING");
    assert_int_equal(submit("overwrite").answer, JOB_UNUSABLE);
    assert_int_equal(shell("[ ! -e jobs/m1/old/closed ] && [ ! -e cancelled ]"), 0);
    assert_int_equal(shell("echo '{\"state\":\"FAILED\"}' >jobs/m1/old/status.json"), 0);
    assert_int_equal(submit("overwrite").answer, JOB_FOUND);
}

/* The folder is refused, so nothing happens to the job for which it was made. */
static void another_tasks_job_that_has_not_begun_still_may(void **state)
{
    (void)state;
    stand_in("squeue", "exit 0");
    stand_in("sbatch", "echo 22");
    stand_in("scancel", "touch $R/cancelled");
    old_job("task/2", "RUNNING");
    assert_int_equal(shell("rm jobs/m1/old/claimed jobs/m1/old/status.json jobs/m1/old/beat"), 0);
    assert_int_equal(submit("raise").answer, JOB_TAKEN);
    assert_int_equal(shell("[ ! -e jobs/m1/old/closed ] && [ ! -e cancelled ]"), 0);
    assert_int_equal(submit("overwrite").answer, JOB_FOUND);
    assert_int_equal(shell("[ -e jobs/m1/old/closed ]"), 0);
}

static void what_a_site_prints_around_the_id_of_a_job_is_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        int64_t id;
    } cases[] = {
        {"echo 17", 17},
        {"echo \"Welcome\"; echo \"17;lab\"; echo \"sbatch: 3 credits left\" >&2", 17},
        {"printf \"17\\r\\n\"; echo; echo 17", 17},
        {"echo 17; echo 18", 0},
        {"echo Submitted batch job 17", 0},
        {"true", 0},
    };
    stand_in("squeue", "exit 0");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(shell("rm -rf jobs new"), 0);
        stand_in("sbatch", cases[i].says);
        struct job_result r = submit("raise");
        assert_int_equal(r.answer, cases[i].id > 0 ? JOB_FOUND : JOB_UNCERTAIN);
        assert_int_equal(r.id, cases[i].id);
    }
}

/* nextflow-io/nextflow#316, gwforg/gwf#44: neither list has the job, slurmctld does. */
static void slurmctld_is_asked_for_what_no_list_has(void **state)
{
    (void)state;
    struct err err = {0};
    struct job_poll poll;
    struct job_watched view = {.view = {.id = 8, .name = "n8"}};
    AUTO(strbuf_fini) struct strbuf t = {0};
    char folder[100];
    snprintf(folder, sizeof folder, "%s/job", root);
    stand_in("sbatch", "exit 0");
    stand_in("squeue", "exit 0");
    stand_in("sacct", "echo \"8|n8|RUNNING|0:0|5\"");
    stand_in("scontrol", "echo \"JobId=7 JobName=n8 JobState=FAILED ExitCode=1:0\"; "
                         "echo \"JobId=8 JobName=n8 JobState=PENDING ExitCode=0:0 \"");
    stand_in("scancel", "echo \"$@\" >$R/cancelled");
    assert_int_equal(shell("ln -s 8 job/claimed; echo 0.3 >job/beat"), 0);
    assert_int_equal(slurm_begin(&t, &err), 0);
    view.folder = folder;
    slurm_put_close(&t, &view);
    slurm_put_watch(&t, 8, "n8", folder);
    slurm_put_poll(&t, "trawl-me-");
    AUTO(free) char *reply = head_node(&t, &err);
    slurm_read_poll(reply, &view, 1, &poll);
    assert_string_equal(view.view.scontrol.state, "PENDING");
    assert_string_equal(view.view.sacct.state, "RUNNING");
    assert_true(view.view.claimed && view.view.closed && poll.queue_ok && poll.accounting_ok);
    assert_string_equal(view.view.beat, "0.3");
    assert_int_equal(shell("[ \"$(cat cancelled)\" = '--name=n8 8' ]"), 0);
    job_poll_fini(&poll);
}

/* Silence of what is not there is no reason to wait for it; of what does not answer it is. */
static void a_site_without_accounting_is_no_error_and_accounting_that_is_away_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *sacct;
        bool accounting_ok;
    } cases[] = {{"echo \"sacct: error: Connection refused\" >&2; exit 1", false},
                 {"exit 127", true},
                 {"exit 0", true}};
    char folder[100];
    snprintf(folder, sizeof folder, "%s/job", root);
    stand_in("sbatch", "exit 0");
    stand_in("squeue", "exit 0");
    stand_in("scontrol", "exit 0");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct job_poll poll;
        struct job_watched view = {.view = {.id = 8, .name = "n8"}, .folder = folder};
        AUTO(strbuf_fini) struct strbuf t = {0};
        stand_in("sacct", cases[i].sacct);
        assert_int_equal(slurm_begin(&t, &err), 0);
        slurm_put_watch(&t, 8, "n8", folder);
        slurm_put_poll(&t, "trawl-me-");
        AUTO(free) char *reply = head_node(&t, &err);
        slurm_read_poll(reply, &view, 1, &poll);
        assert_true(poll.queue_ok);
        assert_int_equal(poll.accounting_ok, cases[i].accounting_ok);
        job_poll_fini(&poll);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_wrapper_shows_that_it_lives),
        TEST(a_job_that_is_closed_or_overtaken_while_it_runs_stops),
        TEST(a_job_that_runs_again_waits_until_its_first_run_is_gone),
        TEST(a_signal_before_the_command_begins_ends_the_job),
        TEST(the_users_environment_does_not_reach_the_wrapper),
        TEST(an_output_folder_that_an_earlier_attempt_writes_is_not_used),
        TEST(another_tasks_job_is_waited_for_and_not_stopped),
        TEST(another_tasks_job_that_has_not_begun_still_may),
        TEST(what_a_site_prints_around_the_id_of_a_job_is_passed_over),
        TEST(slurmctld_is_asked_for_what_no_list_has),
        TEST(a_site_without_accounting_is_no_error_and_accounting_that_is_away_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
