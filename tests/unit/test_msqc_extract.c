/* Recognising formats, the output folder, the command line. */
#include <signal.h>
#include <sys/resource.h>

#include "msqc/cli.h"
#include "test_msqc_fixture.h"

/* Root may read everything, so it becomes nobody while permissions are tested. */
static void become_nobody(void)
{
    if (getuid() == 0) {
        assert_int_equal(seteuid(65534), 0);
    }
}

static void become_myself(void)
{
    assert_int_equal(seteuid(getuid()), 0);
}

static void vendor_files_are_unsupported_with_a_remedy(void **state)
{
    struct fixture *fixture = *state;
    const char *names[] = {"a.raw", "a.RAW", "b.wiff", "b.wiff2", "b.wiff.scan"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(fixture_extract_text(fixture, names[i], "vendor bytes"), 0);
        expect_field(fixture, "status", "unsupported");
        expect_detail(fixture, "convert it to mzML");
        expect_field(fixture, "ms1_scans", "");
        expect_field(fixture, "gradient_length", "");
        assert_true(fixture_exists(fixture, "out/msqc_tic.tsv"));
    }
    assert_int_equal(mkdir(fixture_path(fixture, "waters.raw"), 0755), 0);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "waters.raw")), 0);
    expect_detail(fixture, "Waters");
}

/* bruker/agilent.d, baf.d, tims_off.d; michalsta/opentims#3, MannLabs/alphatims#174 */
static void folders_of_other_makers_and_modes_are_unsupported(void **state)
{
    static const struct {
        const char *folder, *inside, *maker;
    } cases[] = {
        {"agilent.d", "AcqData/", "Agilent"},
        {"AGILENT.D", "acqdata/", "Agilent"},
        {"baf.d", "analysis.baf", "Bruker"},
        {"yep.d", "Analysis.yep", "Bruker"},
        {"tims_off.d", "analysis.tsf", "TIMS"},
        {"ft.d", "ser", "FT-MS"},
        {"fid.d", "fid", "FT-MS"},
        {"waters.raw", "_FUNC001.DAT", "Waters"},
        {"waters", "_func001.dat", "Waters"},
        {"named.RAW", "_HEADER.TXT", "Waters"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char inside[100];
        assert_int_equal(mkdir(fixture_path(fixture, cases[i].folder), 0755), 0);
        snprintf(inside, sizeof inside, "%s/%s", cases[i].folder, cases[i].inside);
        if (strchr(cases[i].inside, '/') != NULL) {
            assert_int_equal(mkdir(fixture_path(fixture, inside), 0755), 0);
        } else {
            fixture_write(fixture, inside, "x", 1);
        }
        assert_int_equal(fixture_extract(fixture, fixture_path(fixture, cases[i].folder)), 0);
        expect_field(fixture, "status", "unsupported");
        expect_detail(fixture, cases[i].maker);
        expect_detail(fixture, "convert it to mzML");
        expect_field(fixture, "ms1_scans", "");
    }
}

/* Nothing says whose it is: more likely a copy of which not all is there. */
static void a_d_folder_of_nobody_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(fixture_path(fixture, "some.d"), 0755), 0);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "some.d")), 3);
    fixture_write(fixture, "some.d/analysis.tdf_bin", "x", 1);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "some.d")), 3);
    expect_error(fixture, "has no analysis.tdf");
}

static void mzml_is_recognised_by_content_and_the_rest_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "data.xml", "<?xml version='1.0'?><mzML/>"), 0);
    assert_int_equal(fixture_extract_text(fixture, "DATA.MZML", "<mzML/>"), 0);
    unlink(fixture_path(fixture, "out/msqc_results.tsv"));
    unlink(fixture_path(fixture, "out/msqc_tic.tsv"));
    assert_int_equal(fixture_extract_text(fixture, "a.txt", "hello"), 3);
    expect_error(fixture, "a.txt: of unknown kind");
    assert_int_equal(fixture_extract_text(fixture, "a.mzML.gz", "\x1f\x8b\x08 etc"), 3);
    expect_error(fixture, "unpack it first");
    assert_int_equal(fixture_extract_text(fixture, "empty", ""), 3);
    assert_int_equal(fixture_extract(fixture, fixture->out), 3);
    expect_error(fixture, "a folder of unknown kind");
    assert_int_equal(fixture_extract(fixture, "/dev/null"), 3);
    expect_error(fixture, "neither a file nor a folder");
}

static void a_missing_input_is_an_error_that_names_it(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "gone.mzML")), 3);
    expect_error(fixture, "gone.mzML: No such file");
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "gone.raw")), 3);
}

