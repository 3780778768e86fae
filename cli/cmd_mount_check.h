/*
 * cmd_mount_check.h - states of locations, for trawl mount check|status|init and trawl status.
 */
#ifndef CLI_CMD_MOUNT_CHECK_H
#define CLI_CMD_MOUNT_CHECK_H
#include "cli/cli.h"
#include "ops/locations.h"

/* Print documents of "mounts" as a table. */
int locations_table(struct cli *c, const struct docs *d, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* For locations_walk.left_out: prints a line on stderr. */
void print_left_out(const char *instrument, const struct err *why);
#endif
