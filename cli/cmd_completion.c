/* cmd_completion.c - trawl completion bash|zsh|instruments|commands. */
#include <string.h>

#include "cli/args.h"
#include "cli/completion.h"
#include "cli/embedded.h"
#include "ops/instruments.h"

static int print_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    (void)why;
    fprintf(ctx, "%s\t%s\n", id, i != NULL ? i->path : "");
    return 0;
}

/* The scripts ask for these while somebody types, so a configuration that cannot be read offers
 * none. */
static enum cli_exit print_instruments(struct cli *c, struct err *err)
{
    AUTO(config_free) struct config *cfg = config_load(c->config_dir, err);
    if (cfg == NULL || instruments_each(cfg, print_instrument, c->out, err) != 0) {
        return cli_exit_of(err);
    }
    return CLI_OK;
}

static void print_script(FILE *out, const unsigned char *own, size_t len)
{
    completion_data(out);
    fwrite(embedded_completion_shared, 1, embedded_completion_shared_len, out);
    fwrite(own, 1, len, out);
}

static enum cli_exit cmd_completion(struct cli *c, const struct args *a, struct err *err)
{
    if (strcmp(a->words[0], "instruments") == 0) {
        return print_instruments(c, err);
    }
    if (strcmp(a->words[0], "commands") == 0) {
        for (const struct command *const *at = commands; *at != NULL; at++) {
            const struct command *cmd = *at;
            fprintf(c->out, "%s\n", cmd->name);
        }
        return CLI_OK;
    }
    if (strcmp(a->words[0], "bash") == 0) {
        print_script(c->out, embedded_completion_bash, embedded_completion_bash_len);
        return CLI_OK;
    }
    if (strcmp(a->words[0], "zsh") == 0) {
        fputs("#compdef trawl\n", c->out);
        print_script(c->out, embedded_completion_zsh, embedded_completion_zsh_len);
        return CLI_OK;
    }
    return cli_fail(err, CLI_USAGE, "completion is for bash or zsh, not '%s'", a->words[0]);
}

const struct command command_completion = {
    .name = "completion",
    .args = "bash|zsh|instruments|commands",
    .brief = "the script with which a shell completes trawl's words",
    .help =
        "make install puts it where bash and zsh look. By hand: source <(trawl completion bash),\n"
        "or for zsh after compinit: source <(trawl completion zsh). The scripts ask trawl\n"
        "for the names of the configured instruments.",
    .min_words = 1,
    .max_words = 1,
    .need = NEED_NOTHING,
    .run = cmd_completion};
