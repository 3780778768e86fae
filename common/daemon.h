/*
 * daemon.h - what the long-running processes do first and last: arguments, configuration, log,
 * signals.
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H
#include "common/base/err.h"
#include "common/config/config.h"

#define START_EXIT_USAGE 2 /* wrong arguments or configuration */

struct start_text {
    const char *name, *usage, *what, *options;
};

/* One option of the program's own, beside --config, --help and --version; option may be NULL. */
struct start_args {
    const char *option;
    const char **value;
};

/* Parse arguments, load the configuration, set up log and signals (blocked in all threads made
 * later). *cfg = NULL: exit with the returned code, everything has been said. */
int start_up(int argc, char **argv, const struct start_text *text, const struct start_args *args,
             struct config **cfg) __attribute__((nonnull));
/* Say why the process cannot start; the exit code. */
int start_failed(const struct start_text *text, const struct err *err) __attribute__((nonnull));
/* Log why the process may not go on, and have start_wait_for_signal return. Any thread. */
void start_refuse(const struct err *err) __attribute__((nonnull));
/* Returns on SIGTERM or SIGINT. */
void start_wait_for_signal(void);
#endif
