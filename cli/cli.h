/*
 * cli.h - what every command of trawl gets, and the table that describes them all.
 *
 * Parsing, --help and "did you mean" read commands[], whose rows are in cmd_*.c; man pages and
 * shell completion are made from it. A command returns its exit code; when that is not CLI_OK or
 * CLI_NO, *err holds the one line that main.c prints.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "ops/ops.h"

enum cli_exit {
    CLI_OK,
    CLI_NO,      /* the answer is no: damaged, not healthy, timed out */
    CLI_USAGE,   /* wrong arguments or configuration */
    CLI_MISSING, /* there is no such thing, or more than one fits */
    CLI_AWAY,    /* a server cannot be reached */
    CLI_REFUSED, /* its state does not allow it */
    CLI_EXIT_COUNT
};
const char *cli_exit_help(enum cli_exit e) __attribute__((returns_nonnull));

struct cli {
    struct ops ops;     /* its cfg and db are NULL for commands that need none */
    struct config *cfg; /* owned: what ops reads */
    char who[200];      /* what ops.by is */
    const char *config_dir;
    bool json, quiet;
    bool color;    /* stdout shows colours */
    bool progress; /* stderr is a terminal that may show a moving line */
    int width;     /* columns of the terminal; 0: do not fit, cut nothing */
    FILE *out;
};

struct args;
struct cli_option {
    const char *name;  /* without the dashes */
    const char *value; /* the name of its value in help; NULL for a switch */
    const char *help;
};
enum cli_need { NEED_NOTHING, NEED_CONFIG, NEED_ANY_DB, NEED_DB /* of Trawl's own */ };
struct command {
    const char *name; /* one word or two */
    const char *args; /* "<file>", "[location]"; "" for none */
    const char *brief;
    const char *help;                 /* paragraphs; may be NULL */
    const struct cli_option *options; /* ends with {0}; may be NULL */
    size_t min_words, max_words;
    enum cli_need need;
    bool destructive; /* ends or discards work, so the environment must have been chosen explicitly
                       */
    enum cli_exit (*run)(struct cli *c, const struct args *a, struct err *err);
};
extern const struct command *const commands[];   /* ends with NULL */
extern const struct cli_option global_options[]; /* ends with {0} */

extern const struct cli_option why_option[];
/* Set *err and return e. */
enum cli_exit cli_fail(struct err *err, enum cli_exit e, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 3, 4), cold));
/* The exit code of an error of common/ or ops/. */
enum cli_exit cli_exit_of(const struct err *err) __attribute__((nonnull));

/* For what ends or discards work: -1 and INVALID unless the environment was chosen explicitly. */
int cli_need_env(const struct cli *c, const char *verb, struct err *err)
    __attribute__((nonnull, warn_unused_result));

#define CLI_WHY_MAX 400 /* bytes */
/* The reason that --why gives, "" for none. -1 and INVALID when it is needed and missing, too long
 * or not UTF-8. */
int cli_why(const struct args *a, bool needed, const char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Print what was done as a line ("made alphadia_a-v2"), or with --json the document. */
enum cli_exit cli_done(struct cli *c, const char *what, const bson_t *doc, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));
#endif
