/*
 * shell.h - words that a shell reads back as they were. Pure but for the stream; any thread.
 */
#ifndef COMMON_BASE_SHELL_H
#define COMMON_BASE_SHELL_H
#include <stdio.h>

#include "common/base/err.h"

/* Print word so that a POSIX shell reads back exactly its bytes: as it is when it is harmless, else
 * in single quotes. */
void shell_quote(FILE *out, const char *word) __attribute__((nonnull));
/* The same, always in single quotes. */
void shell_quote_always(FILE *out, const char *word) __attribute__((nonnull));

/*
 * Call fn for each word of line, as a shell would split it: blanks separate, '…' and "…" hold
 * together, a backslash takes the next character as it is (within "…" only before " and \).
 * Nothing is expanded. INVALID for a quote that is not closed.
 */
typedef void shell_word_fn(void *ctx, const char *word);
int shell_words(const char *line, shell_word_fn *fn, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));
#endif
