/* main.c - start-up and shutdown of trawl-worker. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon.h"
#include "workers/runner.h"

#define LIST_ROOM    100
#define OPTIONS_ROOM (4 * LIST_ROOM + 300)

/* Those that take originals from the instruments run only when they are asked for. */
static void describe_kinds(const char *usual, char options[static OPTIONS_ROOM])
{
    char more[LIST_ROOM], these[LIST_ROOM], list[LIST_ROOM];
    runner_list_kinds(true, ", ", more, sizeof more);
    runner_list_kinds(true, " and ", these, sizeof these);
    runner_list_kinds(true, ",", list, sizeof list);
    snprintf(options, OPTIONS_ROOM,
             "  --kinds LIST   kinds of task to run: %s (default), %s.\n"
             "                 %s act only in production and need write access to\n"
             "                 the instruments: a process of their own, --kinds %s\n",
             usual, more, these, list);
}

int main(int argc, char **argv)
{
    char usual[LIST_ROOM], options[OPTIONS_ROOM];
    runner_list_kinds(false, ",", usual, sizeof usual);
    describe_kinds(usual, options);
    const struct start_text text = {
        .name = "trawl-worker",
        .usage = "trawl-worker [--kinds LIST] [--config DIR]",
        .what = "Runs tasks: copies raw files with proof, quantifies them on SLURM, indexes the "
                "results,\nmoves and removes what is backed up.",
        .options = options,
    };
    const char *kinds = usual;
    struct start_args args = {.option = "kinds", .value = &kinds};
    AUTO(config_free) struct config *cfg = NULL;
    int rc = start_up(argc, argv, &text, &args, &cfg);
    if (cfg == NULL) {
        return rc;
    }
    struct err err = {0};
    AUTO(runner_free) struct runner *r = runner_new(cfg, kinds, &err);
    if (r == NULL) {
        return start_failed(&text, &err);
    }
    start_wait_for_signal();
    log_info("worker_stopping", KV("worker", r->id));
    return atomic_load(&r->refused) ? 1 : 0;
}
