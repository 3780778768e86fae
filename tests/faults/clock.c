/*
 * clock.c - LD_PRELOAD: a host whose clock is off by what the file $TEST_CLOCK says (seconds).
 *
 * Only CLOCK_REALTIME is moved; monotonic clocks and the dates of files stay true, as on a real
 * host. The file is looked at in every call, so a rename over it is a jump of the clock. Deadlines
 * on the moved clock are moved back before libc sees them; a condition that waits on
 * CLOCK_MONOTONIC is known by its bit (glibc 2.25 and newer). libfaketime 0.9.10 is unfit here: it
 * ends waits on such conditions at once.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define WAITS_MONOTONIC 2U /* in pthread_cond_t.__data.__wrefs */

static long offset_s(void)
{
    const char *path = getenv("TEST_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return 0;
    }
    char text[32];
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, t);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        t->tv_sec += offset_s();
    }
    return rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return rc;
}

time_t time(time_t *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t != NULL) {
        *t = now.tv_sec;
    }
    return now.tv_sec;
}

int timespec_get(struct timespec *t, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, t) == 0 ? base : 0;
}

/* The condition variables of today's libc, not those of 2002. */
static void *next(const char *name)
{
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (real == NULL) {
        *(void **)&real = next("pthread_cond_timedwait");
    }
    struct timespec t = *until;
    t.tv_sec -= (cond->__data.__wrefs & WAITS_MONOTONIC) != 0 ? 0 : offset_s();
    return real(cond, lock, &t);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict lock, const struct timespec *restrict until)
{
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "cnd_timedwait");
    }
    struct timespec t = *until;
    t.tv_sec -= offset_s();
    return real(cond, lock, &t);
}
