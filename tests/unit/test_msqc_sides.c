/*
 * test_msqc_sides.c - SQLite's files beside analysis.tdf, as instruments, copies and other programs
 * leave them. What is right was seen with sqlite3: "SELECT count(*) FROM Frames" on a copy that may
 * be written, and with immutable=1.
 */
#include "test_msqc_tdf.h"

/* Then the data cannot tell which state is right. */
#define NO_BEGINS "UPDATE Frames SET TimsId = NULL;"

/* --- the write-ahead log --- */

#define WAL "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"

/* Database and log of live/analysis.tdf, which is open, become raw.d's; closes it. */
static void leave_log(struct fixture *fixture, sqlite3 *live)
{
    mkdir(fixture_path(fixture, "raw.d"), 0755);
    take_state(fixture, "live", "");
    take_state(fixture, "live", "-wal");
    sqlite3_close(live);
}

/* raw.d of which 300 frames are in the log only. */
static void make_log(struct fixture *fixture)
{
    sqlite3 *live = open_tdf(fixture, "live", WAL FRAMES);
    insert_frames(live, 1, 300);
    leave_log(fixture, live);
    write_data(fixture, 300);
}

/* bsphinney/DE-LIMP#73, vdemichev/DiaNN#1166: a log of the first minute beside the whole index. */
static void a_log_of_an_earlier_state_is_left_out(void **state)
{
    static const struct {
        const char *whole, *early;
    } cases[] = {
        {"", "PRAGMA user_version = 1; PRAGMA user_version = 2; PRAGMA user_version = 3;"
             "PRAGMA user_version = 4; PRAGMA user_version = 5;"}, /* not behind, but a log */
        {"PRAGMA journal_mode = WAL;", ""},                        /* behind */
        {"PRAGMA journal_mode = WAL;", "CREATE TABLE One (a);"},   /* pages that do not fit */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *fixture = *state;
        unlink(fixture_path(fixture, "raw.d/analysis.tdf-wal"));
        unlink(fixture_path(fixture, "raw.d/analysis.tdf"));
        unlink(fixture_path(fixture, "early/analysis.tdf"));
        make_raw(fixture, cases[i].whole, 300, 300);
        sqlite3 *later = open_tdf(fixture, "raw.d", "CREATE TABLE Later (a);" NO_BEGINS);
        sqlite3_close(later);
        sqlite3 *early = open_tdf(fixture, "early", cases[i].early);
        run_sql(early, WAL FRAMES);
        insert_frames(early, 1, 10);
        take_state(fixture, "early", "-wal");
        sqlite3_close(early);
        assert_int_equal(extract_raw(fixture), 0);
        expect_frames(fixture, 300);
        expect_detail(fixture, "analysis.tdf-wal does not belong to analysis.tdf");
    }
}

static void frames_that_are_only_in_the_log_are_read(void **state)
{
    static const char *const sizes[] = {"512", "4096", "65536"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture *fixture = *state;
        char setup[200];
        unlink(fixture_path(fixture, "live/analysis.tdf"));
        snprintf(setup, sizeof setup, "PRAGMA page_size = %s;" WAL FRAMES, sizes[i]);
        sqlite3 *live = open_tdf(fixture, "live", setup);
        insert_frames(live, 1, 10);
        run_sql(live, "PRAGMA wal_checkpoint(TRUNCATE)");
        insert_frames(live, 11, 150);
        insert_frames(live, 151, 300);
        leave_log(fixture, live);
        write_data(fixture, 300);
        assert_int_equal(extract_raw(fixture), 0);
        expect_frames(fixture, 300);
        expect_detail(fixture, "read with analysis.tdf-wal");
    }
}

/* A change of which the log has not all did not happen: SQLite says so, too. */
static void a_log_that_is_cut_counts_up_to_its_last_whole_change(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *live = open_tdf(fixture, "live", WAL FRAMES);
    run_sql(live, "PRAGMA wal_checkpoint(TRUNCATE)");
    insert_frames(live, 1, 150);
    insert_frames(live, 151, 300);
    leave_log(fixture, live);
    write_data(fixture, 300);
    struct stat st;
    assert_int_equal(stat(fixture_path(fixture, "raw.d/analysis.tdf-wal"), &st), 0);
    assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf-wal"), st.st_size - 1), 0);
    assert_int_equal(extract_raw(fixture), 0);
    expect_field(fixture, "status", "incomplete");
    expect_field(fixture, "ms1_scans", "");
    assert_non_null(strstr(fixture_field(fixture, "partial"), "ms1_scans 30 ("));
    write_data(fixture, 150);
    assert_int_equal(extract_raw(fixture), 0);
    expect_frames(fixture, 150);
}

