/*
 * clock.h - time. Every deadline is on the monotonic clock; the wall clock is only for people and
 * for documents. Any thread.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t mono_ms(void);
int64_t mono_ns(void);
/* Milliseconds since 1970, UTC: what MongoDB calls a date. */
int64_t wall_ms(void);
/* Sleep; a signal may end it early. */
void mono_sleep_ms(int64_t ms);
/* A condition whose waits end by the monotonic clock. */
void mono_cond_init(pthread_cond_t *c) __attribute__((nonnull));
/* Wait, under lock, for a signal (or none: look again) until until_ms of mono_ms; false: it has
 * passed. */
bool mono_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms) __attribute__((nonnull));
/* "2026-11-21T02:40:05.123Z" into buf of at least 25 bytes; returns buf. */
char *wall_iso(int64_t ms, char *buf, size_t room) __attribute__((nonnull));
/* A random number in [0, n); n > 0. Not for secrets. */
int64_t mono_random(int64_t n);
/* "[D-]HH:MM:SS", "MM:SS" or "SS", with a fraction or without; -1 when it is no time. */
int64_t elapsed_s(const char *text) __attribute__((nonnull));
#endif
