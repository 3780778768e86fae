/*
 * find.h - from what the operator typed to a document.
 */
#ifndef OPS_FIND_H
#define OPS_FIND_H
#include <bson/bson.h>

#include "cli/cli.h"

/* A raw file by its id, by its original name, or by the beginning of either if it is the only one.
 * CLI_OK and *out (bson_destroy), or CLI_MISSING with the candidates in *err, or CLI_AWAY. */
enum cli_exit find_raw_file(struct cli *c, const char *name, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
enum cli_exit find_task(struct cli *c, const char *id, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
