#include "msqc/arrays.h"

#include <math.h>

#include "test_msqc_fixture.h"

/* Decode text in pieces of the given size. */
static int decode(const char *text, const struct arrays_spec *spec, size_t piece,
                  struct arrays_summary *summary, struct err *err)
{
    AUTO(arrays_free) struct arrays_decoder *decoder = arrays_new(err);
    assert_non_null(decoder);
    if (arrays_begin(decoder, spec, err) != 0) {
        return -1;
    }
    for (size_t at = 0, size = strlen(text); at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        if (arrays_feed(decoder, text + at, n, err) != 0) {
            return -1;
        }
    }
    return arrays_end(decoder, summary, err);
}

static void expect_refused(const char *text, const struct arrays_spec *spec, const char *why)
{
    struct err err = {0};
    struct arrays_summary summary;
    assert_int_equal(decode(text, spec, 1000, &summary, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.msg, why) == NULL) {
        fail_msg("error '%s' lacks '%s'", err.msg, why);
    }
}

static void sum_and_maximum_do_not_depend_on_where_the_text_is_cut(void **state)
{
    (void)state;
    double numbers[1001];
    float floats[1001];
    double sum = 0;
    for (int i = 0; i < 1001; i++) {
        numbers[i] = i * 0.5;
        floats[i] = (float)numbers[i];
        sum += numbers[i];
    }
    char *texts[] = {base64_text(numbers, sizeof numbers), zlib_text(numbers, sizeof numbers),
                     base64_text(floats, sizeof floats), zlib_text(floats, sizeof floats)};
    for (unsigned t = 0; t < 4; t++) {
        const struct arrays_spec spec = {1001, t < 2 ? 8 : 4, t % 2 == 1};
        for (size_t piece = 1; piece < 40; piece++) {
            struct err err = {0};
            struct arrays_summary summary;
            assert_int_equal(decode(texts[t], &spec, piece, &summary, &err), 0);
            expect_near(summary.sum, sum, 0);
            expect_near(summary.max, 500, 0);
        }
        free(texts[t]);
    }
}

static void large_arrays_pass_through_the_buffers_whole(void **state)
{
    (void)state;
    const size_t count = 300000; /* several times every buffer */
    double *numbers = malloc(count * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (double)(i * 2654435761u % 1000003);
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += numbers[i];
    }
    for (int zlib = 0; zlib < 2; zlib++) {
        char *text = zlib ? zlib_text(numbers, count * 8) : base64_text(numbers, count * 8);
        const struct arrays_spec spec = {count, 8, zlib};
        struct err err = {0};
        struct arrays_summary summary;
        assert_int_equal(decode(text, &spec, 65537, &summary, &err), 0);
        expect_near(summary.sum, sum, 0);
        free(text);
    }
    free(numbers);
}

static void spaces_and_line_breaks_in_base64_are_skipped(void **state)
{
    (void)state;
    /* python3: base64.b64encode(struct.pack('<2d', 1.5, 2.5)) == AAAAAAAA+D8AAAAAAAAEQA== */
    const struct arrays_spec spec = {2, 8, false};
    struct err err = {0};
    struct arrays_summary summary;
    assert_int_equal(decode(" AAAA\nAAAA+D8A A\tAAAAAAEQA\r\n= =\n", &spec, 3, &summary, &err), 0);
    expect_near(summary.sum, 4, 0);
}

static void an_empty_array_has_sum_zero_and_no_maximum(void **state)
{
    (void)state;
    for (int zlib = 0; zlib < 2; zlib++) {
        const struct arrays_spec spec = {0, 4, zlib};
        struct err err = {0};
        struct arrays_summary summary;
        assert_int_equal(decode("", &spec, 1, &summary, &err), 0);
        expect_near(summary.sum, 0, 0);
        assert_true(isnan(summary.max));
    }
}

