/*
 * cmd_steer.h - what task retry|cancel|skip|ignore and dead retry|drop share.
 */
#ifndef CLI_CMD_STEER_H
#define CLI_CMD_STEER_H
#include "cli/cli.h"
#include "ops/steer.h"

/* Steer the tasks and print what became of each. CLI_REFUSED when one refused; wakes the
 * schedulers. */
enum cli_exit cmd_steer(struct cli *c, const struct steering *s, const struct docs *tasks,
                        struct err *err) __attribute__((nonnull));
#endif
