#include "common/mono.h"

#include <assert.h>
#include <stdio.h>
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