static void an_unreadable_input_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(fixture_path(fixture, "closed.d"), 0000), 0);
    fixture_write(fixture, "closed.mzML", "<mzML/>", 7);
    assert_int_equal(chmod(fixture_path(fixture, "closed.mzML"), 0000), 0);
    become_nobody();
    int folder = fixture_extract(fixture, fixture_path(fixture, "closed.d"));
    struct err folder_err = fixture->err;
    int file = fixture_extract(fixture, fixture_path(fixture, "closed.mzML"));
    become_myself();
    assert_int_equal(folder, 3);
    assert_non_null(strstr(folder_err.msg, "closed.d: cannot be read: Permission denied"));
    assert_int_equal(file, 3);
    expect_error(fixture, "closed.mzML: cannot be read: Permission denied");
}

static void a_missing_output_folder_is_an_error_of_the_output(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(rmdir(fixture->out), 0);
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "<mzML/>"), 4);
    expect_error(fixture, "/out/msqc_tic.tsv.part: No such file");
}

static void an_output_folder_without_permission_is_an_error_of_the_output(void **state)
{
    struct fixture *fixture = *state;
    fixture_write(fixture, "a.mzML", "<mzML/>", 7);
    assert_int_equal(chmod(fixture->out, 0555), 0);
    become_nobody();
    int status = fixture_extract(fixture, fixture_path(fixture, "a.mzML"));
    become_myself();
    assert_int_equal(status, 4);
    expect_error(fixture, "Permission denied");
}

static void a_symbolic_link_in_the_output_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s/msqc_results.tsv.part", fixture->out);
    fixture_write(fixture, "precious", "x", 1);
    assert_int_equal(symlink("../precious", link), 0);
    fixture_write(fixture, "a.mzML", "<mzML/>", 7);
    char raw[PATH_MAX];
    snprintf(raw, sizeof raw, "%s", fixture_path(fixture, "a.mzML"));
    const struct extract_options options = {.raw_path = raw, .output_folder = fixture->out};
    struct err err = {0};
    assert_int_equal(extract_run(&options, &err), EXTRACT_EXIT_OUTPUT);
    struct stat st;
    assert_int_equal(stat(fixture_path(fixture, "precious"), &st), 0);
    assert_int_equal(st.st_size, 1);
}

static void a_full_disk_is_an_error_of_the_output_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = fopen(fixture_path(fixture, "a.mzML"), "w");
    assert_non_null(file);
    fputs("<mzML><spectrumList>", file);
    for (int i = 0; i < 20000; i++) {
        fputs("<spectrum><cvParam accession='MS:1000285' value='123456'/></spectrum>", file);
    }
    fputs("</spectrumList></mzML>", file);
    fclose(file);
    /* A limit on the size of files makes write(2) fail as a full disk does. */
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {8192, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int status = fixture_extract(fixture, fixture_path(fixture, "a.mzML"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, 4);
    expect_error(fixture, "cannot write ");
}

static int run_cli(const char *a, const char *b, const char *c)
{
    char copies[4][PATH_MAX] = {"trawl-msqc", "", "", ""};
    const char *words[] = {a, b, c};
    char *argv[5] = {copies[0], NULL};
    int argc = 1;
    for (int i = 0; i < 3 && words[i] != NULL; i++) {
        snprintf(copies[argc], PATH_MAX, "%s", words[i]);
        argv[argc] = copies[argc];
        argc++;
    }
    return (int)cli_run(argc, argv);
}

static void the_command_line_has_documented_exit_codes(void **state)
{
    struct fixture *fixture = *state;
    char raw[PATH_MAX];
    fixture_write(fixture, "a.mzML", "<mzML/>", 7);
    snprintf(raw, sizeof raw, "%s", fixture_path(fixture, "a.mzML"));
    assert_int_equal(run_cli("--help", NULL, NULL), 0);
    assert_int_equal(run_cli("--version", NULL, NULL), 0);
    assert_int_equal(run_cli("--nonsense", raw, fixture->out), 2);
    assert_int_equal(run_cli(raw, NULL, NULL), 2);
    assert_int_equal(run_cli(NULL, NULL, NULL), 2);
    assert_int_equal(run_cli(raw, fixture->out, "third"), 2);
    assert_int_equal(run_cli(raw, fixture->out, NULL), 0);
    assert_int_equal(run_cli("--quiet", raw, fixture->out), 0);
    assert_int_equal(run_cli("/gone.mzML", fixture->out, NULL), 3);
    assert_int_equal(run_cli(raw, "/gone", NULL), 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(vendor_files_are_unsupported_with_a_remedy),
        T(folders_of_other_makers_and_modes_are_unsupported),
        T(a_d_folder_of_nobody_is_an_error),
        T(mzml_is_recognised_by_content_and_the_rest_is_an_error),
        T(a_missing_input_is_an_error_that_names_it),
        T(an_unreadable_input_is_an_error),
        T(a_missing_output_folder_is_an_error_of_the_output),
        T(an_output_folder_without_permission_is_an_error_of_the_output),
        T(a_symbolic_link_in_the_output_is_not_followed),
        T(a_full_disk_is_an_error_of_the_output_and_leaves_nothing),
        T(the_command_line_has_documented_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
