/* script_fixture.h - a folder in which the wrapper and the head node's functions run under a real
 * bash, with stand-ins for the tools of SLURM. */
#ifndef TESTS_SCRIPT_FIXTURE_H
#define TESTS_SCRIPT_FIXTURE_H
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "test.h"
#include "workers/job/engine_slurm.h"
#include "workers/job/frame.h"

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

/* copy: shell words of the files that are copied, themselves in one word of the shell. */
static void job_env(const char *command, const char *copy)
{
    AUTO(free) char *line = NULL;
    assert_true(asprintf(&line,
                         "cat >job/job.env <<'E'\nexport RAW_FILE_PATH=\"$R/in/a.b.wiff\"\n"
                         "export TRAWL_OUTPUT=\"$R/out\"\nexport TRAWL_COMMAND=%s\n"
                         "export TRAWL_JOB_NAME=n1\nexport TRAWL_MODULES=\n"
                         "export TRAWL_COPY=%s\nexport TRAWL_COPY_VARIABLE=RAW_FILE_PATH\n"
                         "export TRAWL_INPUT=\nexport TRAWL_LIMIT_S=${LIMIT:-0}\n"
                         "export TRAWL_RESULTS='r.tsv\n'\nE\n",
                         command, copy) > 0);
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

/* --- the head node --- */

static const char nonce[] = "00112233445566778899aabbccddeeff";

/* The script as a head node runs it, with the stand-ins before all other tools. */
static char *head_node(struct strbuf *t, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    AUTO(free) char *script = NULL;
    AUTO(free) char *path = NULL;
    AUTO(free) char *reply = NULL;
    assert_int_equal(slurm_end(t, err), 0);
    AUTO(free) char *line = frame_line(nonce, t->len);
    assert_true(asprintf(&script, "%s/script", root) > 0);
    assert_true(asprintf(&path, "%s/line", root) > 0);
    assert_true(asprintf(&reply, "%s/reply", root) > 0);
    assert_int_equal(fs_write(script, t->data, t->len, err), 0);
    assert_int_equal(fs_write(path, line, strlen(line), err), 0);
    assert_int_equal(
        shell("export PATH=\"$R/bin:$PATH\"; /bin/bash -c \"$(cat line)\" <script >reply"), 0);
    AUTO(free) char *answer = fs_read(reply, 1 << 20, &len, err);
    assert_non_null(answer);
    assert_int_equal(frame_open(nonce, answer, len, &text), FRAME_WHOLE);
    return text;
}

/* A tool of the site. It does not have our environment. */
static void stand_in(const char *name, const char *body)
{
    AUTO(free) char *line = NULL;
    assert_true(asprintf(&line,
                         "printf '#!/bin/bash\\nR=%%s\\n%%s\\n' \"$R\" '%s' >bin/%s; chmod +x "
                         "bin/%s",
                         body, name, name) > 0);
    assert_int_equal(shell(line), 0);
}

/* A submission of task/1 under the name n1. */
static struct job_result submit(const char *mode)
{
    static char none[] = "";
    struct err err = {0};
    char folder[100], output[100];
    struct job_result r;
    struct config c = {.slurm = {.partition = none, .account = none},
                       .location.slurm = {.worker = root, .cluster = none}};
    AUTO(strbuf_fini) struct strbuf t = {0};
    snprintf(folder, sizeof folder, "%s/jobs/m%%d/n1", root);
    snprintf(output, sizeof output, "%s/new/x y/out", root);
    assert_int_equal(slurm_begin(&t, &err), 0);
    slurm_put_wrapper(&t, &c);
    slurm_put_submit(&t, &c,
                     &(struct job_spec){.name = "n1",
                                        .folder = folder,
                                        .owner = "task/1",
                                        .output = output,
                                        .exists_mode = mode,
                                        .mem = "1G",
                                        .time = "",
                                        .cpus = 2},
                     "export A='it'\\''s'\n");
    AUTO(free) char *reply = head_node(&t, &err);
    assert_non_null(reply);
    slurm_read_submit(reply, "n1", &r);
    return r;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#endif
