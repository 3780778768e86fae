/*
 * Instruments' files.
 */
#include "config_scratch.h"

static struct instrument *load_instrument(const char *name, const char *text, struct err *err)
{
    struct config *c = load();
    struct instrument *i = instrument_load(c, put(name, text), err);
    config_free(c);
    return i;
}

static void an_instrument_needs_only_type_and_path(void **state)
{
    (void)state;
    struct err err = {0};
    setenv("TRAWL_SCHEDULER_POLL_S", "17", 1);
    struct instrument *i =
        load_instrument("tims_1.ini", "[instrument]\ntype = bruker\npath = /mnt/tims\n", &err);
    assert_non_null(i);
    assert_string_equal(i->id, "tims_1");
    assert_int_equal(i->type, INSTRUMENT_BRUKER);
    assert_string_equal(i->path, "/mnt/tims");
    assert_int_equal(i->poll_s, 17);
    assert_int_equal(i->quiet_s, 0);
    assert_int_equal(i->size_check_s, 3600);
    assert_int_equal(i->missing_main_s, 7200);
    assert_int_equal(i->old_file_s, 18000);
    assert_false(i->old_files_done);
    assert_int_equal(i->ignore_older_than_h, -1);
    assert_int_equal(i->max_copies, 2);
    assert_int_equal(i->file_move_delay_m, 5);
    assert_int_equal(i->min_free_space_gb, -1);
    assert_true(i->min_file_age_days == 14.0);
    instrument_free(i);
    instrument_free(NULL);
}

static void a_generic_instrument_waits_for_quiet(void **state)
{
    (void)state;
    struct err err = {0};
    struct instrument *i = load_instrument("g.ini",
                                           "[instrument]\ntype = generic\npath = /m\nglob = "
                                           "*.mzML\nmin_file_age_days = 0.5\npoll_s=1\n",
                                           &err);
    assert_non_null(i);
    assert_int_equal(i->quiet_s, 60);
    assert_int_equal(i->poll_s, 1);
    assert_string_equal(i->glob, "*.mzML");
    assert_true(i->min_file_age_days == 0.5);
    instrument_free(i);
}

static void bad_instruments_are_refused_with_their_file(void **state)
{
    (void)state;
#define HEAD    "[instrument]\ntype = thermo\npath = /m\n"
#define GENERIC "[instrument]\ntype = generic\npath = /m\nglob = *\n"
    static const struct bad bad[] = {
        {"[instrument]\npath = /m\n", "x.ini: instrument.type is missing"},
        {"[instrument]\ntype = thermo\n", "x.ini: instrument.path is missing"},
        {"[instrument]\ntype = agilent\n",
         "x.ini:2: instrument.type: 'agilent' is none of: thermo"},
        {"[instrument]\npath = m\n", "x.ini:2: instrument.path: 'm' is no absolute path"},
        {"[instrument]\ntype = generic\npath = /m\n", "x.ini: instrument.glob is missing"},
        {HEAD "glob = *.raw\n", "x.ini: instrument.glob is only for type = generic"},
        {HEAD "main_file = x\n", "x.ini: instrument.main_file is only for"},
        {GENERIC "main_file = ../x\n", "x.ini: instrument.main_file: must stay below"},
        {"[instrument]\ntype = generic\npath = /m\nglob = a/*\n", "instrument.glob: names in one"},
        {HEAD "min_file_age_days = nan\n", "x.ini:4: instrument.min_file_age_days: 'nan'"},
        {HEAD "min_file_age_days = 1e3\n", "'1e3' is no number"},
        {HEAD "pol_s = 3\n",
         "x.ini:4: unknown key instrument.pol_s; did you mean instrument.poll_s?"},
        {HEAD "[mongo]\nuri = x\n", "x.ini:5: unknown key mongo.uri"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_null(load_instrument("x.ini", bad[i].text, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        if (strstr(err.msg, bad[i].message) == NULL) {
            fail_msg("'%s' is not in '%s'", bad[i].message, err.msg);
        }
    }
}

static void an_instruments_id_is_its_files_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"X.ini",
                                      "a b.ini",
                                      ".ini",
                                      "a.conf",
                                      "a.b.ini",
                                      "ini",
                                      "a23456789012345678901234567890123.ini"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_null(load_instrument(bad[i], HEAD, &err));
        assert_non_null(strstr(err.msg, "is called <id>.ini"));
    }
    for (int t = 0; t < INSTRUMENT_TYPE_COUNT; t++) {
        assert_true(strlen(instrument_type_name((enum instrument_type)t)) >= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(an_instrument_needs_only_type_and_path),
        SCRATCH_TEST(a_generic_instrument_waits_for_quiet),
        SCRATCH_TEST(bad_instruments_are_refused_with_their_file),
        SCRATCH_TEST(an_instruments_id_is_its_files_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
