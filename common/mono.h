/*
 * mono.h - time. Every deadline is on the monotonic clock; the wall clock is only for people and
 * for documents. Any thread.
 */
#ifndef COMMON_MONO_H
#define COMMON_MONO_H
#include <stddef.h>
#include <stdint.h>

int64_t mono_ms(void);
int64_t mono_ns(void);
/* Milliseconds since 1970, UTC: what MongoDB calls a date. */
int64_t wall_ms(void);
/* Sleep; a signal may end it early. */
void mono_sleep_ms(int64_t ms);
/* "2026-11-21T02:40:05.123Z" into buf of at least 25 bytes; returns buf. */
char *wall_iso(int64_t ms, char *buf, size_t room) __attribute__((nonnull));
/* A random number in [0, n); n > 0. Not for secrets. */
int64_t mono_random(int64_t n);
/* "[D-]HH:MM:SS", "MM:SS" or "SS", with a fraction or without; -1 when it is no time. */
int64_t elapsed_s(const char *text) __attribute__((nonnull));
#endif
