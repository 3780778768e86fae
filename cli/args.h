/*
 * args.h - parses the command line by the table of commands. Pure.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H
#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

#define ARGS_WORDS_MAX   8
#define ARGS_OPTIONS_MAX 16

struct args {
    const struct command *command; /* NULL: none was named */
    const char *words[ARGS_WORDS_MAX];
    size_t n;                             /* of words, without the command's own */
    const char *values[ARGS_OPTIONS_MAX]; /* beside command->options; "" for a switch that is on */
    const char *config_dir;
    bool json, quiet, no_color, help, version;
};

/* Strings are borrowed from argv. -1 and INVALID for what the table does not allow; the error
 * suggests the nearest name. */
int args_parse(int argc, char *const *argv, struct args *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The value of an option of this command; NULL when it was not given. */
const char *args_get(const struct args *a, const char *option) __attribute__((nonnull));
struct args_number {
    const char *name; /* the option's, or what messages call it */
    int64_t min, max;
    int64_t or_else; /* when the option was not given */
};
/* The whole number of an option; INVALID for any other text. */
int args_i64(const struct args *a, const struct args_number *n, int64_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The same for a text that is no option. */
int text_i64(const char *text, const struct args_number *n, int64_t *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The command of this name ("ls", "pool set"); NULL when there is none. */
const struct command *command_find(const char *name) __attribute__((nonnull));
#endif
