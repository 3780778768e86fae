/* test_frame.c - scripts and answers past a login shell: what is ours in an answer, and the line
 * that every shell must understand, run by each of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "test.h"
#include "workers/job/frame.h"

#define NONCE "0123456789abcdef0123456789abcdef"
#define OURS  "trawl|" NONCE "|"

static char root[64];

static int set_up(void **state)
{
    (void)state;
    (void)unlink("/tmp/trawl-" NONCE); /* of a run that was killed */
    return test_folder(root, sizeof root, "trawl-frame") != NULL && setenv("R", root, 1) == 0 ? 0
                                                                                              : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return system("rm -rf $R") == 0 ? 0 : -1;
}

static enum frame open_text(const char *answer, size_t len, char **text)
{
    return frame_open(NONCE, answer, len, text);
}

static void what_a_login_prints_is_not_ours(void **state)
{
    (void)state;
    static const char *const noises[] = {
        "",
        "Welcome!\n",
        "\033]0;user on host\007", /* ansible/ansible#9022 */
        "trawl|submit|a|ok|9|new\ntrawl|begin|1\n",
        "trawl|ffff|submit|a|ok|9|new\ntrawl|ffff|end|1\n",
        "\r\n\r\nx\r",
        " " OURS "submit|a|ok|9|new\n",
    };
    for (size_t i = 0; i < sizeof noises / sizeof *noises; i++) {
        AUTO(free) char *answer = NULL;
        AUTO(free) char *text = NULL;
        const char *n = noises[i];
        int len = asprintf(&answer,
                           "%s\n" OURS "ready\n%s\n" OURS "begin|2\n%s\n" OURS
                           "submit|a|ok|17|new\n%s\n" OURS "error|x|1|it's\n%s\n" OURS "end|2\n%s",
                           n, n, n, n, n, n);
        assert_int_equal(open_text(answer, (size_t)len, &text), FRAME_WHOLE);
        assert_string_equal(text, "trawl|submit|a|ok|17|new\ntrawl|error|x|1|it's\n");
    }
}

static void bytes_that_are_no_text_and_line_breaks_of_windows_are_understood(void **state)
{
    (void)state;
    static const char answer[] = "a\0b\0\n" OURS "ready\r\n\0\0\n" OURS "begin|1\r\n\r\n" OURS
                                 "status|1|n|{\0}\r\n" OURS "end|1\r\n\0";
    AUTO(free) char *text = NULL;
    assert_int_equal(open_text(answer, sizeof answer, &text), FRAME_WHOLE);
    assert_string_equal(text, "trawl|status|1|n|{?}\n");
}

static void an_answer_that_lacks_a_line_is_none(void **state)
{
    (void)state;
    static const char whole[] =
        "\n" OURS "begin|2\n\n" OURS "a|1\n\n" OURS "b|2\n\n" OURS "end|2\n";
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        char *text = NULL;
        assert_int_equal(open_text(whole, cut, &text), FRAME_BROKEN);
        assert_null(text);
    }
    static const char *const others[] = {
        "\n" OURS "a|1\n" OURS "b|2\n" OURS "end|2\n",                   /* no beginning */
        "\n" OURS "begin|2\n" OURS "a|1\n" OURS "end|2\n",               /* one is missing */
        "\n" OURS "begin|2\nx" OURS "a|1\n" OURS "b|2\n" OURS "end|2\n", /* one was glued to */
        "\n" OURS "begin|1\n" OURS "a|1\n" OURS "b|2\n" OURS "end|2\n",
        "\n" OURS "begin|x\n" OURS "end|0\n",
        "\n" OURS "ready\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *text = NULL;
        assert_int_equal(open_text(others[i], strlen(others[i]), &text), FRAME_BROKEN);
        assert_null(text);
    }
    char *text = NULL;
    assert_int_equal(open_text(NULL, 0, &text), FRAME_BROKEN);
    assert_int_equal(open_text("\n" OURS "end|short\n", 1 + sizeof OURS + 9, &text), FRAME_SHORT);
    assert_int_equal(open_text("\n" OURS "end|part\n", 1 + sizeof OURS + 8, &text), FRAME_PART);
}

