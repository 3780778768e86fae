/*
 * test_quant_scripts.c - the two shell scripts under a real bash, without SLURM: the wrapper as a
 * node runs it, and the head node's functions with stand-ins for sbatch, squeue, sacct and scancel.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "test.h"
#include "unit/output_marks.h"
#include "workers/job/slurm.h"

#define WRAPPER TEST_SOURCE_DIR "/workers/job/run_job.sh"

static char root[64];

static int set_up(void **state)
{
    (void)state;
    return test_folder(root, sizeof root, "trawl-script") != NULL && setenv("R", root, 1) == 0 &&
                   setenv("W", WRAPPER, 1) == 0 &&
                   system("cd $R && mkdir job out bin in && echo n1 >out/.trawl-job") == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return system("rm -rf $R") == 0 ? 0 : -1;
}

static int shell(const char *line)
{
    AUTO(free) char *all = NULL;
    assert_true(asprintf(&all,
                         "cd $R; unset SLURM_JOB_ID SLURM_RESTART_COUNT; {\n%s\n} >>sh.log 2>&1",
                         line) > 0);
    int rc = system(all);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void job_env(const char *command, const char *stem)
{
    AUTO(free) char *line = NULL;
    assert_true(asprintf(&line,
                         "cat >job/job.env <<'E'\nexport RAW_FILE_PATH=\"$R/in/a.b.wiff\"\n"
                         "export TRAWL_OUTPUT=\"$R/out\"\nexport TRAWL_COMMAND=%s\n"
                         "export TRAWL_JOB_NAME=n1\nexport TRAWL_MODULES=\n"
                         "export TRAWL_COPY_STEM=%s\nexport TRAWL_COPY_VARIABLE=RAW_FILE_PATH\n"
                         "export TRAWL_INPUT=\nexport TRAWL_LIMIT_S=${LIMIT:-0}\n"
                         "export TRAWL_RESULTS='r.tsv\n'\nE\n",
                         command, stem) > 0);
    assert_int_equal(shell(line), 0);
}

static json_t *status(void)
{
    char path[100];
    snprintf(path, sizeof path, "%s/job/status.json", root);
    return json_load_file(path, 0, NULL);
}

static void assert_status(const char *state, int exit_code)
{
    json_t *s = status();
    assert_non_null(s);
    assert_string_equal(json_string_value(json_object_get(s, "state")), state);
    assert_int_equal(json_integer_value(json_object_get(s, "exit_code")), exit_code);
    assert_int_equal(json_integer_value(json_object_get(s, "job_id")), 7);
    assert_string_equal(json_string_value(json_object_get(s, "job_name")), "n1");
    assert_int_equal(strlen(json_string_value(json_object_get(s, "started_at"))), 20);
    assert_int_equal(strlen(json_string_value(json_object_get(s, "ended_at"))), 20);
    json_decref(s);
}

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

static void a_sciex_set_is_copied_whatever_its_name(void **state)
{
    (void)state;
    job_env("\"bash -c 'ls tmp_raw_data; echo \\$RAW_FILE_PATH'\"", "\"$R/in/a.b\"");
    assert_int_equal(shell("cd in && touch a.b.wiff a.b.wiff.scan a.c.wiff && cd .. && "
                           "SLURM_JOB_ID=7 bash \"$W\" \"$R/job\""),
                     0);
    assert_int_equal(shell("[ \"$(tail -n +2 out/log.txt)\" = \"$(printf "
                           "\"a.b.wiff\\na.b.wiff.scan\\n$R/out/tmp_raw_data/a.b.wiff\")\" ]"),
                     0);
    assert_int_equal(shell("[ ! -e out/tmp_raw_data ]"), 0);
}

/* --- the head node --- */

static char *head_node(struct text *t, struct err *err)
{
    AUTO(free) char *script = NULL;
    assert_int_equal(slurm_end(t, err), 0);
    assert_true(asprintf(&script, "%s/script", root) > 0);
    assert_int_equal(fs_write(script, t->data, t->len, err), 0);
    assert_int_equal(shell("export PATH=\"$R/bin:$PATH\"; /bin/bash -s <script >reply"), 0);
    AUTO(free) char *reply = NULL;
    assert_true(asprintf(&reply, "%s/reply", root) > 0);
    return fs_read(reply, 1 << 20, NULL, err);
}

static void stand_in(const char *name, const char *body)
{
    AUTO(free) char *line = NULL;
    assert_true(asprintf(&line, "printf '#!/bin/bash\\n%%s\\n' '%s' >bin/%s; chmod +x bin/%s", body,
                         name, name) > 0);
    assert_int_equal(shell(line), 0);
}

static struct job_result submit(void)
{
    static char none[] = "";
    struct err err = {0};
    char folder[100], output[100];
    struct job_result r;
    struct config c = {.slurm = {.partition = none, .account = none},
                       .location.slurm = {.worker = root, .cluster = none}};
    AUTO(text_fini) struct text t = {0};
    snprintf(folder, sizeof folder, "%s/jobs/m%%d/n1", root);
    snprintf(output, sizeof output, "%s/new/x y/out", root);
    assert_int_equal(slurm_begin(&t, &err), 0);
    slurm_put_wrapper(&t, &c);
    slurm_put_submit(&t, &c,
                     &(struct job_spec){.name = "n1",
                                        .folder = folder,
                                        .owner = "task/1",
                                        .output = output,
                                        .exists_mode = "raise",
                                        .mem = "1G",
                                        .time = "",
                                        .cpus = 2},
                     "export A='it'\\''s'\n");
    AUTO(free) char *reply = head_node(&t, &err);
    assert_non_null(reply);
    assert_true(slurm_reply_whole(reply));
    slurm_read_submit(reply, "n1", &r);
    return r;
}

static struct job_result find_job(void)
{
    struct err err = {0};
    char folder[100];
    struct job_result r;
    AUTO(text_fini) struct text t = {0};
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
    struct job_result r = submit();
    assert_true(r.answer == JOB_FOUND && r.id == 17);
    r = submit(); /* the same name again */
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
    struct job_result r = submit();
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
    r = submit();
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
        struct job_result r = submit();
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
    submit();
    assert_int_equal(shell("[ -e ran ] && rm ran && rm -r jobs new && n=$(stat -c %s script) && "
                           "for cut in 20 21 25 30 400 9000; do head -c $((n-cut)) script >cut; "
                           "PATH=\"$R/bin:$PATH\" /bin/bash -s <cut; "
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
    AUTO(text_fini) struct text t = {0};
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
        TEST(a_sciex_set_is_copied_whatever_its_name),
        TEST(sbatch_gets_quoted_values_once),
        TEST(an_error_of_sbatch_is_no_proof_that_there_is_no_job),
        TEST(a_name_that_is_not_found_is_closed),
        TEST(a_mark_decides_whose_an_output_folder_is),
        TEST(a_script_that_was_cut_does_nothing),
        TEST(the_newer_witnesses_are_asked_only_for_jobs_that_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
