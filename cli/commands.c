/*
 * commands.c - every command with its options and its help, once. To add a command: a line in
 * commands[], its function in cmd_<name>.c. Over 500 lines, because help, completion and man pages
 * are made from one table, which is read from top to bottom.
 */
#include "cli/cli.h"

const struct cli_option global_options[] = {
    {"config", "DIR", "where trawl.ini is ($TRAWL_CONFIG_DIR, else config)"},
    {"json", NULL, "one JSON value for scripts instead of text for people"},
    {"no-color", NULL, "no colours (also: NO_COLOR in the environment)"},
    {"quiet", NULL, "nothing but the answer: no progress, no hints"},
    {"help", NULL, "this text; after a command, more on it"},
    {"version", NULL, "the version"},
    {0},
};

static const struct cli_option ls_options[] = {
    {"instrument", "ID", "only of this instrument"},
    {"status", "STATUS", "only with this status (copying, done, error, …)"},
    {"project", "ID", "only of this project"},
    {"since", "WHEN", "created since 30m, 2h, 3d, 1w ago, or 2026-11-21[T02:40]"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {0},
};
static const struct cli_option remove_options[] = {
    {"dry-run", NULL, "show what would go; the only form of this command"},
    {"instrument", "ID", "only of this instrument"},
    {"quick", NULL, "compare names and sizes only, read no file"},
    {0},
};
static const struct cli_option verify_options[] = {
    {"all", NULL, "every backup; with --source every original that is left"},
    {"instrument", "ID", "every backup (original) of this instrument"},
    {"source", NULL, "compare the originals at the instruments with what was backed up"},
    {"since", "WHEN", "of these, the raw files created since 30m, 2h, 3d, 1w ago, or 2026-11-21"},
    {"limit", "MIB", "read no faster, MiB/s; 0: no limit ([scrub] limit_mib_per_s)"},
    {0},
};
static const struct cli_option pool_set_options[] = {
    {"why", "TEXT", "shown by pool ls and why, and kept in the log"},
    {"wait", NULL, "wait until no more than <n> slots are taken"},
    {"timeout", "S", "with --wait: exit 1 after so many seconds"},
    {0},
};
static const struct cli_option stop_options[] = {
    {"all", NULL, "every pool; the only form of this command"},
    {"why", "TEXT", "needed: shown by status, why and top, and kept in the log"},
    {0},
};
static const struct cli_option why_option[] = {
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option why_needed_option[] = {
    {"why", "TEXT", "needed: kept with the task and in the log"},
    {0},
};
static const struct cli_option log_options[] = {
    {"since", "WHEN", "only since 30m, 2h, 3d, 1w ago, or 2026-11-21[T02:40]"},
    {"who", "USER", "only by this user, or user@host"},
    {"target", "ID", "only on this pool, location, task, or any task of this raw file"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {"follow", NULL, "go on and show each new entry; with --json one a line"},
    {0},
};
static const struct cli_option task_retry_options[] = {
    {"tree", NULL, "also what comes after it and failed or was set aside"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option dead_retry_options[] = {
    {"group", "ID", "every task of this group of trawl dead ls"},
    {"all", NULL, "every dead letter"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option dead_drop_options[] = {
    {"group", "ID", "every task of this group of trawl dead ls"},
    {"all", NULL, "every dead letter"},
    {"why", "TEXT", "needed: kept with each task and in the log"},
    {0},
};
static const struct cli_option top_options[] = {
    {"once", NULL, "print it once, as lines; so it is without a terminal and with --json"},
    {0},
};
static const struct cli_option task_ls_options[] = {
    {"kind", "KIND", "only copy, quant, index, …"},
    {"state", "STATE", "only ready, admitted, running, parked, done, failed, …"},
    {"raw-file", "ID", "only of this raw file"},
    {"limit", "N", "the newest N (100; 0: all)"},
    {0},
};
static const struct cli_option settings_ls_options[] = {
    {"all", NULL, "also those that are archived"},
    {0},
};
static const struct cli_option settings_new_options[] = {
    {"type", "TYPE", "software type: alphadia, diann, msqc, skyline, custom"},
    {"software", "NAME", "program below the software location; alphadia: its conda environment"},
    {"params", "TEXT", "parameters of the command line, quoted as for a shell"},
    {"fasta", "FILE", "keep this file with the version"},
    {"speclib", "FILE", "keep this file with the version"},
    {"config-file", "FILE", "keep this file with the version"},
    {"cpus", "N", "CPUs of the job"},
    {"threads", "N", "NUM_THREADS of the software (as --cpus)"},
    {"mem", "SIZE", "memory of the job: 62G"},
    {"time", "TIME", "longest run: HH:MM:SS or D-HH:MM:SS"},
    {"metrics", "TYPE", "with --type custom: whose result files it writes, or custom"},
    {"columns", "FILE", "with --metrics custom: lines 'file column metric [how]'"},
    {"engine", "ENGINE", "slurm, local or file; not given: [quant] engine"},
    {"description", "TEXT", "for people"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option settings_archive_options[] = {
    {"undo", NULL, "make it active again"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option settings_assign_options[] = {
    {"scope", "SCOPE", "* (all), a vendor (thermo, bruker, sciex, generic) or an instrument"},
    {"exclude", "IDS", "not for these instruments, separated by commas"},
    {"filter", "TEXT", "only for raw files whose id holds TEXT"},
    {"replace", NULL, "take the place of what is assigned there"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option settings_unassign_options[] = {
    {"scope", "SCOPE", "the one with this scope"},
    {"filter", "TEXT", "the one with this filter"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option project_ls_options[] = {
    {"all", NULL, "also those that are inactive"},
    {0},
};
static const struct cli_option project_new_options[] = {
    {"name", "TEXT", "for people"},
    {"description", "TEXT", "for people"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option project_set_options[] = {
    {"name", "TEXT", "for people"},
    {"description", "TEXT", "for people"},
    {"status", "STATUS", "active, or inactive: not listed any more"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option rerun_options[] = {
    {"settings", "SETTINGS", "with these and no others; else with those that speak for the file"},
    {"mode", "MODE", "where output of before is: raise, overwrite, associate or add (add)"},
    {"dry-run", NULL, "show what would run"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option cluster_trust_options[] = {
    {"fingerprint", "SHA256:…", "take the host's key when it has this fingerprint"},
    {"first-use", NULL, "take whatever keys the host shows now"},
    {"replace", NULL, "in the place of another key that is known"},
    {"why", "TEXT", "kept in the log"},
    {0},
};
static const struct cli_option config_show_options[] = {
    {"origin", NULL, "with the file and line, or the variable, that each value comes from"},
    {0},
};
static const struct cli_option config_check_options[] = {
    {"instruments", NULL,
     "also every file of the instruments' folder, and that the shares are there"},
    {0},
};
static const struct cli_option config_template_options[] = {
    {"instrument", NULL, "an instrument's file instead of trawl.ini"},
    {0},
};

static const struct cli_option mount_init_options[] = {
    {"all", NULL, "the backup, the output and every instrument"},
    {"why", "TEXT", "kept with the identity and in the log"},
    {"replace", NULL, "this share takes the place of the one that was known"},
    {0},
};

const struct command commands[] = {
    {.name = "status",
     .args = "",
     .brief = "servers, scheduler, workers, instruments, pools, counts",
     .help = "Exit 4 when MongoDB or Kafka is away, 1 when no scheduler leads or no worker lives.",
     .need = NEED_DB,
     .run = cmd_status},
    {.name = "top",
     .args = "",
     .brief = "a live screen: pools, workers, rates, what waits, what failed",
     .help = "Drawn anew each second; q ends it.",
     .options = top_options,
     .need = NEED_DB,
     .run = cmd_top},
    {.name = "ls",
     .args = "",
     .brief = "raw files, newest first, with live progress",
     .options = ls_options,
     .need = NEED_DB,
     .run = cmd_ls},
    {.name = "show",
     .args = "<file>",
     .brief = "all that is known of a raw file",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_show},
    {.name = "why",
     .args = "<file>|<task>|<pool>",
     .brief = "what it waits for, and what would move it",
     .help =
         "For a raw file: how its acquisition is judged and each task that is not done. For a "
         "pool:\n"
         "who has its slots. The JSON form has a stable word for each reason: acquiring, "
         "planning,\n"
         "no_leader, stopped, pool_closed, pool_full, capped (its instrument has as many copies\n"
         "under way as it may), not_before, held (a share is not there or not proven, others have\n"
         "its original open, or the cluster does not answer), no_worker, workers_busy, queued,\n"
         "unclaimed, running, cancelling, parked (a SLURM job), tasks_open, failed, cancelled,\n"
         "skipped, ignored, done.\n\n"
         "  trawl why file_copy\n"
         "  trawl why run7.d/quant/msqc-v1",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_why},
    {.name = "verify",
     .args = "[<file>]",
     .brief = "read backups again and compare their hashes",
     .help =
         "Reads every file of a backup from the disk and compares size and hashes with what the "
         "copy\n"
         "recorded, and the manifests beside it. With --all or --instrument the backup whose last\n"
         "verification is the oldest goes first, so a run that was cut off is taken up by the "
         "next.\n"
         "A damaged backup is marked: it stands in trawl status, and its original is not removed,\n"
         "until it verifies again. Exit 1 when one is not as recorded.\n\n"
         "With --source the originals are read instead, where they are now (the instrument's "
         "folder, or\n"
         "its Backup), and compared with what was backed up: names, sizes, content. One that "
         "differs is\n"
         "no longer shown as safe: while it is where it was acquired, Trawl acquires and copies it "
         "again;\n"
         "in Backup Trawl never removes it, and trawl status lists it. What is gone already is no "
         "difference.\n"
         "Exit 1 when one differs or cannot be read. It needs the instruments' shares.\n\n"
         "  trawl verify --source 20261121_P123_0001.raw\n"
         "  trawl verify --source --instrument tims1 --since 2d",
     .options = verify_options,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_verify},
    {.name = "remove",
     .args = "[<file>]",
     .brief = "what would leave the instruments' Backup, and why the rest stays",
     .help =
         "Decides as the scheduler does and reads as the worker does: every file on the\n"
         "instrument and its copy in the pool, which may take long (--quick). With <file> only\n"
         "that one, whether or not room is needed. Nothing is changed.",
     .options = remove_options,
     .max_words = 1,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_remove},
    {.name = "pool ls",
     .args = "",
     .brief = "pools: slots, taken, waiting, by whom and why",
     .need = NEED_DB,
     .run = cmd_pool_ls},
    {.name = "pool set",
     .args = "<pool> <n>",
     .brief = "change a pool's size now; 0 drains it",
     .help = "Lowering ends nothing that runs: slots above the size are not taken again.\n\n"
             "  trawl pool set file_copy 0 --why \"the switch is replaced\" --wait",
     .options = pool_set_options,
     .min_words = 2,
     .max_words = 2,
     .need = NEED_DB,
     .run = cmd_pool_set},
    {.name = "task ls",
     .args = "",
     .brief = "tasks, newest first",
     .options = task_ls_options,
     .need = NEED_DB,
     .run = cmd_task_ls},
    {.name = "task show",
     .args = "<task>",
     .brief = "one task's document",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_task_show},
    {.name = "task retry",
     .args = "<task>",
     .brief = "try a task again that failed, died or was set aside",
     .help =
         "With --tree also what comes after it (copy, then quant, index, move; move, then\n"
         "remove): what failed or was cancelled or skipped is ready again as soon as it has all\n"
         "that it needs. A task that is done is not done again, only what is below it.\n\n"
         "  trawl task retry run7.d/copy --tree --why \"the switch is back\"",
     .options = task_retry_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_task_retry},
    {.name = "task cancel",
     .args = "<task>",
     .brief = "stop a task",
     .help = "A waiting task is cancelled at once; a running one when its worker next looks.",
     .options = why_option,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_task_cancel},
    {.name = "task skip",
     .args = "<task>",
     .brief = "leave a task out, and what comes after it",
     .help = "For a task that waits or has failed; cancel one that runs first. A raw file\n"
             "whose copy is skipped gets the status ignored; without its jobs it is\n"
             "done_not_quanted. trawl task retry takes it up again.\n\n"
             "  trawl task skip run7.d/quant/msqc-v1 --why \"a blank\"",
     .options = why_needed_option,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_task_skip},
    {.name = "task ignore",
     .args = "<task>",
     .brief = "accept that a task has failed",
     .help =
         "The raw file goes on as if it had not been asked for: a failed job no longer makes it\n"
         "an error. A raw file whose copy has failed has no backup: it gets the status ignored,\n"
         "and nothing is moved or removed. The error and the reason stay in its details.\n\n"
         "  trawl task ignore run7.d/quant/diann-v2 --why \"too few spectra\"",
     .options = why_needed_option,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_task_ignore},
    {.name = "dead ls",
     .args = "",
     .brief = "dead letters: tasks that failed for good, by what went wrong",
     .help =
         "Tasks in the states failed (a permanent error) and dead (no try left). Those whose\n"
         "messages differ only in names, paths and numbers are one group. Next: trawl dead show\n"
         "<group>, then trawl dead retry or trawl dead drop.",
     .need = NEED_DB,
     .run = cmd_dead_ls},
    {.name = "dead show",
     .args = "<task>|<group>",
     .brief = "one dead letter with the end of its log, or all of a group",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_dead_show},
    {.name = "dead retry",
     .args = "[<task>…]",
     .brief = "try dead letters again",
     .help = "Exit 5 when one of them is none any more; the others are tried all the same.\n\n"
             "  trawl dead retry --group 5f1c02aa --why \"the share is back\"",
     .options = dead_retry_options,
     .max_words = 8,
     .need = NEED_DB,
     .run = cmd_dead_retry},
    {.name = "dead drop",
     .args = "[<task>…]",
     .brief = "accept that they failed: trawl task ignore for many",
     .help = "The tasks get the state ignored, their errors and the reason stay. trawl task retry\n"
             "takes one up again.\n\n"
             "  trawl dead drop --group 5f1c02aa --why \"test files of the vendor\"",
     .options = dead_drop_options,
     .max_words = 8,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_dead_drop},
    {.name = "stop",
     .args = "",
     .brief = "the big red button: every pool to 0",
     .help =
         "No task starts any more; what runs goes on to its end. Sizes are kept, also when it is\n"
         "pressed twice, until trawl resume. A pool that is set meanwhile keeps that size.\n\n"
         "  trawl stop --all --why \"smoke in room 4\"",
     .options = stop_options,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_stop},
    {.name = "resume",
     .args = "",
     .brief = "undo trawl stop: every pool gets its size back",
     .help = "Pools that were given a size since the stop keep that one, and are named.\n\n"
             "  trawl resume --why \"false alarm\"",
     .options = why_option,
     .need = NEED_DB,
     .run = cmd_resume},
    {.name = "log",
     .args = "",
     .brief = "what operators did: who, when, what, why; newest last",
     .help = "An entry is made before the action and completed after it. One that stays intended\n"
             "was cut off in between: look at its target.\n\n"
             "  trawl log --since 2h --target file_copy\n"
             "  trawl log --follow --json",
     .options = log_options,
     .need = NEED_DB,
     .run = cmd_log},
    {.name = "settings ls",
     .args = "",
     .brief = "how files are quantified: every version of all settings",
     .options = settings_ls_options,
     .need = NEED_DB,
     .run = cmd_settings_ls},
    {.name = "settings show",
     .args = "<settings>",
     .brief = "one version with its files and what it is assigned to",
     .help = "<settings> is a name, which means its newest version, or <name>-v<number>.",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_settings_show},
    {.name = "settings new",
     .args = "<name>",
     .brief = "make a version; what is not given is as in the newest one",
     .help =
         "A version is never changed. Its files are copied to [location.settings], into a folder "
         "that is\n"
         "named by their content; a job runs only while they are what they were. Placeholders in "
         "--params:\n"
         "RAW_FILE_PATH RELATIVE_RAW_FILE_PATH RAW_FILE_ID SETTINGS_PATH OUTPUT_PATH\n"
         "RELATIVE_OUTPUT_PATH NUM_THREADS PROJECT_ID; each stays one word, whatever it holds.\n"
         "The lines of --columns name a result file (.csv: commas, else tabs), a column, the "
         "metric and how\n"
         "its rows become one value: mean (not given), median, std, sum, min, max, text (of the "
         "first row).",
     .options = settings_new_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_settings_new},
    {.name = "settings archive",
     .args = "<settings>",
     .brief = "hide a version; what it is assigned to goes on",
     .options = settings_archive_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_settings_archive},
    {.name = "settings assign",
     .args = "<settings> <project>",
     .brief = "quantify a project's files with this version",
     .help =
         "Of all that speak for a file the most specific one runs: an instrument before a vendor "
         "before *,\n"
         "then the longest --filter; one for each software type, side by side. A project without "
         "any is\n"
         "quantified as _FALLBACK is. New files only: trawl rerun is for those of before.",
     .options = settings_assign_options,
     .min_words = 2,
     .max_words = 2,
     .need = NEED_DB,
     .run = cmd_settings_assign},
    {.name = "settings unassign",
     .args = "<settings> <project>",
     .brief = "no longer quantify a project's files with this version",
     .options = settings_unassign_options,
     .min_words = 2,
     .max_words = 2,
     .need = NEED_DB,
     .run = cmd_settings_unassign},
    {.name = "settings resolve",
     .args = "<file>",
     .brief = "which settings quantify a raw file, and why not the others",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_settings_resolve},
    {.name = "project ls",
     .args = "",
     .brief = "projects and their settings",
     .options = project_ls_options,
     .need = NEED_DB,
     .run = cmd_project_ls},
    {.name = "project new",
     .args = "<id>",
     .brief = "make a project: of the files that have its id as a token of their name",
     .options = project_new_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_project_new},
    {.name = "project set",
     .args = "<id>",
     .brief = "change a project's name, description or status",
     .options = project_set_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_project_set},
    {.name = "rerun",
     .args = "<file>…",
     .brief = "quantify raw files again, after all new ones",
     .help =
         "Output of an earlier run: add writes beside it (.run2, …), overwrite takes its folder, "
         "associate\n"
         "takes over the job that wrote it, raise fails. Metrics of earlier runs stay; the newest "
         "speak.",
     .options = rerun_options,
     .min_words = 1,
     .max_words = 8,
     .need = NEED_DB,
     .run = cmd_rerun},
    {.name = "cluster trust",
     .args = "<host>[:port]",
     .brief = "note a head node's key in [ssh] known_hosts; alone: show it",
     .help =
         "Nothing else ever adds a key. Compare the fingerprint with what the host itself says:\n"
         "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Exit 1 when it is not trusted. A key "
         "that\n"
         "known_hosts marks @revoked is never taken.",
     .options = cluster_trust_options,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .run = cmd_cluster_trust},
    {.name = "cluster strays",
     .args = "",
     .brief = "jobs on the cluster that no task knows",
     .help = "As the workers' last look found them. Exit 1 when there are any.",
     .need = NEED_DB,
     .run = cmd_cluster_strays},
    {.name = "cluster cancel",
     .args = "<job>",
     .brief = "stop a job that no task knows",
     .help = "The worker that watches the cluster does it at its next look.",
     .options = why_option,
     .min_words = 1,
     .max_words = 1,
     .need = NEED_DB,
     .destructive = true,
     .run = cmd_cluster_cancel},
    {.name = "config show",
     .args = "",
     .brief = "the configuration in force, secrets masked",
     .options = config_show_options,
     .need = NEED_CONFIG,
     .run = cmd_config_show},
    {.name = "config check",
     .args = "",
     .brief = "whether the configuration can be used",
     .options = config_check_options,
     .need = NEED_NOTHING,
     .run = cmd_config_check},
    {.name = "config template",
     .args = "",
     .brief = "a trawl.ini with every key, meaning and default",
     .options = config_template_options,
     .need = NEED_NOTHING,
     .run = cmd_config_template},
    {.name = "mount init",
     .args = "<location>|<instrument>…",
     .brief = "give a share its identity, and demand it from now on",
     .help = "Writes .trawl-location into the share's root, once: run it when the right share is "
             "mounted.\n"
             "From then on nothing is read from or written to the location unless that identity is "
             "there and,\n"
             "on this host, the same file system is mounted. Again on another host, or after the "
             "server was\n"
             "renamed: notes how it is mounted there. A share of another location is refused.",
     .options = mount_init_options,
     .max_words = 8,
     .need = NEED_DB,
     .run = cmd_mount_init},
    {.name = "mount check",
     .args = "[<location>|<instrument>…]",
     .brief = "prove the locations from this host, now",
     .help = "Exit 1 when one is not ok: missing, empty (no identity), wrong (another share), "
             "read_only, stale,\n"
             "hangs, full, or uninitialised where [mount] require is set. Below the table: mount "
             "options that hurt,\n"
             "and what to mount with (--json: warnings); they do not change the exit code.",
     .max_words = 8,
     .need = NEED_DB,
     .run = cmd_mount_check},
    {.name = "mount status",
     .args = "",
     .brief = "how every host sees the locations",
     .help = "Workers look every [mount] check_s and before each step of a task; the scheduler "
             "before each\n"
             "poll of an instrument. Exit 1 when one is not ok.",
     .need = NEED_DB,
     .run = cmd_mount_status},
    {.name = "mount commands",
     .args = "[<location>|<instrument>]",
     .brief = "commands and fstab lines that mount the shares",
     .help = "Only printed: mounting is the operator's. HOST and SHARE are to be filled in; user "
             "name and\n"
             "password go into the credentials file, which only root can read.",
     .max_words = 1,
     .need = NEED_CONFIG,
     .run = cmd_mount_commands},
    {.name = "completion",
     .args = "bash|zsh|instruments|commands",
     .brief = "what a shell needs to complete trawl's words",
     .help =
         "make install puts it where bash and zsh look. By hand: source <(trawl completion bash),\n"
         "or for zsh after compinit: source <(trawl completion zsh). The scripts ask for the\n"
         "configured instruments' names.",
     .min_words = 1,
     .max_words = 1,
     .need = NEED_NOTHING,
     .run = cmd_completion},
    {.name = "help",
     .args = "[<command>]",
     .brief = "more on a command",
     .max_words = 2,
     .need = NEED_NOTHING,
     .run = cmd_help},
    {0},
};
