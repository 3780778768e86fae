/*
 * screen.h - a terminal that is redrawn: alternate screen, no cursor, keys without echo. One at a
 * time; one thread.
 *
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT end it through screen_wait, so that the owner restores the
 * terminal; suspending it by a key (^Z) is off meanwhile.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

struct screen; /* opaque; defined in screen.c */

/* Take over the terminal. NULL and INVALID when standard output is none. Freed with screen_free,
 * which restores it. */
struct screen *screen_new(struct err *err) OWNED __attribute__((nonnull));
void screen_free(struct screen *s);
AUTO_DEFINE(struct screen, screen_free);

struct screen_size {
    int rows, columns;
};
struct screen_size screen_size(void);
/* Show as much of the text as there are rows; lines end with a newline, longer ones are cut. */
void screen_show(const char *text) __attribute__((nonnull));

enum screen_event { SCREEN_TIME, SCREEN_KEY, SCREEN_RESIZED, SCREEN_END };
/* Wait for a key (*key), another size, the end, or ms milliseconds. */
enum screen_event screen_wait(struct screen *s, int64_t ms, char *key) __attribute__((nonnull));
#endif