static void a_number_that_is_not_finite_makes_the_sum_unknown(void **state)
{
    (void)state;
    const double numbers[] = {1, (double)INFINITY, 2};
    char *text = base64_text(numbers, sizeof numbers);
    const struct arrays_spec spec = {3, 8, false};
    struct err err = {0};
    struct arrays_summary summary;
    assert_int_equal(decode(text, &spec, 9, &summary, &err), 0);
    assert_true(isnan(summary.sum));
    free(text);
}

static void text_that_is_not_base64_is_refused(void **state)
{
    (void)state;
    const struct arrays_spec spec = {1, 8, false};
    expect_refused("AAAA*AAAAAA=", &spec, "not base64");
    expect_refused("AAAA=AAAAAAA", &spec, "not base64");
    expect_refused("AAAAAAAAAAA", &spec, "is cut");
    expect_refused("AAAAAAAAA", &spec, "is cut");
    expect_refused("AAAAAAAA====", &spec, "is cut");
}

static void an_array_of_another_length_than_declared_is_refused(void **state)
{
    (void)state;
    const double numbers[] = {1, 2, 3};
    char *plain = base64_text(numbers, sizeof numbers);
    char *zlib = zlib_text(numbers, sizeof numbers);
    expect_refused(plain, &(struct arrays_spec){2, 8, false}, "more than the declared 2");
    expect_refused(plain, &(struct arrays_spec){4, 8, false}, "holds 24 bytes; 4 numbers");
    expect_refused(zlib, &(struct arrays_spec){2, 8, true}, "more than the declared 2");
    expect_refused(zlib, &(struct arrays_spec){4, 8, true}, "holds 24 bytes; 4 numbers");
    free(plain);
    free(zlib);
}

static void damaged_zlib_data_is_refused(void **state)
{
    (void)state;
    double numbers[64];
    for (int i = 0; i < 64; i++) {
        numbers[i] = i * 1.1;
    }
    const struct arrays_spec spec = {64, 8, true};
    char *text = zlib_text(numbers, sizeof numbers);
    char *cut = strdup(text);
    cut[strlen(cut) / 2 / 4 * 4] = '\0';
    expect_refused(cut, &spec, "zlib data of an array is cut");
    free(cut);
    expect_refused("AAAAAAAA", &spec, "cannot be inflated");
    text[40] = text[40] == 'A' ? 'B' : 'A';
    struct err err = {0};
    struct arrays_summary summary;
    assert_int_equal(decode(text, &spec, 7, &summary, &err), -1);
    free(text);
}

static void a_decompression_bomb_stops_at_the_declared_length(void **state)
{
    (void)state;
    const size_t size = (size_t)64 << 20;
    void *zeros = calloc(1, size);
    assert_non_null(zeros);
    char *text = zlib_text(zeros, size);
    free(zeros);
    expect_refused(text, &(struct arrays_spec){100, 8, true}, "more than the declared 100");
    free(text);
}

static void an_array_over_the_limit_is_refused_before_reading(void **state)
{
    (void)state;
    const uint64_t limit = ARRAYS_MAX_BYTES / 8;
    expect_refused("", &(struct arrays_spec){limit + 1, 8, true}, "limit is 256 MiB");
    expect_refused("", &(struct arrays_spec){UINT64_MAX, 4, false}, "limit is 256 MiB");
    expect_refused("", &(struct arrays_spec){limit, 8, true}, "holds 0 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sum_and_maximum_do_not_depend_on_where_the_text_is_cut),
        cmocka_unit_test(large_arrays_pass_through_the_buffers_whole),
        cmocka_unit_test(spaces_and_line_breaks_in_base64_are_skipped),
        cmocka_unit_test(an_empty_array_has_sum_zero_and_no_maximum),
        cmocka_unit_test(a_number_that_is_not_finite_makes_the_sum_unknown),
        cmocka_unit_test(text_that_is_not_base64_is_refused),
        cmocka_unit_test(an_array_of_another_length_than_declared_is_refused),
        cmocka_unit_test(damaged_zlib_data_is_refused),
        cmocka_unit_test(a_decompression_bomb_stops_at_the_declared_length),
        cmocka_unit_test(an_array_over_the_limit_is_refused_before_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