/* Same age, same page size, same mode: only the data tells which is right. */
static void a_log_of_another_database_is_left_out_when_only_the_index_fits_the_data(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *whole = open_tdf(fixture, "raw.d", WAL FRAMES);
    insert_frames(whole, 1, 300);
    sqlite3_close(whole);
    sqlite3 *other = open_tdf(fixture, "other", WAL FRAMES);
    insert_frames(other, 1, 10);
    take_state(fixture, "other", "-wal");
    sqlite3_close(other);
    write_data(fixture, 300);
    assert_int_equal(extract_raw(fixture), 0);
    expect_frames(fixture, 300);
    expect_detail(fixture, "analysis.tdf-wal does not belong");
}

static uint32_t get_word(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_word(unsigned char *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(word >> (24 - 8 * i));
    }
}

static void sum_big(const unsigned char *at, size_t size, uint32_t sum[2])
{
    for (size_t i = 0; i < size; i += 8) {
        sum[0] += get_word(at + i) + sum[1];
        sum[1] += get_word(at + i + 4) + sum[0];
    }
}

/* The log as a machine of the other byte order writes it: check sums of big-endian words. */
static void a_log_of_the_other_byte_order_is_read(void **state)
{
    static unsigned char log[4 << 20];
    struct fixture *fixture = *state;
    sqlite3 *live = open_tdf(fixture, "live", WAL FRAMES);
    insert_frames(live, 1, 50);
    mkdir(fixture_path(fixture, "raw.d"), 0755);
    take_state(fixture, "live", "");
    FILE *file = fopen(fixture_path(fixture, "live/analysis.tdf-wal"), "rb");
    assert_non_null(file);
    size_t size = fread(log, 1, sizeof log, file);
    fclose(file);
    sqlite3_close(live);
    uint32_t sum[2] = {0};
    put_word(log, 0x377f0683);
    sum_big(log, 24, sum);
    put_word(log + 24, sum[0]);
    put_word(log + 28, sum[1]);
    for (size_t at = 32; at < size; at += 24 + 4096) {
        sum_big(log + at, 8, sum);
        sum_big(log + at + 24, 4096, sum);
        put_word(log + at + 16, sum[0]);
        put_word(log + at + 20, sum[1]);
    }
    fixture_write(fixture, "raw.d/analysis.tdf-wal", log, size);
    write_data(fixture, 50);
    assert_int_equal(extract_raw(fixture), 0);
    expect_frames(fixture, 50);
}

static void a_log_of_nothing_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    static const char *const logs[] = {"", "x", "SQLite format 3"};
    make_raw(fixture, "PRAGMA journal_mode = WAL;", 100, 100);
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        fixture_write(fixture, "raw.d/analysis.tdf-wal", logs[i], strlen(logs[i]));
        fixture_write(fixture, "raw.d/analysis.tdf-journal", logs[i], strlen(logs[i]));
        fixture_write(fixture, "raw.d/analysis.tdf-shm", "x", 1);
        assert_int_equal(extract_raw(fixture), 0);
        expect_frames(fixture, 100);
        expect_field(fixture, "detail", "");
    }
}

/* --- the roll-back journal --- */

/* An open change that has spilled into the database: the caller closes it. */
static sqlite3 *begin_change(struct fixture *fixture, const char *folder, int frames)
{
    sqlite3 *db =
        open_tdf(fixture, folder,
                 "PRAGMA cache_spill = ON; PRAGMA cache_size = 1;" FRAMES "CREATE TABLE Big (a);");
    insert_frames(db, 1, frames);
    run_sql(db, "BEGIN; CREATE TABLE First (a); UPDATE Frames SET Time = 1, MsMsType = 0;"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                "INSERT INTO Big SELECT hex(zeroblob(100)) FROM n;");
    return db;
}

