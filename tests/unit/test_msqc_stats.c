#include <math.h>
#include <stdlib.h>

#include "msqc/stats.h"
#include "test_msqc_fixture.h"

static struct stats_values list_of(const double *at, size_t count)
{
    struct stats_values values = {0};
    struct err err = {0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(stats_append(&values, at[i], &err), 0);
    }
    return values;
}

static double median_of(const double *at, size_t count)
{
    struct stats_values values = list_of(at, count);
    double median = stats_median(&values);
    stats_fini(&values);
    return median;
}

static void median_of_nothing_is_unknown(void **state)
{
    (void)state;
    struct stats_values none = {0};
    assert_true(isnan(stats_median(&none)));
    assert_int_equal(stats_distinct(&none), 0);
}

static void median_is_the_middle_or_the_mean_of_the_two_middle_values(void **state)
{
    (void)state;
    expect_near(median_of((double[]){7}, 1), 7, 0);
    expect_near(median_of((double[]){3, 1}, 2), 2, 0);
    expect_near(median_of((double[]){9, 1, 5}, 3), 5, 0);
    expect_near(median_of((double[]){4, 1, 3, 2}, 4), 2.5, 0);
    expect_near(median_of((double[]){-4, -1, -3, -2}, 4), -2.5, 0);
    expect_near(median_of((double[]){1e308, 1.5e308}, 2), 1.25e308, 1e293);
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static void median_agrees_with_sorting_for_many_shapes(void **state)
{
    (void)state;
    srand(7);
    for (int shape = 0; shape < 400; shape++) {
        size_t count = 1 + (size_t)rand() % 300;
        int spread = 1 + rand() % 50; /* small spread: many equal values */
        double at[300];
        for (size_t i = 0; i < count; i++) {
            at[i] = shape % 3 == 0 ? (double)i : (double)(rand() % spread);
        }
        double median = median_of(at, count);
        qsort(at, count, sizeof *at, compare);
        expect_near(median, (at[(count - 1) / 2] + at[count / 2]) / 2, 0);
    }
}

static void median_of_a_million_equal_values_takes_no_time(void **state)
{
    (void)state;
    struct stats_values values = {0};
    struct err err = {0};
    for (int i = 0; i < 1000000; i++) {
        assert_int_equal(stats_append(&values, 22, &err), 0);
    }
    expect_near(stats_median(&values), 22, 0); /* two-part quickselect: hours */
    stats_fini(&values);
}

static void distinct_counts_each_value_once(void **state)
{
    (void)state;
    struct stats_values values = list_of((double[]){500.5, 400, 500.5, 400, 600.25}, 5);
    assert_int_equal(stats_distinct(&values), 3);
    stats_fini(&values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_of_nothing_is_unknown),
        cmocka_unit_test(median_is_the_middle_or_the_mean_of_the_two_middle_values),
        cmocka_unit_test(median_agrees_with_sorting_for_many_shapes),
        cmocka_unit_test(median_of_a_million_equal_values_takes_no_time),
        cmocka_unit_test(distinct_counts_each_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
