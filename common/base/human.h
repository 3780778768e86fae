/*
 * human.h - numbers, times and names as people read them. Pure.
 */
#ifndef COMMON_BASE_HUMAN_H
#define COMMON_BASE_HUMAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

#define TEXT_SHORT 32 /* room for any of the texts below */

/* "0 B", "999 B", "1.0 KiB", "5.2 GiB"; "-" for a negative size (not known). */
const char *text_size(int64_t bytes, char buf[static TEXT_SHORT]);
/* "3 s", "4 min", "2 h 5 min", "3 d 4 h": the two largest parts. */
const char *text_duration(int64_t ms, char buf[static TEXT_SHORT]);
/* The largest part only: "3s", "4m", "2h", "3d"; "-" for no time at all (0). */
const char *text_age(int64_t then_ms, int64_t now_ms, char buf[static TEXT_SHORT]);
/* "45 %", rounded down so that only the end is 100; "" when total is not known. */
const char *text_percent(int64_t done, int64_t total, char buf[static TEXT_SHORT]);
/* "2026-11-21 02:40:05" UTC; "-" for 0. */
const char *text_time(int64_t ms, char buf[static TEXT_SHORT]);

/* "30m", "2h", "3d", "1w" before now, or "2026-11-21[T02:40[:05]]" UTC. -1 and INVALID otherwise.
 */
int text_since(const char *text, int64_t now_ms, int64_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Write s without anything that moves a cursor: '?' is written for it. */
void text_put(FILE *out, const char *s) __attribute__((nonnull));

/* Columns on a terminal: characters, as long as none is wide. */
size_t text_width(const char *s) __attribute__((nonnull));
/* A copy of at most width columns, with "…" in its middle when it was cut, and without anything
 * that moves a cursor. width 0: nothing is cut. free(); NULL when memory is short. */
char *text_fit(const char *s, size_t width) __attribute__((nonnull, warn_unused_result));
#endif
