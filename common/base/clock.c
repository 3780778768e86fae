#include "common/base/clock.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t mono_ms(void)
{
    return mono_ns() / 1000000;
}

int64_t wall_ms(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000;
}

void mono_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

void mono_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

bool mono_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    return pthread_cond_timedwait(c, lock, &until) == 0;
}

char *wall_iso(int64_t ms, char *buf, size_t room)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(buf, room, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, room - n, ".%03dZ", (int)(ms % 1000));
    return buf;
}

int64_t mono_random(int64_t n)
{
    assert(n > 0);
    uint64_t r;
    while (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) {
    }
    return (int64_t)(r % (uint64_t)n);
}

static int64_t take_number(const char **at)
{
    if (!isdigit((unsigned char)**at)) {
        return -1;
    }
    char *end = NULL;
    long long value = strtoll(*at, &end, 10);
    *at = end;
    return value <= 1000000000 ? value : -1;
}

int64_t elapsed_s(const char *text)
{
    const char *c = text;
    int64_t days = 0;
    int64_t total = take_number(&c);
    bool has_days = *c == '-' && total >= 0;
    if (has_days) {
        c++;
        days = total;
        total = take_number(&c);
    }
    int parts = 1;
    for (; total >= 0 && *c == ':' && parts < 3; parts++) {
        c++;
        int64_t value = take_number(&c);
        total = value >= 0 && value < 60 ? total * 60 + value : -1;
    }
    for (; has_days && parts < 3 && total >= 0; parts++) {
        total *= 60; /* D-HH and D-HH:MM */
    }
    if (*c == '.') {
        c += 1 + strspn(c + 1, "0123456789");
    }
    return total >= 0 && *c == '\0' ? days * 86400 + total : -1;
}