/* With the first page as it was before the change, and with the changed one. */
static void a_change_that_was_not_finished_is_taken_back(void **state)
{
    for (int written = 0; written < 2; written++) {
        struct fixture *fixture = *state;
        mkdir(fixture_path(fixture, "raw.d"), 0755);
        unlink(fixture_path(fixture, "live/analysis.tdf"));
        sqlite3 *writer = begin_change(fixture, "live", 300);
        take_state(fixture, "live", "");
        take_state(fixture, "live", "-journal");
        sqlite3_close(writer);
        write_data(fixture, 300);
        FILE *file = fopen(fixture_path(fixture, "raw.d/analysis.tdf"), "r+b");
        unsigned char page[100];
        assert_non_null(file);
        assert_int_equal(fread(page, 1, sizeof page, file), sizeof page);
        put_word(page + 24, get_word(page + 24) + (uint32_t)written);
        put_word(page + 92, get_word(page + 24));
        rewind(file);
        assert_int_equal(fwrite(page, 1, sizeof page, file), sizeof page);
        fclose(file);
        assert_int_equal(extract_raw(fixture), 0);
        expect_frames(fixture, 300);
        expect_detail(fixture, "read with analysis.tdf-journal");
    }
}

static void a_journal_of_another_state_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    make_raw(fixture, "", 300, 300);
    for (int i = 0; i < 5; i++) {
        char sql[60];
        snprintf(sql, sizeof sql, "CREATE TABLE T%d (a)", i);
        sqlite3 *later = open_tdf(fixture, "raw.d", sql);
        sqlite3_close(later);
    }
    sqlite3 *later = open_tdf(fixture, "raw.d", NO_BEGINS);
    sqlite3_close(later);
    sqlite3 *writer = begin_change(fixture, "early", 10);
    take_state(fixture, "early", "-journal");
    sqlite3_close(writer);
    assert_int_equal(extract_raw(fixture), 0);
    expect_frames(fixture, 300);
    expect_detail(fixture, "analysis.tdf-journal does not belong");
}

/* --- where nothing may be written --- */

static void a_folder_that_is_read_only_is_read(void **state)
{
    struct fixture *fixture = *state;
    make_log(fixture);
    assert_int_equal(chmod(fixture_path(fixture, "raw.d"), 0555), 0);
    assert_int_equal(chmod(fixture->out, 0777), 0);
    if (getuid() == 0) { /* root may write anywhere */
        assert_int_equal(seteuid(65534), 0);
    }
    char raw[PATH_MAX];
    snprintf(raw, sizeof raw, "%s", fixture_path(fixture, "raw.d"));
    int status = fixture_extract(fixture, raw);
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(fixture_path(fixture, "raw.d"), 0755), 0);
    assert_int_equal(status, 0);
    expect_frames(fixture, 300);
}

static void a_private_copy_without_a_place_is_an_error_that_names_tmpdir(void **state)
{
    struct fixture *fixture = *state;
    make_log(fixture);
    setenv("TMPDIR", "/nowhere", 1);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "raw.d")), 3);
    unsetenv("TMPDIR");
    expect_error(fixture, "cannot be copied to /nowhere (TMPDIR): No such file");
    assert_int_equal(fixture->err.kind, ERR_TRANSIENT);
    /* A file of holes is as long as one without. */
    assert_int_equal(truncate(fixture_path(fixture, "raw.d/analysis.tdf"), (off_t)17 << 30), 0);
    assert_int_equal(extract_raw(fixture), 3);
    expect_error(fixture, "is too large for a private copy (17408 MiB)");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_log_of_an_earlier_state_is_left_out),
        T(frames_that_are_only_in_the_log_are_read),
        T(a_log_that_is_cut_counts_up_to_its_last_whole_change),
        T(a_log_of_another_database_is_left_out_when_only_the_index_fits_the_data),
        T(a_log_of_the_other_byte_order_is_read),
        T(a_log_of_nothing_is_passed_over),
        T(a_change_that_was_not_finished_is_taken_back),
        T(a_journal_of_another_state_is_left_out),
        T(a_folder_that_is_read_only_is_read),
        T(a_private_copy_without_a_place_is_an_error_that_names_tmpdir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
