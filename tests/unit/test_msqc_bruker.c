/* Bruker folders, made here by SQLite. */
#include <sqlite3.h>

#include "test_msqc_fixture.h"

#define FRAMES                                                                                     \
    "CREATE TABLE Frames (Id INTEGER PRIMARY KEY, Time REAL, MsMsType INTEGER, "                   \
    "SummedIntensities INTEGER);"
#define ROWS                                                                                       \
    "INSERT INTO Frames VALUES (1, 30.0, 0, 100), (2, 60.5, 8, 7), (3, 90.0, 0, 300),"             \
    "(4, 120.0, 9, 9), (5, 150.0, 8, 8);"

/* An open database raw.d/analysis.tdf after running sql. The caller closes it. */
static sqlite3 *make_tdf(struct fixture *fixture, const char *sql)
{
    if (!fixture_exists(fixture, "raw.d")) {
        assert_int_equal(mkdir(fixture_path(fixture, "raw.d"), 0755), 0);
        fixture_write(fixture, "raw.d/analysis.tdf_bin", "x", 1);
    }
    unlink(fixture_path(fixture, "raw.d/analysis.tdf"));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture_path(fixture, "raw.d/analysis.tdf"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static int extract_tdf(struct fixture *fixture, const char *sql)
{
    assert_int_equal(sqlite3_close(make_tdf(fixture, sql)), SQLITE_OK);
    return fixture_extract(fixture, fixture_path(fixture, "raw.d"));
}

static void frames_are_counted_per_level(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(extract_tdf(fixture, FRAMES ROWS), 0);
    assert_string_equal(fixture->row, "\t2\t200\t\t3\t8\t\t2.5\t\tok\t\t\n");
}

static void precursors_come_from_the_table_of_the_mode(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(extract_tdf(fixture, FRAMES ROWS
                                 "CREATE TABLE PasefFrameMsMsInfo (IsolationMz REAL);"
                                 "INSERT INTO PasefFrameMsMsInfo VALUES (5.5), (6), (5.5);"),
                     0);
    expect_field(fixture, "ms2_unique_precursors", "2");
    assert_int_equal(extract_tdf(fixture, FRAMES ROWS
                                 "CREATE TABLE DiaFrameMsMsWindows (IsolationMz REAL);"
                                 "INSERT INTO DiaFrameMsMsWindows VALUES (400), (425), (450);"),
                     0);
    expect_field(fixture, "ms2_unique_precursors", "3");
}

static void a_slash_at_the_end_of_the_folder_does_not_matter(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES ROWS));
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d/")), 0);
}

static void unusual_characters_in_the_name_are_no_part_of_the_uri(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES ROWS));
    char old[PATH_MAX];
    snprintf(old, sizeof old, "%s", fixture_path(fixture, "raw.d"));
    const char *odd = "50%25 a?mode=rw&b#c \xc3\xa4.d";
    assert_int_equal(rename(old, fixture_path(fixture, odd)), 0);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, odd)), 0);
    expect_field(fixture, "ms1_scans", "2");
}

static void no_frames_give_empty_fields(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(extract_tdf(fixture, FRAMES), 0);
    assert_string_equal(fixture->row, "\t0\t\t\t0\t\t\t\t\tok\tthe file holds no frame\t\n");
}

static void nulls_and_texts_are_unknown_values(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(extract_tdf(fixture, FRAMES "INSERT INTO Frames VALUES (1, NULL, 0, 'many'),"
                                                 "(2, 60, NULL, 5), (3, 60, 0, 7);"),
                     0);
    assert_string_equal(fixture->row,
                        "\t2\t\t\t0\t\t\t\t\tok\t1 spectra are neither MS1 nor MS2\t"
                        "ms1_median_tic 7 (1 of 2 spectra); gradient_length 1 (2 of 3 spectra)\n");
}

static void what_is_odd_about_the_folder_is_remarked(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES ROWS
                           "CREATE TABLE GlobalMetadata (Key TEXT, Value TEXT);"
                           "INSERT INTO GlobalMetadata VALUES ('ClosedProperly', '0');"));
    unlink(fixture_path(fixture, "raw.d/analysis.tdf_bin"));
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 0);
    expect_detail(fixture, "did not close the acquisition properly");
    expect_detail(fixture, "analysis.tdf_bin is missing");
    expect_field(fixture, "status", "incomplete");
}

static void the_folder_is_not_changed(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, "PRAGMA journal_mode = WAL;" FRAMES ROWS));
    struct stat before;
    struct stat after;
    assert_int_equal(stat(fixture_path(fixture, "raw.d"), &before), 0);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 0);
    assert_int_equal(stat(fixture_path(fixture, "raw.d"), &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec); /* no file came or went */
    assert_false(fixture_exists(fixture, "raw.d/analysis.tdf-shm"));
}

static void a_tdf_cut_anywhere_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES ROWS "CREATE TABLE More (a); CREATE TABLE Again (b);"));
    struct stat st;
    assert_int_equal(stat(fixture_path(fixture, "raw.d/analysis.tdf"), &st), 0);
    for (off_t cut = st.st_size - 1; cut >= 0; cut = cut > 600 ? cut - 600 : cut - 37) {
        assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf"), cut), 0);
        assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 3);
        expect_error(fixture, "raw.d/analysis.tdf: is cut short");
    }
}

static void damage_within_the_tdf_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES ROWS));
    FILE *file = fopen(fixture_path(fixture, "raw.d/analysis.tdf"), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0); /* the page of Frames */
    for (int i = 0; i < 4096; i++) {
        fputc(0xa5, file);
    }
    fclose(file);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 3);
    expect_error(fixture, "malformed");
}

static void a_tdf_that_is_something_else_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES));
    char text[400];
    memset(text, 'x', sizeof text);
    fixture_write(fixture, "raw.d/analysis.tdf", text, sizeof text);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 3);
    expect_error(fixture, "raw.d/analysis.tdf: is not a SQLite file");
    assert_int_equal(extract_tdf(fixture, "CREATE TABLE Other (a);"), 3);
    expect_error(fixture, "has no table Frames");
    assert_int_equal(extract_tdf(fixture, "CREATE TABLE Frames (Id, Time, MsMsType);"), 3);
    expect_error(fixture, "no such column: SummedIntensities");
}

static void a_view_in_place_of_the_table_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        extract_tdf(fixture, "CREATE VIEW Frames AS WITH RECURSIVE n(Id) AS (SELECT 1 UNION ALL "
                             "SELECT Id + 1 FROM n) SELECT Id, 1 AS Time, 0 AS MsMsType, "
                             "1 AS SummedIntensities FROM n;"),
        3);
    expect_error(fixture, "has no table Frames");
}

static void a_folder_without_tdf_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    sqlite3_close(make_tdf(fixture, FRAMES));
    unlink(fixture_path(fixture, "raw.d/analysis.tdf"));
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 3);
    expect_error(fixture, "raw.d has no analysis.tdf");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(frames_are_counted_per_level),
        T(precursors_come_from_the_table_of_the_mode),
        T(a_slash_at_the_end_of_the_folder_does_not_matter),
        T(unusual_characters_in_the_name_are_no_part_of_the_uri),
        T(no_frames_give_empty_fields),
        T(nulls_and_texts_are_unknown_values),
        T(what_is_odd_about_the_folder_is_remarked),
        T(the_folder_is_not_changed),
        T(a_tdf_cut_anywhere_is_an_error),
        T(damage_within_the_tdf_is_an_error),
        T(a_tdf_that_is_something_else_is_an_error),
        T(a_view_in_place_of_the_table_is_refused),
        T(a_folder_without_tdf_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
