/*
 * screen.c - takes over the terminal and gives it back (screen.h).
 *
 * Signals are blocked except while screen_wait waits in ppoll; their handler only sets flags. A
 * text is drawn line by line over the old one, which does not flicker; lines that do not fit are
 * counted at the bottom.
 */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate screen, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define REST  "\033[K" /* clear to the end of the line */
#define BELOW "\033[J"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
#define SIGNALS (sizeof signals / sizeof *signals)

struct screen {
    struct termios terminal;
    struct sigaction actions[SIGNALS];
    sigset_t mask; /* the previous mask, which lets signals interrupt a wait */
    bool keys;     /* standard input is a terminal */
};

static atomic_int ended, resized; /* set by the handler */

static void on_signal(int number)
{
    atomic_store(number == SIGWINCH ? &resized : &ended, 1);
}

/* Errors are ignored: a terminal that is gone shows nothing anyway. */
static void put_bytes(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EINTR) {
            return;
        }
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Let signals arrive only in screen_wait, so that they interrupt nothing else. */
static void catch_signals(struct screen *s)
{
    sigset_t ours;
    struct sigaction act = {.sa_handler = on_signal};
    sigemptyset(&ours);
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaddset(&ours, signals[i]);
        sigaction(signals[i], &act, &s->actions[i]);
    }
    sigprocmask(SIG_BLOCK, &ours, &s->mask);
}

static void take_keys(struct screen *s)
{
    s->keys = tcgetattr(STDIN_FILENO, &s->terminal) == 0;
    if (s->keys) {
        struct termios raw = s->terminal;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    }
}

struct screen *screen_new(struct err *err)
{
    if (isatty(STDOUT_FILENO) != 1) {
        (void)ERR(err, ERR_INVALID, 0, "standard output is no terminal");
        return NULL;
    }
    struct screen *s = calloc(1, sizeof *s);
    if (s == NULL) {
        (void)err_no_memory(err);
        return NULL;
    }
    atomic_store(&ended, 0);
    atomic_store(&resized, 0);
    catch_signals(s);
    take_keys(s);
    put_bytes(ENTER, strlen(ENTER));
    return s;
}

void screen_free(struct screen *s)
{
    if (s == NULL) {
        return;
    }
    put_bytes(LEAVE, strlen(LEAVE));
    if (s->keys) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->terminal);
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], &s->actions[i], NULL);
    }
    sigprocmask(SIG_SETMASK, &s->mask, NULL);
    free(s);
}

struct screen_size screen_size(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        return (struct screen_size){24, 80};
    }
    return (struct screen_size){size.ws_row, size.ws_col};
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n')) {
        lines++;
    }
    return lines;
}

void screen_show(const char *text)
{
    char *frame = NULL;
    size_t len = 0;
    int rows = screen_size().rows;
    FILE *out = open_memstream(&frame, &len);
    if (out == NULL) {
        return;
    }
    fputs(HOME, out);
    int hidden = count_lines(text) - rows;
    for (int row = 0; row < rows - (hidden > 0) && *text != '\0'; row++) {
        size_t line = strcspn(text, "\n");
        fprintf(out, "%s%.*s" REST, row > 0 ? "\r\n" : "", (int)line, text);
        text += line + (text[line] == '\n');
    }
    if (hidden > 0) {
        fprintf(out, "\r\n... %d more lines on a taller terminal; q ends" REST, hidden + 1);
    }
    fputs(BELOW, out);
    if (fclose(out) == 0) {
        put_bytes(frame, len);
    }
    free(frame);
}

enum screen_event screen_wait(struct screen *s, int64_t ms, char *key)
{
    struct pollfd in = {.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN};
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    int n = ppoll(&in, 1, &time, &s->mask);
    if (atomic_load(&ended) != 0) {
        return SCREEN_END;
    }
    if (atomic_exchange(&resized, 0) != 0) {
        return SCREEN_RESIZED;
    }
    if (n <= 0) {
        return SCREEN_TIME;
    }
    return read(STDIN_FILENO, key, 1) == 1 ? SCREEN_KEY : SCREEN_END; /* the terminal is gone */
}