static void what_came_instead_is_shown_in_plain_characters(void **state)
{
    (void)state;
    char out[32];
    frame_show("\033[1mhi\r\n\0\377", 10, out, sizeof out);
    assert_string_equal(out, "\\x1b[1mhi\\r\\n\\x00\\xff");
    frame_show("0123456789012345678901234567890123456789", 40, out, sizeof out);
    assert_string_equal(out, "0123456789012345678901234567...");
    frame_show(NULL, 0, out, sizeof out);
    assert_string_equal(out, "");
}

static void write_to(const char *name, const char *text, size_t len)
{
    struct err err = {0};
    AUTO(free) char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", root, name) > 0);
    assert_int_equal(fs_write(path, text, len, &err), 0);
}

/* What a command of the shell prints; free(). */
static char *printed(const char *command)
{
    char *text = calloc(1, 65536);
    FILE *p = popen(command, "r");
    assert_non_null(text);
    assert_non_null(p);
    size_t len = fread(text, 1, 65535, p);
    text[len] = '\0';
    int rc = pclose(p);
    assert_true(WIFEXITED(rc));
    return text;
}

static const char *const shells[] = {"bash", "dash", "zsh", "tcsh", "csh", "fish"};
#define SHELLS (sizeof shells / sizeof *shells)

/* Every byte but NUL, as a script that prints them. */
static const char script[] = "printf '\\ntrawl|%s|begin|1\\ntrawl|%s|%s\\ntrawl|%s|end|1\\n' "
                             "\"$1\" \"$1\" 'a!b\\c\"d`$(e)\xff%\xc3\xa4 *;&' \"$1\"\n\n\n";

static void every_login_shell_hands_the_script_on_as_it_is(void **state)
{
    (void)state;
    AUTO(free) char *line = frame_line(NONCE, sizeof script - 1);
    write_to("line", line, strlen(line));
    write_to("script", script, sizeof script - 1);
    for (size_t i = 0; i < SHELLS; i++) {
        AUTO(free) char *command = NULL;
        AUTO(free) char *text = NULL;
        assert_true(asprintf(&command, "cd $R; %s -c \"$(cat line)\" <script", shells[i]) > 0);
        AUTO(free) char *answer = printed(command);
        if (open_text(answer, strlen(answer), &text) != FRAME_WHOLE) {
            fail_msg("%s: %s", shells[i], answer);
        }
        assert_string_equal(text, "trawl|a!b\\c\"d`$(e)\xff%\xc3\xa4 *;&\n");
    }
}

/* docker-archive-public/docker.machine#1774: standard input is eaten, or not there at all. */
static void a_script_comes_in_pieces_where_there_is_no_standard_input(void **state)
{
    (void)state;
    size_t len = FRAME_PIECE * 2 + 100;
    AUTO(free) char *large = malloc(len);
    memset(large, '#', len);
    memcpy(large + len - sizeof script, "\n", 1);
    memcpy(large + len - sizeof script + 1, script, sizeof script - 1);
    for (size_t i = 0; i < SHELLS; i++) {
        for (size_t from = 0; from < len; from += FRAME_PIECE) {
            AUTO(free) char *line = frame_piece(NONCE, large, len, from);
            AUTO(free) char *command = NULL;
            AUTO(free) char *text = NULL;
            assert_true(strlen(line) < 34000); /* one packet of libssh2 */
            write_to("line", line, strlen(line));
            assert_true(asprintf(&command, "cd $R; %s -c \"$(cat line)\" </dev/null", shells[i]) >
                        0);
            AUTO(free) char *answer = printed(command);
            enum frame wanted = from + FRAME_PIECE < len ? FRAME_PART : FRAME_WHOLE;
            if (open_text(answer, strlen(answer), &text) != wanted) {
                fail_msg("%s, from %zu: %s", shells[i], from, answer);
            }
        }
    }
    assert_int_equal(access("/tmp/trawl-" NONCE, F_OK), -1);
}

static void a_script_of_which_a_byte_is_missing_is_not_run(void **state)
{
    (void)state;
    AUTO(free) char *line = frame_line(NONCE, sizeof script - 1);
    AUTO(free) char *text = NULL;
    write_to("line", line, strlen(line));
    write_to("script", script, sizeof script - 2);
    AUTO(free) char *answer = printed("cd $R; /bin/bash -c \"$(cat line)\" <script");
    assert_int_equal(open_text(answer, strlen(answer), &text), FRAME_SHORT);
    AUTO(free) char *closed = printed("cd $R; /bin/bash -c \"$(cat line)\" <&-");
    assert_int_equal(open_text(closed, strlen(closed), &text), FRAME_SHORT);
}

