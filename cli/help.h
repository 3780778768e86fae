/*
 * help.h - prints help from the table of commands.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H
#include "cli/args.h"

/* For --help, or for no command at all (then CLI_USAGE). */
enum cli_exit help_asked(struct cli *c, const struct args *a) __attribute__((nonnull));
#endif
