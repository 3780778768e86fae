/*
 * cmd_top_draw.h - the lines of trawl top.
 */
#ifndef CLI_CMD_TOP_DRAW_H
#define CLI_CMD_TOP_DRAW_H
#include "cli/cli.h"
#include "ops/overview.h"

#define TOP_BAR_MAX 24 /* room for a bar */
/* "[######....]": the used part of size; full when used exceeds size. */
const char *top_bar(int64_t used, int64_t size, char buf[static TOP_BAR_MAX]);
/* Write the lines to c->out. */
int top_draw(struct cli *c, const struct top *t, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