/* sbatch refuses to work where it does not know where it is. */
static void a_script_runs_where_it_finds_a_folder_and_the_systems_tools(void **state)
{
    (void)state;
    static const char where[] = "printf '\\ntrawl|%s|begin|1\\ntrawl|%s|%s\\ntrawl|%s|end|1\\n' "
                                "\"$1\" \"$1\" \"$PWD\" \"$1\"\n";
    AUTO(free) char *line = frame_line(NONCE, sizeof where - 1);
    AUTO(free) char *text = NULL;
    write_to("line", line, strlen(line));
    write_to("script", where, sizeof where - 1);
    AUTO(free)
    char *answer = printed("mkdir $R/gone && cd $R/gone && rmdir $R/gone && exec "
                           "/bin/bash -c \"$(cat $R/line)\" <$R/script 2>/dev/null");
    assert_int_equal(open_text(answer, strlen(answer), &text), FRAME_WHOLE);
    assert_string_equal(text, "trawl|/\n");
    /* a start file's PATH without the system's folders: only what it adds is taken from it */
    static const char *const paths[] = {"PATH=", "PATH=/opt/slurm/bin", "-u PATH"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        AUTO(free) char *command = NULL;
        AUTO(free) char *again = NULL;
        assert_true(asprintf(&command,
                             "line=$(cat $R/line); exec env %s /bin/bash -c \"$line\" "
                             "<$R/script",
                             paths[i]) > 0);
        AUTO(free) char *said = printed(command);
        assert_int_equal(open_text(said, strlen(said), &again), FRAME_WHOLE);
    }
}

/* What the user's environment says of the site goes on; what would change answers does not. */
static void only_what_is_known_of_the_environment_counts(void **state)
{
    (void)state;
    static const char show[] =
        "env | sed 's/=.*//' | sort | tr '\\n' ' '; type -t printf; set -o | "
        "grep -c -E '^(noglob|nounset|errexit|posix) .*on$'";
    AUTO(free) char *line = frame_line(NONCE, sizeof show - 1);
    write_to("line", line, strlen(line));
    write_to("script", show, sizeof show - 1);
    write_to("env.sh", "exit 5\n", 7);
    AUTO(free)
    char *answer =
        printed("cd $R; exec env -i HOME=/h USER=u 'BASH_FUNC_printf%%=() { echo mine; }' "
                "PATH=\"$PATH\" SLURM_CONF=/s SBATCH_ACCOUNT=a SBATCH_PARTITION=p "
                "SBATCH_ARRAY_INX=1-3 SQUEUE_FORMAT=x SACCT_FORMAT=x SLURM_TIME_FORMAT=x "
                "SLURM_CLUSTERS=x SCANCEL_INTERACTIVE=1 TMOUT=1 CDPATH=/ "
                "BASH_ENV=$R/env.sh SHELLOPTS=noglob:nounset LC_ALL=tr_TR.UTF-8 "
                "/bin/dash -c \"$(cat line)\" <script");
    const char *ready = strstr(answer, "ready\n");
    assert_non_null(ready);
    assert_string_equal(ready, "ready\nHOME LC_ALL PATH PWD SBATCH_ACCOUNT SBATCH_PARTITION SHLVL "
                               "SLURM_CONF USER _ builtin\n0\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_login_prints_is_not_ours),
        TEST(bytes_that_are_no_text_and_line_breaks_of_windows_are_understood),
        TEST(an_answer_that_lacks_a_line_is_none),
        TEST(what_came_instead_is_shown_in_plain_characters),
        TEST(every_login_shell_hands_the_script_on_as_it_is),
        TEST(a_script_comes_in_pieces_where_there_is_no_standard_input),
        TEST(a_script_of_which_a_byte_is_missing_is_not_run),
        TEST(a_script_runs_where_it_finds_a_folder_and_the_systems_tools),
        TEST(only_what_is_known_of_the_environment_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
