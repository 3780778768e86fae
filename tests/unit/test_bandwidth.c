/* test_bandwidth.c - the schedule's text, the hours, and how a bucket is shared. */
#include "common/base/bandwidth.h"

#include <pthread.h>
#include <string.h>

#include "common/base/clock.h"
#include "test.h"

#define MIB ((int64_t)1 << 20)

static struct bandwidth_schedule parsed(const char *text)
{
    struct err err = {0};
    struct bandwidth_schedule s;
    if (bandwidth_parse(text, &s, &err) != 0) {
        fail_msg("'%s': %s", text, err.msg);
    }
    return s;
}

static void hours_get_what_their_range_says(void **state)
{
    (void)state;
    struct bandwidth_schedule s = parsed("08-18:50, 22-02:7,02-03:0");
    for (int hour = 0; hour < LIMIT_HOURS; hour++) {
        int64_t wanted = hour >= 8 && hour < 18 ? 50 : hour >= 22 || hour < 2 ? 7 : 0;
        assert_int_equal(s.bytes_per_s[hour], wanted * MIB);
    }
    assert_false(bandwidth_is_none(&s));
}

static void one_number_holds_always_and_nothing_is_no_limit(void **state)
{
    (void)state;
    struct bandwidth_schedule s = parsed("12");
    assert_int_equal(s.bytes_per_s[0], 12 * MIB);
    assert_int_equal(s.bytes_per_s[23], 12 * MIB);
    s = parsed("00-24:3");
    assert_int_equal(s.bytes_per_s[23], 3 * MIB);
    static const char *const none[] = {"", "0", "00-24:0", "08-18:0,18-08:0"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        s = parsed(none[i]);
        assert_true(bandwidth_is_none(&s));
    }
}

static void what_is_no_schedule_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"x", "'x' is no limit"},
        {"-5", "'-5' is no limit"},
        {"08-18", "'08-18' is no limit"},
        {"08-18:", "'08-18:' is no limit"},
        {"08-18:5,", "'' is no limit"},
        {"08-18:5;", "'08-18:5;' is no limit"},
        {"08-25:5", "'08-25:5' is no limit"},
        {"08-18:99999999999999999999", "is no limit"},
        {"08:30-18:5", "is no limit"},
        {"08-08:5", "has no hour"},
        {"24-00:5", "has no hour"},
        {"08-18:5,17-19:6", "hour 17 has a limit already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct bandwidth_schedule s;
        assert_int_equal(bandwidth_parse(cases[i].text, &s, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        if (strstr(err.msg, cases[i].message) == NULL) {
            fail_msg("'%s': '%s', expected '%s'", cases[i].text, err.msg, cases[i].message);
        }
    }
}

static void the_next_change_is_known(void **state)
{
    (void)state;
    struct bandwidth_schedule s = parsed("08-18:50");
    static const struct {
        int hour, minute, minutes;
        int64_t mib;
    } cases[] = {{7, 59, 1, 0},   {8, 0, 600, 50}, {17, 30, 30, 50},
                 {18, 0, 840, 0}, {0, 0, 480, 0},  {23, 59, 481, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bandwidth_now now = bandwidth_at(&s, cases[i].hour, cases[i].minute);
        assert_int_equal(now.bytes_per_s, cases[i].mib * MIB);
        assert_int_equal(now.minutes, cases[i].minutes);
    }
    s = parsed("5");
    assert_int_equal(bandwidth_at(&s, 12, 30).minutes, -1);
    assert_int_equal(bandwidth_by_clock(&s), 5 * MIB);
}

/* --- the bucket --- */

static int64_t rate_of(void *ctx)
{
    return atomic_load((_Atomic int64_t *)ctx);
}

struct drawer {
    struct bandwidth_share *share;
    atomic_bool *stop;
    _Atomic int64_t *had;
    int64_t piece;
};

static void *draw(void *arg)
{
    struct drawer *d = arg;
    while (!atomic_load(d->stop)) {
        bandwidth_take(d->share, d->piece, d->stop);
        if (!atomic_load(d->stop)) {
            atomic_fetch_add(d->had, d->piece);
        }
    }
    return NULL;
}

static void shares_get_the_same_however_many_threads_and_whatever_pieces(void **state)
{
    (void)state;
    struct err err = {0};
    _Atomic int64_t rate = 64 * MIB, had[2] = {0, 0};
    atomic_bool stop = false;
    pthread_t threads[8];
    struct bandwidth *l = bandwidth_new(rate_of, &rate, &err);
    assert_non_null(l);
    struct bandwidth_share *shares[2] = {bandwidth_share_new(l, &err),
                                         bandwidth_share_new(l, &err)};
    struct drawer many = {shares[0], &stop, &had[0], MIB},
                  one = {shares[1], &stop, &had[1], MIB / 4};
    int64_t start = mono_ms();
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, draw, i < 7 ? &many : &one), 0);
    }
    mono_sleep_ms(1000);
    atomic_store(&stop, true);
    double s = (double)(mono_ms() - start) / 1000;
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    double a = (double)had[0] / (double)MIB, b = (double)had[1] / (double)MIB;
    if (a + b > 64 * (s + 0.1) + 2 || a + b < 64 * s * 0.7 || b < a * 0.8 || b > a * 1.25) {
        fail_msg("in %.2f s %.1f MiB and %.1f MiB of 64 MiB/s", s, a, b);
    }
    bandwidth_share_free(shares[0]);
    bandwidth_share_free(shares[1]);
    bandwidth_free(l);
}

static void a_new_rate_acts_at_once_and_a_stop_ends_the_wait(void **state)
{
    (void)state;
    struct err err = {0};
    _Atomic int64_t rate = MIB, had = 0;
    atomic_bool stop = false;
    struct bandwidth *l = bandwidth_new(rate_of, &rate, &err);
    struct bandwidth_share *share = bandwidth_share_new(l, &err);
    struct drawer d = {share, &stop, &had, MIB / 4};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, draw, &d), 0);
    mono_sleep_ms(300);
    assert_true(atomic_load(&had) <= MIB);
    atomic_store(&rate, 0); /* the hour ends: no limit any more */
    for (int64_t end = mono_ms() + 2000; atomic_load(&had) < 100 * MIB && mono_ms() < end;) {
        mono_sleep_ms(5);
    }
    assert_true(atomic_load(&had) >= 100 * MIB);
    atomic_store(&rate, 1024); /* one piece takes minutes now */
    mono_sleep_ms(50);
    int64_t start = mono_ms();
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_true(mono_ms() - start < 1000);
    bandwidth_share_free(share);
    bandwidth_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_get_what_their_range_says),
        cmocka_unit_test(one_number_holds_always_and_nothing_is_no_limit),
        cmocka_unit_test(what_is_no_schedule_is_refused_with_its_reason),
        cmocka_unit_test(the_next_change_is_known),
        cmocka_unit_test(shares_get_the_same_however_many_threads_and_whatever_pieces),
        cmocka_unit_test(a_new_rate_acts_at_once_and_a_stop_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
