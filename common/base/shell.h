/*
 * shell.h - growing text, and words that a shell reads back as they were.
 * One owner, one thread.
 */
#ifndef COMMON_BASE_SHELL_H
#define COMMON_BASE_SHELL_H
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/own.h"

/* Print to out between text_open and text_close; text_fini always. */
struct text {
    FILE *out;
    char *data; /* valid after text_close, NUL-terminated; free() or text_fini */
    size_t len;
};

/* 0, or -1 and TRANSIENT when memory is short. */
int text_open(struct text *t, struct err *err) __attribute__((nonnull, warn_unused_result));
/* 0 when everything that was printed is in data, else -1 and TRANSIENT. */
int text_close(struct text *t, struct err *err) __attribute__((nonnull, warn_unused_result));
void text_fini(struct text *t) __attribute__((nonnull));
static inline void auto_text_fini(struct text *t)
{
    text_fini(t);
}

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
