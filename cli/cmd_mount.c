/* cmd_mount.c - trawl mount commands: the configured shares, with the lines that cmd_mount_lines.c
 * makes. */
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_mount_lines.h"
#include "common/db/doc_json.h"
#include "ops/instruments.h"

struct printing {
    struct cli *c;
    const char *wanted; /* NULL: all */
    json_t *list;
    size_t n;
};

static int print_share(struct printing *p, const struct mount_share *s)
{
    if (p->wanted != NULL && strcmp(p->wanted, s->name) != 0) {
        return 0;
    }
    AUTO(free) char *command = mount_command(s);
    AUTO(free) char *fstab = mount_fstab(s);
    if (command == NULL || fstab == NULL) {
        return -1;
    }
    p->n++;
    if (p->c->json) {
        return json_array_append_new(
            p->list, json_pack("{s:o, s:o, s:b, s:o, s:o}", "name", json_text(s->name), "path",
                               json_text(s->path), "read_only", (int)s->read_only, "command",
                               json_text(command), "fstab", json_text(fstab)));
    }
    fprintf(p->c->out, "# %s\n%s\n# or in /etc/fstab:\n%s\n\n", s->name, command, fstab);
    return 0;
}

/* Read-only unless raw files are moved or removed there. */
static int print_instrument(void *ctx, const char *id, const struct instrument *i,
                            const struct err *why)
{
    struct printing *p = ctx;
    if (i == NULL) {
        if (p->wanted == NULL || strcmp(p->wanted, id) == 0) {
            fprintf(stderr, "trawl: instrument %s is left out: %s\n", id, why->msg);
        }
        return 0;
    }
    bool written = i->file_move_delay_m >= 0 || i->min_free_space_gb > 0;
    return print_share(p, &(struct mount_share){id, i->path, !written});
}

static int print_locations(struct printing *p)
{
    const struct config *cfg = p->c->ops.cfg;
    const struct mount_share shares[] = {
        {"backup", cfg->location.backup.worker, false},
        {"output", cfg->location.output.worker, false},
    };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (shares[i].path != NULL && shares[i].path[0] != '\0' &&
            print_share(p, &shares[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static enum cli_exit cmd_mount_commands(struct cli *c, const struct args *a, struct err *err)
{
    AUTO(json_decref) json_t *list = json_array();
    struct printing p = {.c = c, .wanted = a->n > 0 ? a->words[0] : NULL, .list = list};
    if (!c->json && !c->quiet) {
        fputs("# Run as root, after filling in HOST and SHARE. Each credentials file belongs to\n"
              "# root, mode 0600, with the lines username=, password= and, where needed, "
              "domain=.\n\n",
              c->out);
    }
    if (list == NULL || print_locations(&p) != 0 ||
        instruments_each(c->ops.cfg, print_instrument, &p, err) != 0) {
        return err->kind != ERR_NONE ? cli_exit_of(err) : cli_fail(err, CLI_AWAY, "out of memory");
    }
    if (p.wanted != NULL && p.n == 0) {
        return cli_fail(err, CLI_MISSING,
                        "there is no location or instrument '%s'; trawl config check --instruments "
                        "lists the instruments",
                        p.wanted);
    }
    if (!c->json) {
        return CLI_OK;
    }
    return json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

const struct command command_mount_commands = {
    .name = "mount commands",
    .args = "[<location>|<instrument>]",
    .brief = "commands and fstab lines that mount the shares",
    .help = "Only prints them: an operator mounts. Fill in HOST and SHARE; user name and password "
            "go into\n"
            "the credentials file, which only root can read.",
    .max_words = 1,
    .need = NEED_CONFIG,
    .run = cmd_mount_commands};
