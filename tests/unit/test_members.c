/* Which names belong to which raw file. Upper case was computed with Python's str.upper(). */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/upcase.h"
#include "common/raw/members.h"

static const struct instrument sciex = {.type = INSTRUMENT_SCIEX};

/* The members of main among names (NULL-terminated), joined by '|'. */
static const char *members_of(const struct members_rule *r, const char *main,
                              const char *const *names)
{
    static char text[1000];
    struct members m = {0};
    struct err err = {0};
    for (size_t i = 0; names[i] != NULL; i++) {
        assert_int_equal(members_add(&m, r, main, names[i], &err), 0);
    }
    members_drop_others(&m, r, main);
    text[0] = '\0';
    for (size_t i = 0; i < m.n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "|" : "", m.names[i]);
    }
    members_fini(&m);
    return text;
}

static void each_type_takes_its_own_extension_in_any_case(void **state)
{
    (void)state;
    const struct instrument t = {.type = INSTRUMENT_THERMO}, b = {.type = INSTRUMENT_BRUKER};
    assert_true(members_is_raw_file(&t, "a.raw"));
    assert_true(members_is_raw_file(&t, "small.RAW"));
    assert_false(members_is_raw_file(&t, ".raw"));
    assert_false(members_is_raw_file(&t, "a.raw.deleteme"));
    assert_true(members_is_raw_file(&b, "x y.d"));
    assert_false(members_is_raw_file(&b, "x.raw"));
    assert_true(members_is_raw_file(&sciex, "a.b.wiff"));
    assert_false(members_is_raw_file(&sciex, "a.wiff2"));
    assert_false(members_is_raw_file(&t, ".a.raw.trawl-3.part"));
}

static void generic_takes_what_its_glob_matches(void **state)
{
    (void)state;
    char glob[] = "*.mzML";
    const struct instrument g = {.type = INSTRUMENT_GENERIC, .glob = glob};
    assert_true(members_is_raw_file(&g, "a.mzML"));
    assert_false(members_is_raw_file(&g, "a.mzML.tmp"));
}

static void a_raw_file_of_one_name_has_no_others(void **state)
{
    (void)state;
    const struct instrument t = {.type = INSTRUMENT_THERMO};
    const struct members_rule r = {.instrument = &t, .nocase = true};
    const char *const names[] = {"a.raw", "A.RAW.txt", "a.meth", NULL};
    assert_string_equal(members_of(&r, "a.raw", names), "a.raw");
}

static void a_sciex_set_is_all_files_of_the_stem_brackets_and_dots_too(void **state)
{
    (void)state;
    const struct members_rule r = {.instrument = &sciex};
    const char *const names[] = {"s[0].5ng.wiff",
                                 "s[0].5ng.wiff.scan",
                                 "s[0].5ng.wiff2",
                                 "s[0].5ng.wiff.1.~idx2",
                                 "s[0].5ng.timeseries.data",
                                 "s[0].5ng.much.later",
                                 "s[0].5ng.wiff.deleteme",
                                 "s[0].5ngX.wiff",
                                 "s0.5ng.wiff",
                                 "s[0].5ng",
                                 NULL};
    assert_string_equal(members_of(&r, "s[0].5ng.wiff", names),
                        "s[0].5ng.wiff|s[0].5ng.wiff.scan|s[0].5ng.wiff2|s[0].5ng.wiff.1.~idx2|"
                        "s[0].5ng.timeseries.data|s[0].5ng.much.later");
}

/* Dotted stems are real: ProteoWizard's tests of its Sciex reader have them. */
static void of_two_stems_that_fit_the_longer_one_wins_in_any_order(void **state)
{
    (void)state;
    const struct members_rule r = {.instrument = &sciex};
    static const char *const orders[][10] = {
        {"QC_1.wiff", "QC_1.wiff.scan", "QC_1.5ng.wiff", "QC_1.5ng.wiff.scan", "QC_1.5ng.txt",
         "QC_1.5ng.b.wiff", "QC_1.5ng.b.wiff2", "QC_1.txt", NULL},
        {"QC_1.wiff", "QC_1.wiff.scan", "QC_1.5ng.b.wiff2", "QC_1.5ng.b.wiff", "QC_1.5ng.wiff",
         "QC_1.5ng.wiff.scan", "QC_1.5ng.txt", "QC_1.txt", NULL},
    };
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(members_of(&r, "QC_1.wiff", orders[i]),
                            "QC_1.wiff|QC_1.wiff.scan|QC_1.txt");
        assert_string_equal(members_of(&r, "QC_1.5ng.wiff", orders[i]),
                            "QC_1.5ng.wiff|QC_1.5ng.wiff.scan|QC_1.5ng.txt");
    }
    assert_string_equal(members_of(&r, "QC_1.5ng.b.wiff", orders[0]),
                        "QC_1.5ng.b.wiff|QC_1.5ng.b.wiff2");
}

static void a_name_that_tells_its_main_file_goes_to_nobody_else_before_that_is_there(void **state)
{
    (void)state;
    const struct members_rule r = {.instrument = &sciex};
    const char *const names[] = {"QC_1.wiff",      "QC_1.5ng.wiff.scan",
                                 "QC_1.5ng.wiff2", "QC_1.5ng.timeseries.data",
                                 "QC_1.5ng.odd",   NULL};
    assert_string_equal(members_of(&r, "QC_1.wiff", names), "QC_1.wiff|QC_1.5ng.odd");
    assert_int_equal(members_own_stem("QC_1.5ng.WIFF.scan"), 8);
    assert_int_equal(members_own_stem("a.wiff.wiff.scan"), 6);
    assert_int_equal(members_own_stem("a.timeseries.data"), 1);
    assert_int_equal(members_own_stem("a.wiffy"), 0);
    assert_int_equal(members_own_stem("a.txt"), 0);
}

