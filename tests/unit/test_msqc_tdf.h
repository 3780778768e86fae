/*
 * test_msqc_tdf.h - timsTOF folders made by SQLite: raw.d with frame i of n, which is MS1 when
 * i % 5 is 1, has the intensity 1000 i and the time 0.1 i s. So n frames have n / 5 MS1, a median
 * MS1 intensity of 1000 (1 + 5 (n / 5 - 1) / 2) and n / 600 minutes.
 */
#ifndef TESTS_UNIT_TEST_MSQC_TDF_H
#define TESTS_UNIT_TEST_MSQC_TDF_H
#include <dirent.h>
#include <sqlite3.h>
#include <stdint.h>

#include "test_msqc_fixture.h"

#define FRAMES                                                                                     \
    "CREATE TABLE Frames (Id INTEGER PRIMARY KEY, Time REAL, MsMsType INTEGER, TimsId INTEGER, "   \
    "SummedIntensities INTEGER);"

UNUSED static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
}

UNUSED static uint32_t length_of(int frame)
{
    return 40 + (uint32_t)frame % 7 * 8;
}

UNUSED static long begin_of(int frame)
{
    long at = 0;
    for (int i = 1; i < frame; i++) {
        at += length_of(i);
    }
    return at;
}

UNUSED static void insert_frames(sqlite3 *db, int first, int last)
{
    run_sql(db, "BEGIN");
    for (int i = first; i <= last; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "INSERT INTO Frames VALUES (%d, %.1f, %d, %ld, %d)", i, i * 0.1,
                 i % 5 == 1 ? 0 : 9, begin_of(i), 1000 * i);
        run_sql(db, sql);
    }
    run_sql(db, "COMMIT");
}

/* analysis.tdf_bin of raw.d with n frames, each of which begins with its length. */
UNUSED static void write_data(struct fixture *fixture, int n)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    for (int i = 1; i <= n; i++) {
        uint32_t length = length_of(i);
        char rest[100];
        memset(rest, 'f', sizeof rest);
        fwrite(&length, 1, sizeof length, file);
        fwrite(rest, 1, length - sizeof length, file);
    }
    fclose(file);
    fixture_write(fixture, "raw.d/analysis.tdf_bin", text, size);
    free(text);
}

UNUSED static sqlite3 *open_tdf(struct fixture *fixture, const char *folder, const char *setup)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    mkdir(fixture_path(fixture, folder), 0755);
    snprintf(path, sizeof path, "%s/%s/analysis.tdf", fixture->folder, folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, setup);
    return db;
}

/* raw.d with a closed database of n frames and the data of `data` frames. */
UNUSED static void make_raw(struct fixture *fixture, const char *setup, int n, int data)
{
    sqlite3 *db = open_tdf(fixture, "raw.d", setup);
    run_sql(db, FRAMES);
    insert_frames(db, 1, n);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    write_data(fixture, data);
}

UNUSED static void copy_file(struct fixture *fixture, const char *from, const char *to)
{
    static char bytes[8 << 20];
    FILE *file = fopen(fixture_path(fixture, from), "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fixture_write(fixture, to, bytes, size);
}

/* As after a power cut: the files of an open database, in raw.d. */
UNUSED static void take_state(struct fixture *fixture, const char *folder, const char *suffix)
{
    char from[100], to[100];
    snprintf(from, sizeof from, "%s/analysis.tdf%s", folder, suffix);
    snprintf(to, sizeof to, "raw.d/analysis.tdf%s", suffix);
    copy_file(fixture, from, to);
}

UNUSED static void list_folder(const char *path, char *list, size_t room)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort);
    assert_true(n >= 0);
    list[0] = '\0';
    for (int i = 0; i < n; i++) {
        struct stat st;
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        assert_int_equal(stat(file, &st), 0);
        size_t used = strlen(list);
        snprintf(list + used, room - used, "%s %lld %lld.%ld\n", names[i]->d_name,
                 (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        free(names[i]);
    }
    free(names);
}

/* Extract raw.d; neither it nor $TMPDIR has anything more or less in it afterwards. */
UNUSED static int extract_raw(struct fixture *fixture)
{
    char raw[PATH_MAX], tmp[PATH_MAX], before[2048], after[2048], left[2048];
    snprintf(raw, sizeof raw, "%s", fixture_path(fixture, "raw.d"));
    snprintf(tmp, sizeof tmp, "%s", fixture_path(fixture, "tmp"));
    mkdir(tmp, 0777);
    chmod(tmp, 0777);
    setenv("TMPDIR", tmp, 1);
    list_folder(raw, before, sizeof before);
    int status = fixture_extract(fixture, raw);
    list_folder(raw, after, sizeof after);
    list_folder(tmp, left, sizeof left);
    unsetenv("TMPDIR");
    assert_string_equal(before, after);
    assert_int_equal(strchr(strchr(left, '\n') + 1, '\n')[1], '\0'); /* "." and ".." */
    return status;
}

UNUSED static void expect_frames(struct fixture *fixture, int n)
{
    char text[40];
    snprintf(text, sizeof text, "%d", n / 5);
    expect_field(fixture, "ms1_scans", text);
    snprintf(text, sizeof text, "%d", n - n / 5);
    expect_field(fixture, "ms2_scans", text);
    expect_near(strtod(fixture_field(fixture, "ms1_median_tic"), NULL),
                1000 * (1 + 2.5 * (n / 5 - 1)), 1e-9);
    expect_near(strtod(fixture_field(fixture, "gradient_length"), NULL), n / 600.0, 1e-9);
    expect_field(fixture, "status", "ok");
    expect_field(fixture, "partial", "");
}
#endif
