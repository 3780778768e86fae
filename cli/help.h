/*
 * help.h - what trawl says about itself, from the table of commands.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H
#include "cli/args.h"

/* --help, or no command at all (then CLI_USAGE). */
enum cli_exit help_asked(struct cli *c, const struct args *a) __attribute__((nonnull));
#endif
