/*
 * cli.h - what every command of trawl gets, and the one table that describes them all.
 *
 * Parsing, --help and "did you mean" read the table in commands.c; man pages and shell completion
 * can be made from it. A command returns its exit code; when that is not CLI_OK or CLI_NO, *err
 * holds the one line that main.c prints.
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
    CLI_MISSING, /* there is no such thing, or more than one */
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
    const char *value; /* what stands for its value in help; NULL for a switch */
    const char *help;
};
enum cli_need { NEED_NOTHING, NEED_CONFIG, NEED_DB };
struct command {
    const char *name; /* one word or two */
    const char *args; /* "<file>", "[location]"; "" for none */
    const char *brief;
    const char *help;                 /* paragraphs; may be NULL */
    const struct cli_option *options; /* ends with {0}; may be NULL */
    size_t min_words, max_words;
    enum cli_need need;
    bool destructive; /* ends or discards work: somebody must have said in which environment */
    enum cli_exit (*run)(struct cli *c, const struct args *a, struct err *err);
};
extern const struct command commands[];          /* ends with {0} */
extern const struct cli_option global_options[]; /* ends with {0} */

/* Set *err and return e. */
enum cli_exit cli_fail(struct err *err, enum cli_exit e, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 3, 4), cold));
/* The exit code of an error of common/ or ops/. */
enum cli_exit cli_exit_of(const struct err *err) __attribute__((nonnull));

#define CLI_WHY_MAX 400 /* bytes */
/* The reason that --why gives, "" for none. -1 and INVALID when it is needed and missing, too long
 * or no text. */
int cli_why(const struct args *a, bool needed, const char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* A line for people about what was done ("made alphadia_a-v2"), or with --json the document. */
enum cli_exit cli_done(struct cli *c, const char *what, const bson_t *doc, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));

/* The commands; each is described in commands.c. */
enum cli_exit cmd_status(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_show(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_why(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_verify(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_remove(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_pool_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_pool_set(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_show(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_retry(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_cancel(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_skip(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_task_ignore(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_dead_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_dead_show(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_dead_retry(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_dead_drop(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_stop(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_resume(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_top(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_log(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_show(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_new(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_archive(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_assign(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_unassign(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_settings_resolve(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_project_ls(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_project_new(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_project_set(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_rerun(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_cluster_trust(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_cluster_strays(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_cluster_cancel(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_config_show(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_config_check(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_config_template(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_mount_init(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_mount_check(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_mount_status(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_mount_commands(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_completion(struct cli *c, const struct args *a, struct err *err);
enum cli_exit cmd_help(struct cli *c, const struct args *a, struct err *err);
#endif