static void of_one_stem_with_two_main_files_each_takes_what_bears_its_name(void **state)
{
    (void)state;
    const struct members_rule r = {.instrument = &sciex};
    const char *const names[] = {"A.WIFF", "A.wiff", "A.WIFF.scan", "A.wiff.scan", "A.odd", NULL};
    assert_string_equal(members_of(&r, "A.wiff", names), "A.wiff|A.wiff.scan");
    assert_string_equal(members_of(&r, "A.WIFF", names), "A.WIFF|A.WIFF.scan|A.odd");
}

static void case_counts_where_the_share_says_so_and_only_there(void **state)
{
    (void)state;
    struct members_rule r = {.instrument = &sciex};
    const char *const names[] = {"Enolase_\xc3\xa4.wiff",      /* a with diaeresis */
                                 "enolase_\xc3\x84.WIFF.SCAN", /* the capital */
                                 "ENOLASE_\xc3\x84.5ng.wiff", "enolase_\xc3\xa4.5NG.Wiff.scan",
                                 NULL};
    assert_string_equal(members_of(&r, names[0], names), names[0]);
    r.nocase = true;
    assert_string_equal(members_of(&r, names[0], names),
                        "Enolase_\xc3\xa4.wiff|enolase_\xc3\x84.WIFF.SCAN");
    assert_string_equal(members_of(&r, names[2], names),
                        "ENOLASE_\xc3\x84.5ng.wiff|enolase_\xc3\xa4.5NG.Wiff.scan");
}

static void names_of_one_set_stand_together_in_the_order(void **state)
{
    (void)state;
    for (int nocase = 0; nocase < 2; nocase++) {
        const struct members_rule r = {.instrument = &sciex, .nocase = nocase != 0};
        const char *const around[] = {"QC",       "QC-1",      "QC.wiff", "QC.wiff2",
                                      "QC0.wiff", "QC_1.wiff", "\xff",    NULL};
        int before = -1;
        for (size_t i = 0; around[i] != NULL; i++) {
            int place = members_place(&r, "QC.wiff", around[i]);
            assert_true(place >= before);
            before = place;
            if (i > 0) {
                assert_true(members_compare(&r, around[i - 1], around[i]) < 0);
            }
        }
        assert_int_equal(members_place(&r, "QC.wiff", "QC.wiff"), 0);
        assert_int_equal(before, 1);
    }
}

static void upper_case_is_that_of_windows(void **state)
{
    (void)state;
    assert_int_equal(upcase('z'), 'Z');
    assert_int_equal(upcase('@'), '@');
    assert_int_equal(upcase(0xe4), 0xc4);
    assert_int_equal(upcase(0xff), 0x178);
    assert_int_equal(upcase(0xf7), 0xf7); /* the division sign */
    assert_int_equal(upcase(0x3c3), 0x3a3);
    assert_int_equal(upcase(0x44f), 0x42f);
    assert_int_equal(upcase(0xdf), 0xdf);   /* sharp s has no single capital */
    assert_int_equal(upcase(0x131), 0x131); /* dotless i: not the ASCII I */
    assert_int_equal(upcase(0xb5), 0xb5);   /* micro: not the Greek capital */
    assert_int_equal(upcase(0x10428), 0x10428);
}

static void touch(const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

static void a_folder_that_tells_case_apart_is_seen_as_such(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_members.XXXXXX";
    assert_non_null(mkdtemp(folder));
    touch(folder, "a.wiff");
    touch(folder, "A.wiff.scan");
    bool nocase = true, known = false;
    members_probe(folder, "a.wiff", &nocase, &known);
    assert_true(known);
    assert_false(nocase);
    known = false;
    members_probe(folder, "gone.wiff", &nocase, &known);
    assert_false(known);
    char from[300], to[300];
    snprintf(from, sizeof from, "%s/a.wiff", folder);
    snprintf(to, sizeof to, "%s/A.WIFF", folder);
    assert_int_equal(link(from, to), 0); /* the same file by both names: it tells nothing */
    members_probe(folder, "a.wiff", &nocase, &known);
    assert_false(known && nocase);
    struct members m = {0};
    struct err err = {0};
    const struct members_ask ask = {.instrument = &sciex, .folder = folder, .main = "a.wiff"};
    assert_int_equal(members_read(&m, &ask, &err), 0);
    assert_int_equal(m.n, 1);
    assert_true(members_has(&m, "a.wiff"));
    members_fini(&m);
    char path[300];
    static const char *const names[] = {"a.wiff", "A.wiff.scan", "A.WIFF"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_takes_its_own_extension_in_any_case),
        cmocka_unit_test(generic_takes_what_its_glob_matches),
        cmocka_unit_test(a_raw_file_of_one_name_has_no_others),
        cmocka_unit_test(a_sciex_set_is_all_files_of_the_stem_brackets_and_dots_too),
        cmocka_unit_test(of_two_stems_that_fit_the_longer_one_wins_in_any_order),
        cmocka_unit_test(a_name_that_tells_its_main_file_goes_to_nobody_else_before_that_is_there),
        cmocka_unit_test(of_one_stem_with_two_main_files_each_takes_what_bears_its_name),
        cmocka_unit_test(case_counts_where_the_share_says_so_and_only_there),
        cmocka_unit_test(names_of_one_set_stand_together_in_the_order),
        cmocka_unit_test(upper_case_is_that_of_windows),
        cmocka_unit_test(a_folder_that_tells_case_apart_is_seen_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
