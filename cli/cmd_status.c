/* cmd_status.c - trawl status; cmd_status_print.c prints it. */
#include "cli/args.h"
#include "cli/cmd_status_print.h"
#include "common/db/doc_json.h"

/* The worst news decides. */
static enum cli_exit exit_code_of(const struct cli *c, const struct status *s, struct err *err)
{
    if (s->mongo.kind != ERR_NONE) {
        *err = s->mongo;
        return cli_exit_of(err);
    }
    if (!s->kafka) {
        return cli_fail(err, CLI_AWAY,
                        "Kafka at %s does not answer: check that it runs, and [kafka] brokers",
                        c->ops.cfg->kafka.brokers);
    }
    const bson_t *leader = alive_leader(&s->facts.alive);
    bool plans = leader != NULL && !doc_has(leader, "trouble");
    return plans && s->facts.alive.workers->n > 0 ? CLI_OK : CLI_NO;
}

static enum cli_exit print_status(struct cli *c, const struct status *s, struct err *err)
{
    int rc = c->json ? json_print(status_json(&c->ops, s), c->out, err) : status_print(c, s, err);
    return rc == 0 ? exit_code_of(c, s, err) : cli_exit_of(err);
}

static enum cli_exit cmd_status(struct cli *c, const struct args *a, struct err *err)
{
    (void)a;
    struct status s;
    enum cli_exit e =
        status_read(&c->ops, &s, err) == 0 ? print_status(c, &s, err) : cli_exit_of(err);
    status_clear(&s);
    return e;
}

const struct command command_status = {
    .name = "status",
    .args = "",
    .brief = "servers, scheduler, workers, instruments, pools, counts",
    .help =
        "The number of raw files that are done is an estimate: what MongoDB says that there are,\n"
        "less those that are not done.\n"
        "Exit 4 when MongoDB or Kafka is away, 1 when no scheduler leads, the leader cannot\n"
        "plan, or no worker is alive.",
    .need = NEED_DB,
    .run = cmd_status};
