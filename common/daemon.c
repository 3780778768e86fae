#include "common/daemon.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/health.h"
#include "common/version.h"

static void help(const struct start_text *t)
{
    printf(
        "usage: %s\n\n%s\n\noptions:\n%s"
        "  --config DIR   where trawl.ini is (default: $TRAWL_CONFIG_DIR, else ./config)\n"
        "  --healthy      start nothing; exit 0 when the process that marks [trawl] health_file\n"
        "                 did so within the last 30 s, else 1\n"
        "  --help         this text\n"
        "  --version      version and commit\n\n"
        "Configuration: `trawl config show` shows what is in force. Logs: JSON lines on stderr.\n"
        "SIGTERM stops cleanly: running work is finished or handed back.\n"
        "exit codes: 0 stopped on request, 1 could not start, 2 wrong arguments or "
        "configuration\n",
        t->usage, t->what, t->options);
}

static enum log_level parse_level(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_INFO;
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int start_up(int argc, char **argv, const struct start_text *text, const struct start_args *args,
             struct config **cfg)
{
    enum { OPT_CONFIG = 256, OPT_HELP, OPT_VERSION, OPT_HEALTHY, OPT_OWN };
    const struct option options[] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"help", no_argument, NULL, OPT_HELP},
        {"version", no_argument, NULL, OPT_VERSION},
        {"healthy", no_argument, NULL, OPT_HEALTHY},
        {args->option, required_argument, NULL, OPT_OWN},
        {0},
    };
    const char *dir = NULL;
    bool asks = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == OPT_CONFIG) {
            dir = optarg;
        } else if (c == OPT_HEALTHY) {
            asks = true;
        } else if (c == OPT_OWN) {
            *args->value = optarg;
        } else if (c == OPT_HELP) {
            help(text);
            return 0;
        } else if (c == OPT_VERSION) {
            printf("%s %s\n", text->name, TRAWL_VERSION);
            return 0;
        } else {
            fprintf(stderr, "usage: %s\n", text->usage);
            return START_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'; see --help\n", text->name, argv[optind]);
        return START_EXIT_USAGE;
    }
    struct err err = {0};
    *cfg = config_load(dir, &err);
    if (*cfg == NULL) {
        fprintf(stderr, "%s: %s\n", text->name, err.msg);
        return START_EXIT_USAGE;
    }
    if (asks) {
        int rc = health_ask(*cfg, &err) == 0 ? 0 : start_failed(text, &err);
        config_free(*cfg);
        *cfg = NULL;
        return rc;
    }
    log_init(text->name, parse_level((*cfg)->log.level));
    block_signals();
    return 0;
}

int start_failed(const struct start_text *text, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", text->name, err->msg);
    return err->kind == ERR_INVALID ? START_EXIT_USAGE : 1;
}

void start_refuse(const struct err *err)
{
    log_err("refused", err);
    kill(getpid(), SIGTERM); /* blocked everywhere but in start_wait_for_signal */
}

void start_wait_for_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int got;
    sigwait(&set, &got);
}
