/* main.c - start-up and shutdown of trawl-scheduler. */
#include "common/base/log.h"
#include "common/daemon.h"
#include "scheduler/scheduler.h"

static const struct start_text text = {
    .name = "trawl-scheduler",
    .usage = "trawl-scheduler [--config DIR]",
    .what =
        "Watches instruments, follows acquisitions, plans tasks, admits them to pools, settles\n"
        "results. Any number may run; one leads.",
    .options = "",
};

int main(int argc, char **argv)
{
    const char *unused = NULL;
    struct start_args args = {.option = NULL, .value = &unused};
    AUTO(config_free) struct config *cfg = NULL;
    int rc = start_up(argc, argv, &text, &args, &cfg);
    if (cfg == NULL) {
        return rc;
    }
    struct err err = {0};
    AUTO(scheduler_free) struct scheduler *s = scheduler_new(cfg, &err);
    if (s == NULL) {
        return start_failed(&text, &err);
    }
    start_wait_for_signal();
    log_info("scheduler_stopping", KV("scheduler", s->id));
    return atomic_load(&s->refused) ? 1 : 0;
}
