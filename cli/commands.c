/*
 * commands.c - the order in which help, completion and man pages show the commands, and the options
 * that several share. A command is cli/cmd_<name>.c, whose row has its options and its help. To add
 * one: write its file, and add its name to COMMANDS.
 */
#include "cli/cli.h"

const struct cli_option global_options[] = {
    {"config", "DIR", "the folder of trawl.ini ($TRAWL_CONFIG_DIR, else config)"},
    {"json", NULL, "one JSON value for scripts instead of text for people"},
    {"no-color", NULL, "no colours (also: NO_COLOR in the environment)"},
    {"quiet", NULL, "only the answer: no progress, no hints"},
    {"help", NULL, "this text; after a command, more on it"},
    {"version", NULL, "the version"},
    {0},
};

const struct cli_option why_option[] = {
    {"why", "TEXT", "the reason, kept in trawl log"},
    {0},
};

/* clang-format off */
#define COMMANDS(X) \
    X(status) X(doctor) X(top) X(ls) X(show) X(why) X(verify) X(remove) \
    X(pool_ls) X(pool_set) \
    X(task_ls) X(task_show) X(task_retry) X(task_cancel) X(task_skip) X(task_ignore) \
    X(dead_ls) X(dead_show) X(dead_retry) X(dead_drop) \
    X(stop) X(resume) X(log) X(retention) \
    X(settings_ls) X(settings_show) X(settings_new) X(settings_archive) X(settings_assign) X(settings_unassign) \
    X(settings_resolve) X(project_ls) X(project_new) X(project_set) X(rerun) \
    X(cluster_trust) X(cluster_strays) X(cluster_cancel) \
    X(config_show) X(config_check) X(config_template) \
    X(mount_init) X(mount_check) X(mount_status) X(mount_commands) \
    X(import_alphakraken) X(shadow) \
    X(completion) X(help)
/* clang-format on */
#define DECLARE(name) extern const struct command command_##name;
#define ADDRESS(name) &command_##name,
COMMANDS(DECLARE)
const struct command *const commands[] = {COMMANDS(ADDRESS) NULL};
