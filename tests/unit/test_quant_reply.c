#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "workers/job/engine_slurm.h"

static void a_submission_is_read_line_by_line(void **state)
{
    (void)state;
    struct job_result r;
    const char *reply = "Welcome!\ntrawl|submit|a|ok|17|new\n"
                        "trawl|submit|b|sbatch|1|sbatch: error: invalid partition specified: x\n"
                        "trawl|submit|c|sbatch|1|sbatch: error: Socket timed out on send/recv\n"
                        "trawl|submit|d|exists|17|/out exists already\n"
                        "trawl|submit|e|busy|1|locked\ntrawl|submit|f|closed|1|given up\n"
                        "trawl|submit|g|ok|0|new\ntrawl|submit|h|ok|17";
    static const struct {
        const char *name;
        enum job_answer answer;
        int64_t id;
    } cases[] = {{"a", JOB_FOUND, 17},    {"b", JOB_REFUSED, 0},  {"c", JOB_UNCERTAIN, 0},
                 {"d", JOB_TAKEN, 0},     {"e", JOB_UNUSABLE, 0}, {"f", JOB_NONE, 0},
                 {"g", JOB_UNCERTAIN, 0}, {"h", JOB_CUT, 0},      {"z", JOB_CUT, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slurm_read_submit(reply, cases[i].name, &r);
        assert_int_equal(r.answer, cases[i].answer);
        assert_int_equal(r.id, cases[i].id);
    }
}

static void a_reply_cut_anywhere_gives_the_whole_id_or_none(void **state)
{
    (void)state;
    const char *whole = "trawl|submit|a|ok|1234|new\ntrawl|end|1\n";
    for (size_t cut = 0; cut <= strlen(whole); cut++) {
        char part[64];
        struct job_result r;
        memcpy(part, whole, cut);
        part[cut] = '\0';
        slurm_read_submit(part, "a", &r);
        assert_true(r.answer == JOB_CUT || (r.answer == JOB_FOUND && r.id == 1234));
    }
}

static void a_question_by_name_has_three_answers(void **state)
{
    (void)state;
    struct job_result r;
    const char *reply = "trawl|find|a|ok|17|-\ntrawl|find|b|ok|0|-\n"
                        "trawl|find|c|unknown|1|squeue: error: Unable to contact\ntrawl|end|3\n";
    slurm_read_find(reply, "a", &r);
    assert_true(r.answer == JOB_FOUND && r.id == 17);
    slurm_read_find(reply, "b", &r);
    assert_true(r.answer == JOB_NONE);
    slurm_read_find(reply, "c", &r);
    assert_true(r.answer == JOB_UNCERTAIN && strstr(r.message, "Unable") != NULL);
    slurm_read_find(reply, "A", &r); /* the case matters */
    assert_true(r.answer == JOB_CUT);
}

static void all_witnesses_are_read_and_names_must_fit(void **state)
{
    (void)state;
    struct job_watched views[] = {{.view = {.id = 7, .name = "n7"}},
                                  {.view = {.id = 8, .name = "n8"}},
                                  {.view = {.id = 9, .name = "n9"}},
                                  {.view = {.id = 10, .name = "n10"}}};
    struct job_poll poll;
    slurm_read_poll(
        "trawl|squeue|7|n7|RUNNING\ntrawl|squeue|8|other|RUNNING\n"
        "trawl|sacct|8|other|COMPLETED|0:0|5\ntrawl|sacct|9|n9|OUT_OF_MEMORY|0:125|93784\n"
        "trawl|scontrol|JobId=10 JobName=n10 UserId=u(1) JobState=NODE_FAIL Reason=x|y "
        "ExitCode=1:9 RunTime=1-00:00:01 Comment= JobState=COMPLETED \n"
        "trawl|status|7|n7|{\"v\":1,\"job_name\":\"n7\",\"job_id\":7,\"state\":\"COMPLETED\","
        "\"exit_code\":0,\"elapsed_s\":12}\n"
        "trawl|status|8|n8|{\"v\":1,\"job_name\":\"n8\",\"job_id\":5,\"state\":\"COMPLETED\"}\n"
        "trawl|status|9|n9|{\"v\":1,\"job_name\":\"n9\",\"job_id\":9,\"state\":\"COMP\n"
        "trawl|status|10|n10|{\"a\":{}}\ntrawl|error|sacct|1|slurmdbd: Connection refused\n"
        "trawl|stray|11|trawl-x-f1|RUNNING\ntrawl|stray|x|n|RUNNING\n"
        "trawl|mark|9|n9|1|1|0.7\ntrawl|mark|7|other|1|1|0.8\ntrawl|mark|8|n8|0\n"
        "trawl|squeue|999|x|y\ntrawl|sacct\ntrawl||||||||||\n",
        views, 4, &poll);
    assert_string_equal(views[0].view.squeue.state, "RUNNING");
    assert_string_equal(views[0].view.wrapper.state, "COMPLETED");
    assert_int_equal(views[0].view.wrapper.elapsed_s, 12);
    assert_string_equal(views[1].view.squeue.state, "");
    assert_string_equal(views[1].view.sacct.state, "");
    assert_string_equal(views[1].view.wrapper.state, "");
    assert_string_equal(views[2].view.sacct.state, "OUT_OF_MEMORY");
    assert_int_equal(views[2].view.sacct.signal, 125);
    assert_int_equal(views[2].view.sacct.elapsed_s, 93784);
    assert_string_equal(views[2].view.wrapper.state, "");
    assert_string_equal(views[3].view.scontrol.state, "NODE_FAIL");
    assert_int_equal(views[3].view.scontrol.exit_code, 1);
    assert_int_equal(views[3].view.scontrol.elapsed_s, 86401);
    assert_true(views[2].view.closed && views[2].view.claimed);
    assert_string_equal(views[2].view.beat, "0.7");
    assert_false(views[0].view.closed || views[0].view.claimed || views[1].view.closed);
    assert_true(poll.queue_ok);
    assert_false(poll.accounting_ok);
    assert_string_equal(poll.message, "slurmdbd: Connection refused");
    assert_int_equal(poll.n_strays, 1);
    assert_int_equal(poll.strays[0].id, 11);
    assert_string_equal(poll.strays[0].name, "trawl-x-f1");
    job_poll_fini(&poll);
}

static void an_id_that_came_round_again_is_not_confused(void **state)
{
    (void)state;
    struct job_watched views[] = {{.view = {.id = 6, .name = "n6"}},
                                  {.view = {.id = 7, .name = "old"}},
                                  {.view = {.id = 7, .name = "older"}},
                                  {.view = {.id = 7, .name = "new"}}};
    struct job_poll poll;
    slurm_read_poll(
        "trawl|sacct|7|new|NODE_FAIL|1:0|207\ntrawl|memory|7|older\n"
        "trawl|status|7|old|{\"job_name\":\"old\",\"job_id\":7,\"state\":\"FAILED\"}\n"
        "trawl|status|7|new|{\"job_name\":\"new\",\"job_id\":7,\"state\":\"COMPLETED\"}\n",
        views, 4, &poll);
    assert_string_equal(views[0].view.wrapper.state, "");
    assert_string_equal(views[1].view.wrapper.state, "FAILED");
    assert_string_equal(views[1].view.sacct.state, "");
    assert_string_equal(views[2].view.wrapper.state, "");
    assert_true(views[2].view.over_memory && !views[3].view.over_memory);
    assert_string_equal(views[3].view.wrapper.state, "COMPLETED");
    assert_string_equal(views[3].view.sacct.state, "NODE_FAIL");
    job_poll_fini(&poll);
}

static void a_cluster_without_accounting_is_no_fault(void **state)
{
    (void)state;
    struct job_poll poll;
    slurm_read_poll("trawl|error|sacct|1|Slurm accounting storage is disabled\n", NULL, 0, &poll);
    assert_true(poll.accounting_ok && poll.queue_ok);
    slurm_read_poll("trawl|error|squeue|1|Unable to contact slurm controller\n", NULL, 0, &poll);
    assert_true(poll.accounting_ok && !poll.queue_ok);
}

static void job_names_are_short_plain_and_their_own(void **state)
{
    (void)state;
    char env[] = "local", database[] = "trawl", prefix[JOB_PREFIX_MAX];
    struct config cfg = {.trawl = {.env = env}, .mongo = {.database = database}};
    char a[JOB_NAME_MAX], b[JOB_NAME_MAX], c[JOB_NAME_MAX];
    job_name(&cfg, "x y/quant/qc-v1", 9223372036854775807, a);
    job_name(&cfg, "x y/quant/qc-v1", 2, b);
    job_name(&cfg, "x z/quant/qc-v1", 2, c);
    assert_true(strcmp(a, b) != 0 && strcmp(b, c) != 0);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789._-"), strlen(a));
    assert_non_null(strstr(a, "-f9223372036854775807"));
    job_prefix(&cfg, prefix);
    assert_true(strncmp(a, prefix, strlen(prefix)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_is_read_line_by_line),
        cmocka_unit_test(a_reply_cut_anywhere_gives_the_whole_id_or_none),
        cmocka_unit_test(a_question_by_name_has_three_answers),
        cmocka_unit_test(all_witnesses_are_read_and_names_must_fit),
        cmocka_unit_test(an_id_that_came_round_again_is_not_confused),
        cmocka_unit_test(a_cluster_without_accounting_is_no_fault),
        cmocka_unit_test(job_names_are_short_plain_and_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
