/* main.c - start-up and shutdown of trawl-worker. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon.h"
#include "workers/runner.h"

static const struct start_text text = {
    .name = "trawl-worker",
    .usage = "trawl-worker [--kinds LIST] [--config DIR]",
    .what =
        "Runs tasks: copies raw files with proof, quantifies them on SLURM, indexes the results,\n"
        "moves and removes what is backed up.",
    .options = "  --kinds LIST   kinds of task to run: copy,quant,index (default), move, remove.\n"
               "                 move and remove act only in production and need write access to\n"
               "                 the instruments: a process of their own, --kinds move,remove\n",
};

int main(int argc, char **argv)
{
    const char *kinds = "copy,quant,index";
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
    return 0;
}
