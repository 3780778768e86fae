/*
 * frame.h - how a script gets to a head node past whatever the user's login shell does there, and
 * how its answer is separated from everything else that a login prints.
 *
 * The login shell (any: sh, bash, zsh, csh, fish) is given one line without a quote, a backslash or
 * an exclamation mark inside its words. It starts a bash of ours that reads no start file, takes no
 * function and no option from the environment, and keeps only the variables of FRAME_VARIABLES. The
 * script comes by standard input, once that bash has said that it is ready; where a start file has
 * eaten or closed that, in pieces as arguments. It runs only when every byte of it is there.
 *
 * Every line of an answer is "trawl|<nonce>|…", preceded by a line break of its own; the first says
 * how many follow, the last says so again. Everything else is not ours. Pure but for the nonce; any
 * thread.
 */
#ifndef WORKERS_JOB_FRAME_H
#define WORKERS_JOB_FRAME_H
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/own.h"

#define FRAME_NONCE 33
#define FRAME_TOKEN 64
/* Bytes of a script in one argument: base64 of them and the line fit one packet of libssh2. */
#define FRAME_PIECE 21000

/* A word that nobody has printed before. -1: the kernel gives no random bytes. */
int frame_nonce(char nonce[static FRAME_NONCE], struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* What the other side prints when it takes the script, and what its last line begins with. */
void frame_ready(const char *nonce, char token[static FRAME_TOKEN]) __attribute__((nonnull));
void frame_end(const char *nonce, char token[static FRAME_TOKEN]) __attribute__((nonnull));

/* The line for a script of len bytes that comes by standard input; free(). NULL: memory is short.
 */
char *frame_line(const char *nonce, size_t len) OWNED __attribute__((nonnull));
/* The line that brings the piece of the script at `from`; the last one runs it. free(). */
char *frame_piece(const char *nonce, const char *script, size_t len, size_t from) OWNED
    __attribute__((nonnull));

enum frame {
    FRAME_WHOLE,  /* *text is the answer */
    FRAME_PART,   /* this piece has arrived */
    FRAME_SHORT,  /* the script did not arrive whole, and nothing of it was run */
    FRAME_BROKEN, /* a line is missing, or all are */
};
/* Read an answer. Of FRAME_WHOLE *text holds its lines as "trawl|…\n"; free(); NULL otherwise, and
 * when memory is short (then FRAME_BROKEN). */
enum frame frame_open(const char *nonce, const char *answer, size_t len, char **text)
    __attribute__((nonnull(1, 4), warn_unused_result));
/* The first bytes of what came, in printable characters: "" for nothing. */
void frame_show(const char *answer, size_t len, char *out, size_t room) __attribute__((nonnull(3)));
#endif
