/*
 * strbuf.h - text that grows while it is printed. One owner, one thread.
 */
#ifndef COMMON_BASE_STRBUF_H
#define COMMON_BASE_STRBUF_H
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/own.h"

/* Print to out between strbuf_open and strbuf_close; strbuf_fini always. */
struct strbuf {
    FILE *out;
    char *data; /* valid after strbuf_close, NUL-terminated; free() or strbuf_fini */
    size_t len;
};

/* 0, or -1 and TRANSIENT when memory is short. */
int strbuf_open(struct strbuf *t, struct err *err) __attribute__((nonnull, warn_unused_result));
/* 0 when everything that was printed is in data, else -1 and TRANSIENT. */
int strbuf_close(struct strbuf *t, struct err *err) __attribute__((nonnull, warn_unused_result));
void strbuf_fini(struct strbuf *t) __attribute__((nonnull));
static inline void auto_strbuf_fini(struct strbuf *t)
{
    strbuf_fini(t);
}
#endif
