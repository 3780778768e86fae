/* test_msqc_reach.c - an index of a timsTOF folder that does not fit its data. */
#include "test_msqc_tdf.h"

static void an_index_that_ends_before_the_data_is_incomplete(void **state)
{
    struct fixture *fixture = *state;
    char text[200];
    make_raw(fixture, "", 10, 300);
    assert_int_equal(extract_raw(fixture), 0);
    expect_field(fixture, "status", "incomplete");
    snprintf(text, sizeof text, "the last frame of the index ends at byte %ld of the %ld bytes",
             begin_of(11), begin_of(301));
    expect_detail(fixture, text);
    expect_field(fixture, "ms1_scans", "");
    expect_field(fixture, "gradient_length", "");
    snprintf(text, sizeof text, "ms1_scans 2 (%ld of %ld bytes of data)", begin_of(11),
             begin_of(301));
    assert_non_null(strstr(fixture_field(fixture, "partial"), text));
    write_data(fixture, 11); /* by one frame only */
    assert_int_equal(extract_raw(fixture), 0);
    expect_field(fixture, "status", "incomplete");
    write_data(fixture, 10);
    assert_int_equal(extract_raw(fixture), 0);
    expect_frames(fixture, 10);
}

/* The index knows all frames, so the figures are of all; the spectra are not all there. */
static void data_that_ends_before_the_index_is_incomplete(void **state)
{
    struct fixture *fixture = *state;
    make_raw(fixture, "", 300, 300);
    for (long left = begin_of(301) - 1; left >= 0; left = left > 100 ? left / 2 : left - 10) {
        write_data(fixture, 300);
        assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf_bin"), left), 0);
        assert_int_equal(extract_raw(fixture), 0);
        expect_field(fixture, "status", "incomplete");
        expect_field(fixture, "ms1_scans", "60");
        expect_detail(fixture, "analysis.tdf_bin");
    }
}

static void data_that_is_still_zeros_is_incomplete(void **state)
{
    struct fixture *fixture = *state;
    make_raw(fixture, "", 300, 299);
    assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf_bin"), begin_of(301)), 0);
    assert_int_equal(extract_raw(fixture), 0);
    expect_field(fixture, "status", "incomplete");
    expect_detail(fixture, "and no frame at byte");
    write_data(fixture, 0); /* preallocated, and nothing written at all */
    assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf_bin"), begin_of(301)), 0);
    assert_int_equal(extract_raw(fixture), 0);
    expect_field(fixture, "status", "incomplete");
    expect_detail(fixture, "and no frame at byte 0, where");
}

/* Data whose frames do not begin with their length: the frames of the index tell. */
static void frames_of_another_layout_are_measured_by_each_other(void **state)
{
    static const struct {
        int bytes;
        const char *status;
    } cases[] = {{28800, "ok"},         {28801, "incomplete"}, {28799, "incomplete"},
                 {28896, "incomplete"}, {28704, "incomplete"}, {960, "incomplete"}};
    static char data[30000];
    struct fixture *fixture = *state;
    memset(data, 7, sizeof data);
    sqlite3 *db = open_tdf(fixture, "raw.d", FRAMES);
    run_sql(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
                "INSERT INTO Frames SELECT i, i * 0.1, CASE i % 5 WHEN 1 THEN 0 ELSE 9 END, "
                "96 * (i - 1), 1000 * i FROM n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_write(fixture, "raw.d/analysis.tdf_bin", data, (size_t)cases[i].bytes);
        assert_int_equal(extract_raw(fixture), 0);
        expect_field(fixture, "status", cases[i].status);
    }
    run_sql(db, "DELETE FROM Frames WHERE Id > 10");
    fixture_write(fixture, "raw.d/analysis.tdf_bin", data, 28800);
    assert_int_equal(extract_raw(fixture), 0);
    sqlite3_close(db);
    expect_field(fixture, "status", "incomplete");
    expect_detail(fixture, "ends at byte 960 of the 28800 bytes");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_index_that_ends_before_the_data_is_incomplete),
        T(data_that_ends_before_the_index_is_incomplete),
        T(data_that_is_still_zeros_is_incomplete),
        T(frames_of_another_layout_are_measured_by_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
