/*
 * suggest.h - what somebody who mistyped a name may have meant. Pure; any thread.
 */
#ifndef COMMON_BASE_SUGGEST_H
#define COMMON_BASE_SUGGEST_H
#include <stddef.h>

/* How many letters must change (a swap of neighbours counts one); and the nearest of
 * names (NULL-terminated), NULL when none is near enough to be meant. */
size_t suggest_distance(const char *a, const char *b) __attribute__((nonnull));
const char *suggest(const char *typed, const char *const *names) __attribute__((nonnull));
/* ": did you mean 'set'?" or, when nothing is near, ";": what follows an unknown name, before the
 * next step. dashes comes before the name: "--" or "". */
#define SUGGEST_MAX 96
const char *suggest_text(const char *typed, const char *const *names, const char *dashes,
                         char buf[static SUGGEST_MAX]) __attribute__((nonnull));
#endif
