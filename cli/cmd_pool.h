/*
 * cmd_pool.h - pools as a table, for trawl pool ls and trawl status.
 */
#ifndef CLI_CMD_POOL_H
#define CLI_CMD_POOL_H
#include "cli/cli.h"
#include "ops/pools.h"

int pool_table(struct cli *c, const struct pool_state *states, size_t n, struct err *err)
    __attribute__((nonnull(1, 4), warn_unused_result));
#endif
