/*
 * cmd_status_print.h - trawl status for people.
 */
#ifndef CLI_CMD_STATUS_PRINT_H
#define CLI_CMD_STATUS_PRINT_H
#include "cli/cli.h"
#include "ops/status.h"

/* "copy 1/2 quant 30/30": free threads of all threads, by kind. */
void status_kinds(const bson_t *worker, char *buf, size_t room) __attribute__((nonnull));
int status_print(struct cli *c, const struct status *s, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
