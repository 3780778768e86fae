/*
 * test_msqc_fixture.h - a temporary folder, files in it, and trawl-msqc run over them in-process;
 * afterwards the fields of msqc_results.tsv by column name.
 */
#ifndef TESTS_UNIT_TEST_MSQC_FIXTURE_H
#define TESTS_UNIT_TEST_MSQC_FIXTURE_H
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "msqc/extract.h"
#include "test.h"

#define UNUSED __attribute__((unused))

struct fixture {
    char folder[64];
    char out[128];
    struct err err;
    char columns[1024];
    char row[2048];
};

UNUSED static int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_non_null(test_folder(fixture->folder, sizeof fixture->folder, "test_msqc"));
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    snprintf(fixture->out, sizeof fixture->out, "%s/out", fixture->folder);
    assert_int_equal(mkdir(fixture->out, 0755), 0);
    *state = fixture;
    return 0;
}

UNUSED static int fixture_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

UNUSED static int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    nftw(fixture->folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

/* The path of a name in the folder; valid until the next call. */
UNUSED static const char *fixture_path(const struct fixture *fixture, const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    return path;
}

UNUSED static void fixture_write(const struct fixture *fixture, const char *name, const void *bytes,
                                 size_t size)
{
    FILE *file = fopen(fixture_path(fixture, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

UNUSED static bool fixture_exists(const struct fixture *fixture, const char *name)
{
    return access(fixture_path(fixture, name), F_OK) == 0;
}

UNUSED static void fixture_read_results(struct fixture *fixture)
{
    FILE *file = fopen(fixture_path(fixture, "out/msqc_results.tsv"), "r");
    assert_non_null(file);
    assert_non_null(fgets(fixture->columns, sizeof fixture->columns, file));
    assert_non_null(fgets(fixture->row, sizeof fixture->row, file));
    char more[4];
    assert_null(fgets(more, sizeof more, file)); /* one data row */
    fclose(file);
}

/* Extract an absolute path; the results are read when the exit status is 0. */
UNUSED static int fixture_extract(struct fixture *fixture, const char *raw)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", raw);
    const struct extract_options options = {.raw_path = path, .output_folder = fixture->out};
    fixture->err = (struct err){0};
    int status = (int)extract_run(&options, &fixture->err);
    if (status == 0) {
        fixture_read_results(fixture);
    } else {
        assert_false(fixture_exists(fixture, "out/msqc_results.tsv"));
        assert_false(fixture_exists(fixture, "out/msqc_tic.tsv"));
        assert_string_not_equal(fixture->err.msg, "");
    }
    assert_false(fixture_exists(fixture, "out/msqc_results.tsv.part"));
    assert_false(fixture_exists(fixture, "out/msqc_tic.tsv.part"));
    return status;
}

/* Write text as <folder>/<name> and extract it. */
UNUSED static int fixture_extract_text(struct fixture *fixture, const char *name, const char *text)
{
    fixture_write(fixture, name, text, strlen(text));
    return fixture_extract(fixture, fixture_path(fixture, name));
}

/* A field of the data row; valid until the next call. */
UNUSED static const char *fixture_field(const struct fixture *fixture, const char *column)
{
    static char field[2048];
    char columns[1024];
    char row[2048];
    snprintf(columns, sizeof columns, "%.*s", (int)strcspn(fixture->columns, "\n"),
             fixture->columns);
    snprintf(row, sizeof row, "%.*s", (int)strcspn(fixture->row, "\n"), fixture->row);
    char *column_at = columns;
    char *row_at = row;
    char *name;
    while ((name = strsep(&column_at, "\t")) != NULL) {
        const char *value = strsep(&row_at, "\t");
        assert_non_null(value);
        if (strcmp(name, column) == 0) {
            snprintf(field, sizeof field, "%s", value);
            return field;
        }
    }
    fail_msg("no column %s", column);
    return "";
}

UNUSED static void expect_field(const struct fixture *fixture, const char *column, const char *text)
{
    const char *field = fixture_field(fixture, column);
    if (strcmp(field, text) != 0) {
        fail_msg("%s is '%s', expected '%s'", column, field, text);
    }
}

UNUSED static void expect_detail(const struct fixture *fixture, const char *part)
{
    if (strstr(fixture_field(fixture, "detail"), part) == NULL) {
        fail_msg("detail '%s' lacks '%s'", fixture_field(fixture, "detail"), part);
    }
}

UNUSED static void expect_error(const struct fixture *fixture, const char *part)
{
    if (strstr(fixture->err.msg, part) == NULL) {
        fail_msg("error '%s' lacks '%s'", fixture->err.msg, part);
    }
}

/* cmocka 1.1.5 compares floats, not doubles. */
UNUSED static void expect_near(double value, double expected, double tolerance)
{
    if (!(value >= expected - tolerance && value <= expected + tolerance)) {
        fail_msg("%.17g, expected %.17g", value, expected);
    }
}

/* Base64 text that the caller frees. */
UNUSED static char *base64_text(const void *bytes, size_t size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = bytes;
    char *text = malloc((size + 2) / 3 * 4 + 1);
    assert_non_null(text);
    size_t used = 0;
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)at[i] << 16;
        bits |= i + 1 < size ? (unsigned)at[i + 1] << 8 : 0;
        bits |= i + 2 < size ? (unsigned)at[i + 2] : 0;
        text[used++] = alphabet[bits >> 18];
        text[used++] = alphabet[bits >> 12 & 63];
        text[used++] = '=';
        text[used++] = '=';
        if (i + 1 < size) {
            text[used - 2] = alphabet[bits >> 6 & 63];
        }
        if (i + 2 < size) {
            text[used - 1] = alphabet[bits & 63];
        }
    }
    text[used] = '\0';
    return text;
}

/* The same after zlib. The caller frees it. */
UNUSED static char *zlib_text(const void *bytes, size_t size)
{
    uLongf packed_size = compressBound(size);
    unsigned char *packed = malloc(packed_size);
    assert_non_null(packed);
    assert_int_equal(compress(packed, &packed_size, bytes, size), Z_OK);
    char *text = base64_text(packed, packed_size);
    free(packed);
    return text;
}
#endif
