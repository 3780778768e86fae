/* test_quant_errors.c - a failed job's code, by what the software noted and by tables. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "test.h"
#include "workers/quant/errors.h"

static char none[] = "", folder[64], raw[] = "i/2026_11/a.b.raw";
static struct config cfg = {.quant = {.error_codes = none}};

static const char *classify(const char *state, char *type, const char *tail)
{
    static char code[ERRORS_CODE_MAX];
    struct quant_job job = {.base = {.cfg = &cfg},
                            .raw = raw,
                            .worker_output = folder,
                            .settings = {.software_type = type}};
    snprintf(job.outcome.state, sizeof job.outcome.state, "%s", state);
    errors_classify(&job, tail, code);
    return code;
}

static void put(const char *name, const char *text)
{
    struct err err = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void the_newest_line_that_the_table_knows_gives_the_code(void **state)
{
    (void)state;
    char dia[] = "alphadia", other[] = "diann";
    assert_string_equal(
        classify("FAILED", dia,
                 "ERROR: Singular matrix\nERROR: No psm files accumulated, x\nbye\n"),
        "NO_PSM_FOUND");
    assert_string_equal(classify("FAILED", other, "No psm files accumulated\n"), ERRORS_UNKNOWN);
    assert_string_equal(classify("FAILED", dia, "file is not a database\n"), ERRORS_UNKNOWN);
    assert_string_equal(classify("FAILED", dia, ""), ERRORS_NO_LOG);
    assert_string_equal(classify("TIMEOUT", dia, "Singular matrix\n"), "TIMEOUT");
    assert_string_equal(classify("OUT_OF_MEMORY", other, ""), "OUT_OF_MEMORY");
}

static void a_sites_table_goes_first_and_bad_lines_are_passed_over(void **state)
{
    (void)state;
    char dia[] = "alphadia", path[100];
    put("site", "# comment\nalphadia open 'quote\nalphadia bad$code Singular\nonly two\n"
                "* LICENCE \"licence server\"\nalphadia MINE 'Singular matrix'\n");
    snprintf(path, sizeof path, "%s/site", folder);
    cfg.quant.error_codes = path;
    assert_string_equal(classify("FAILED", dia, "Singular matrix\n"), "MINE");
    assert_string_equal(classify("FAILED", dia, "the licence server is away\n"), "LICENCE");
    assert_string_equal(classify("FAILED", dia, "TOO: Too few proteins available\n"),
                        "TOO_FEW_PROTEINS");
    cfg.quant.error_codes = none;
}

static void what_the_software_noted_itself_speaks_first(void **state)
{
    (void)state;
    char dia[] = "alphadia", path[100];
    snprintf(path, sizeof path, "%s/quant", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/quant/a.b", folder);
    mkdir(path, 0700);
    put("quant/a.b/events.jsonl",
        "{\"name\":\"start\",\"error_code\":\"NOT_ME\"}\n{\"name\":\"exception\"}\nnot json\n"
        "{\"name\":\"exception\",\"error_code\":\"TOO_FEW_PSM\"}\n{\"name\":\"exception\",\"error_"
        "code\":\"$(no)\"}\n{\"name\":\"exc");
    assert_string_equal(classify("FAILED", dia, "Singular matrix\n"), "TOO_FEW_PSM");
}

static int make(void **state)
{
    (void)state;
    return test_folder(folder, sizeof folder, "trawl-errors") != NULL ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    char line[100];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_line_that_the_table_knows_gives_the_code),
        cmocka_unit_test(a_sites_table_goes_first_and_bad_lines_are_passed_over),
        cmocka_unit_test(what_the_software_noted_itself_speaks_first),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
