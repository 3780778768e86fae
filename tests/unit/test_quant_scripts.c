/*
 * test_quant_scripts.c - the two shell scripts under a real bash, without SLURM: the wrapper as a
 * node runs it, and the head node's functions with stand-ins for sbatch, squeue, sacct and scancel.
 */
#include "unit/output_marks.h"
#include "unit/script_fixture.h"

static void the_wrapper_reports_success_and_keeps_the_log(void **state)
{
    (void)state;
    job_env("\"printf '%s\\n' 'a  b' '\\$(touch pwned)'\"", "");
    assert_int_equal(shell("echo old >out/r.tsv; SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 0);
    assert_status("COMPLETED", 0);
    assert_int_equal(
        shell(
            "[ \"$(cat out/log.txt)\" = \"$(printf 'slurm_job_id: 7\\na  b\\n$(touch pwned)')\" ]"),
        0);
    assert_int_equal(shell("[ ! -e out/r.tsv ] && [ \"$(cat out/r.tsv.before-7)\" = old ]"), 0);
    assert_int_equal(shell("[ -z \"$(find . -name pwned)\" ]"), 0);
}

static void the_wrapper_passes_the_exit_code_on(void **state)
{
    (void)state;
    job_env("\"bash -c 'echo oops >&2; exit 42'\"", "");
    assert_int_equal(shell("SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 42);
    assert_status("FAILED", 42);
    assert_int_equal(shell("tail -1 out/log.txt | grep -qx oops"), 0);
    job_env("/no/such/program", "");
    assert_int_equal(shell("rm job/claimed; SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 127);
    assert_status("FAILED", 127);
}

static void a_killed_job_says_so(void **state)
{
    (void)state;
    job_env("\"sleep 60\"", "");
    assert_int_equal(
        shell("SLURM_JOB_ID=7 bash \"$W\" \"$R/job\" & w=$!\n"
              "until grep -q slurm_job_id out/log.txt; do sleep 0.02; done; sleep 0.1\n"
              "grep -q '\"state\":\"RUNNING\"' job/status.json || exit 1\n"
              "kill $w; wait $w; [ $? = 143 ]"),
        0);
    assert_status("KILLED", 143);
}

static void a_job_that_is_too_long_is_ended_where_nobody_else_does(void **state)
{
    (void)state;
    job_env("\"bash -c 'echo begins; sleep 60; echo after'\"", "");
    assert_int_equal(shell("LIMIT=1 SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 143);
    assert_status("TIMEOUT", 143);
    assert_int_equal(shell("grep -q begins out/log.txt && ! grep -q after out/log.txt"), 0);
}

static void the_most_memory_of_the_software_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        shell("printf 'a=$(head -c 40000000 /dev/zero | tr \\\\\\\\0 x)\\nsleep 3\\n' >big"), 0);
    job_env("\"bash $R/big\"", "");
    assert_int_equal(shell("SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 0);
    json_t *s = status();
    json_int_t kib = json_integer_value(json_object_get(s, "peak_memory_kib"));
    json_decref(s);
    if (kib < 38000 || kib > 400000) {
        fail_msg("%lld KiB", (long long)kib);
    }
}

static void a_second_job_of_the_same_name_does_nothing(void **state)
{
    (void)state;
    job_env("\"bash -c 'echo x >>ran'\"", "");
    assert_int_equal(shell("SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 0);
    assert_int_equal(shell("SLURM_JOB_ID=8 bash \"$W\" \"$R/job\""), 76);
    assert_status("COMPLETED", 0);
    /* the same job again, after its node was lost */
    assert_int_equal(shell("SLURM_JOB_ID=7 SLURM_RESTART_COUNT=1 bash \"$W\" \"$R/job\""), 0);
    assert_int_equal(shell("[ $(wc -l <out/ran) = 2 ]"), 0);
}

static void a_job_that_was_given_up_or_overtaken_does_nothing(void **state)
{
    (void)state;
    job_env("\"touch ran\"", "");
    assert_int_equal(shell("touch job/closed; SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""), 75);
    assert_status("SUPERSEDED", 75);
    assert_int_equal(shell("rm job/closed; echo n2 >out/.trawl-job; "
                           "SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""),
                     75);
    assert_int_equal(shell("[ ! -e out/ran ]"), 0);
}

/* Names of real sets: dots in the stem, brackets, names that differ in the case only. */
static void the_files_that_were_named_are_copied_and_no_other(void **state)
{
    (void)state;
    job_env("\"bash -c 'ls tmp_raw_data; echo \\$RAW_FILE_PATH'\"",
            "\"'$R/in/a.b.wiff' '$R/in/A.b.wiff.scan' '$R/in/a.b [x].wiff2'\"");
    assert_int_equal(shell("cd in && touch a.b.wiff A.b.wiff.scan a.b.wiff.scan a.b.5ng.wiff "
                           "a.b.5ng.wiff.scan 'a.b [x].wiff2' a.c.wiff && cd .. && "
                           "SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""),
                     0);
    assert_int_equal(shell("[ \"$(tail -n +2 out/log.txt | LC_ALL=C sort)\" = \"$(printf "
                           "\"$R/out/tmp_raw_data/a.b.wiff\nA.b.wiff.scan\na.b [x].wiff2\n"
                           "a.b.wiff\")\" ]"),
                     0);
    assert_int_equal(shell("[ ! -e out/tmp_raw_data ]"), 0);
}

/* --- the head node --- */

static struct job_result find_job(void)
{
    struct err err = {0};
    char folder[100];
    struct job_result r;
    AUTO(strbuf_fini) struct strbuf t = {0};
    snprintf(folder, sizeof folder, "%s/jobs/m%%d/n1", root);
    assert_int_equal(slurm_begin(&t, &err), 0);
    slurm_put_find(&t, "n1", folder);
    AUTO(free) char *reply = head_node(&t, &err);
    assert_non_null(reply);
    slurm_read_find(reply, "n1", &r);
    return r;
}

static void sbatch_gets_quoted_values_once(void **state)
{
    (void)state;
    stand_in("squeue", "exit 0");
    stand_in("sbatch", "echo called >>$R/calls; printf \"%s\\n\" \"$@\" >$R/args; echo \"17;lab\"");
    struct job_result r = submit("raise");
    assert_true(r.answer == JOB_FOUND && r.id == 17);
    r = submit("raise"); /* the same name again */
    assert_true(r.answer == JOB_FOUND && r.id == 17);
    assert_int_equal(shell("[ $(wc -l <calls) = 1 ]"), 0);
    assert_int_equal(shell(". jobs/m%d/n1/job.env && [ \"$A\" = \"it's\" ]"), 0);
    assert_int_equal(shell("grep -qxF -- \"--output=$R/jobs/m%%d/slurm-%j.out\" args && "
                           "grep -qx -- --export=NONE args && grep -qx -- --no-requeue args && "
                           "grep -qx -- --mem=1G args && ! grep -q -- --time args"),
                     0);
    assert_int_equal(
        shell("cmp \"$W\" scripts/run_job-*.sh && [ \"$(cat 'new/x y/out/.trawl-job')\" = n1 ]"),
        0);
    r = find_job();
    assert_true(r.answer == JOB_FOUND && r.id == 17);
}

static void an_error_of_sbatch_is_no_proof_that_there_is_no_job(void **state)
{
    (void)state;
    stand_in("sbatch", "echo \"sbatch: error: Socket timed out\" >&2; exit 1");
    stand_in("squeue", "echo \"18|N1\"; echo \"19|n1\"");
    stand_in("sacct", "exit 1");
    struct job_result r = submit("raise");
    assert_true(r.answer == JOB_UNCERTAIN);
    r = find_job();
    assert_true(r.answer == JOB_FOUND && r.id == 19);
}

static void a_name_that_is_not_found_is_closed(void **state)
{
    (void)state;
    stand_in("sbatch", "echo 20");
    stand_in("squeue", "echo cannot >&2; exit 1");
    stand_in("sacct", "exit 0");
    struct job_result r = find_job();
    assert_true(r.answer == JOB_UNCERTAIN && strstr(r.message, "cannot") != NULL);
    stand_in("squeue", "exit 0");
    r = find_job();
    assert_true(r.answer == JOB_NONE);
    r = submit("raise");
    assert_true(r.answer == JOB_NONE && r.id == 0); /* the late one is refused */
}

static void a_mark_decides_whose_an_output_folder_is(void **state)
{
    (void)state;
    stand_in("squeue", "exit 0");
    stand_in("sbatch", "echo 21");
    for (size_t i = 0; i < OUTPUT_MARKS; i++) {
        AUTO(free) char *line = NULL;
        assert_true(
            asprintf(&line,
                     "rm -rf jobs new && mkdir -p 'new/x y/out' && cd 'new/x y/out' && { %s; }",
                     output_marks[i].make) > 0);
        assert_int_equal(shell(line), 0);
        struct job_result r = submit("raise");
        if (r.answer != (output_marks[i].free ? JOB_FOUND : JOB_TAKEN)) {
            fail_msg("%s: %d %s", output_marks[i].make, (int)r.answer, r.message);
        }
        if (output_marks[i].free) {
            assert_int_equal(shell("[ \"$(cat 'new/x y/out/.trawl-task')\" = task/1 ]"), 0);
        } else {
            assert_non_null(strstr(r.message, "exists already"));
        }
    }
}

static void a_script_that_was_cut_does_nothing(void **state)
{
    (void)state;
    stand_in("squeue", "touch $R/ran");
    stand_in("sbatch", "touch $R/ran; echo 22");
    submit("raise");
    assert_int_equal(
        shell("[ -e ran ] && rm ran && rm -r jobs new && n=$(stat -c %s script) && "
              "for cut in 1 2 20 21 30 400 9000 $n; do head -c $((n-cut)) script >cut; "
              "PATH=\"$R/bin:$PATH\" /bin/bash -c \"$(cat line)\" <cut | "
              "grep -qx 'trawl|.*|end|short' || exit 9; "
              "done; [ ! -e ran ]"),
        0);
}

static void the_newer_witnesses_are_asked_only_for_jobs_that_left(void **state)
{
    (void)state;
    struct err err = {0};
    struct job_poll poll;
    struct job_watched views[] = {{.view = {.id = 1, .name = "n1"}},
                                  {.view = {.id = 2, .name = "n2"}},
                                  {.view = {.id = 2, .name = "n2-again"}}};
    AUTO(strbuf_fini) struct strbuf t = {0};
    char folder[100], again[100];
    stand_in("sbatch", "exit 0");
    stand_in("scancel", "printf \"%s \" \"$@\" >$R/cancelled");
    stand_in("squeue", "echo \"1|n1|RUNNING\"; echo \"3|x|RUNNING\"; "
                       "echo \"4|trawl-me-a|PENDING\"; echo \"5|trawl-me-b|COMPLETED\"");
    stand_in("sacct", "echo \"$*\" >>$R/asked; echo \"2|n2|TIMEOUT|0:0|90061\"");
    assert_int_equal(shell("echo '{\"job_name\":\"n1\",\"job_id\":1,\"state\":\"RUNNING\"}' "
                           ">job/status.json && mkdir again && echo "
                           "'{\"job_name\":\"n2-again\",\"job_id\":2,\"state\":\"COMPLETED\"}' "
                           ">again/status.json"),
                     0);
    snprintf(folder, sizeof folder, "%s/job", root);
    snprintf(again, sizeof again, "%s/again", root);
    assert_int_equal(slurm_begin(&t, &err), 0);
    slurm_put_cancel(&t, 2, "n2");
    slurm_put_watch(&t, 1, "n1", folder);
    slurm_put_watch(&t, 2, "n2-again", again);
    slurm_put_watch(&t, 2, "n2", "/no/where");
    slurm_put_poll(&t, "trawl-me-");
    AUTO(free) char *reply = head_node(&t, &err);
    assert_non_null(reply);
    slurm_read_poll(reply, views, 3, &poll);
    assert_string_equal(views[0].view.squeue.state, "RUNNING");
    assert_string_equal(views[0].view.wrapper.state, "RUNNING");
    assert_string_equal(views[1].view.sacct.state, "TIMEOUT");
    assert_int_equal(views[1].view.sacct.elapsed_s, 90061);
    assert_string_equal(views[1].view.wrapper.state, "");
    assert_string_equal(views[2].view.wrapper.state, "COMPLETED");
    assert_string_equal(views[2].view.sacct.state, "");
    assert_int_equal(poll.n_strays, 1);
    assert_string_equal(poll.strays[0].name, "trawl-me-a");
    job_poll_fini(&poll);
    assert_int_equal(shell("[ \"$(cat cancelled)\" = '--name=n2 2 ' ] && grep -q -- '-j 2 ' asked"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_wrapper_reports_success_and_keeps_the_log),
        TEST(the_wrapper_passes_the_exit_code_on),
        TEST(a_killed_job_says_so),
        TEST(a_job_that_is_too_long_is_ended_where_nobody_else_does),
        TEST(the_most_memory_of_the_software_is_told),
        TEST(a_second_job_of_the_same_name_does_nothing),
        TEST(a_job_that_was_given_up_or_overtaken_does_nothing),
        TEST(the_files_that_were_named_are_copied_and_no_other),
        TEST(sbatch_gets_quoted_values_once),
        TEST(an_error_of_sbatch_is_no_proof_that_there_is_no_job),
        TEST(a_name_that_is_not_found_is_closed),
        TEST(a_mark_decides_whose_an_output_folder_is),
        TEST(a_script_that_was_cut_does_nothing),
        TEST(the_newer_witnesses_are_asked_only_for_jobs_that_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
