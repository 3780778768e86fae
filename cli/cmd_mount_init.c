/*
 * cmd_mount_init.c - trawl mount init: gives a share its identity, which every later use then
 * requires.
 *
 * Each location is checked first, because a write to a hung share would never return; then
 * common/mount/location.c writes or checks the identity, inside an entry of the audit. One that is
 * refused ends the command; those before it stay initialised.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/cmd_mount_check.h"
#include "common/db/doc_json.h"
#include "common/mount/location.h"
#include "common/task/audit.h"

struct making {
    struct cli *c;
    struct mounts *mounts;
    struct location_init init; /* without location and path */
    struct location_made made;
    json_t *list;
    bool refused;
};

static void keep_status(void *ctx, const struct mounts_view *v)
{
    *(enum mount_status *)ctx = v->status;
}

/* Refuse a share that hangs: a write would never return. */
static int may_answer(struct making *m, const struct mount_need *need, struct err *err)
{
    enum mount_status s = MOUNT_OK;
    if (mounts_look(m->mounts, need, keep_status, &s, err) != 0) {
        return -1;
    }
    return s == MOUNT_HANGS
               ? ERR(err, ERR_INVALID, 0,
                     "%s does not answer; check that its server and the network are up", need->path)
               : 0;
}

static int print_made(struct making *m, const struct mount_need *need,
                      const struct location_made *made)
{
    bool local = strcmp(made->place.point, "/") == 0;
    if (m->c->json) {
        return json_array_append_new(
            m->list,
            json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s}", "location", need->location, "path",
                      need->path, "uuid", made->uuid, "written", (int)made->written, "mounted",
                      (int)!local, "source", made->place.source, "fstype", made->place.fstype));
    }
    if (m->c->quiet) {
        return 0;
    }
    fprintf(m->c->out, "%s: %s %s at %s (%s %s)\n", need->location,
            made->written ? "new identity" : "identity", made->uuid, need->path, made->place.fstype,
            made->place.source);
    if (local) {
        fprintf(m->c->out,
                "  nothing is mounted there: it is a folder on this machine's own disk\n");
    }
    return 0;
}

static int run_init(void *ctx, bool *won, bson_t *after, struct err *err)
{
    struct making *m = ctx;
    if (location_init(m->c->ops.db, &m->init, &m->made, err) != 0) {
        return -1;
    }
    BCON_APPEND(after, "uuid", BCON_UTF8(m->made.uuid), "host", BCON_UTF8(m->init.host), "path",
                BCON_UTF8(m->init.path), "source", BCON_UTF8(m->made.place.source), "fstype",
                BCON_UTF8(m->made.place.fstype));
    *won = true;
    return 0;
}

static int init_with_entry(struct making *m, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *known = NULL;
    AUTO(bson_destroy) bson_t *before = bson_new();
    if (db_find_id(m->c->ops.db, DB_LOCATIONS, m->init.location, &known, err) != 0) {
        return -1;
    }
    if (known != NULL) {
        BSON_APPEND_UTF8(before, "uuid", doc_str(known, "uuid", ""));
    }
    const struct audit_act entry = {.verb = "mount init",
                                    .target = m->init.location,
                                    .by = m->init.by,
                                    .why = m->init.reason,
                                    .before = before,
                                    .run = run_init,
                                    .ctx = m};
    return audit_make(m->c->ops.db, &entry, &won, err);
}

static int init_location(void *ctx, const struct mount_need *need, struct err *err)
{
    struct making *m = ctx;
    struct mount_need look = *need;
    look.write = false; /* probe files are written only after the identity */
    m->init.location = need->location;
    m->init.path = need->path;
    if (may_answer(m, &look, err) != 0 || init_with_entry(m, err) != 0) {
        m->refused = err->kind == ERR_INVALID;
        return -1;
    }
    return print_made(m, need, &m->made);
}

static enum cli_exit cmd_mount_init(struct cli *c, const struct args *a, struct err *err)
{
    char host[64];
    bool all = args_get(a, "all") != NULL;
    const char *why;
    if (all == (a->n > 0)) {
        return cli_fail(err, CLI_USAGE, "name locations or instruments, or give --all");
    }
    if (cli_why(a, false, &why, err) != 0) {
        return CLI_USAGE;
    }
    AUTO(json_decref) json_t *list = json_array();
    AUTO(mounts_free) struct mounts *mounts = mounts_new(c->ops.cfg, c->ops.db, err);
    if (mounts == NULL || list == NULL) {
        return cli_fail(err, CLI_AWAY, "out of memory");
    }
    location_host(host, sizeof host);
    struct making m = {.c = c,
                       .mounts = mounts,
                       .list = list,
                       .init = {.host = host,
                                .by = c->ops.by,
                                .reason = why,
                                .replace = args_get(a, "replace") != NULL}};
    const struct locations_walk walk = {a->words, a->n, init_location, print_left_out, &m};
    if (locations_each(&c->ops, &walk, err) != 0) {
        return m.refused ? CLI_REFUSED : cli_exit_of(err);
    }
    if (!c->json) {
        return CLI_OK;
    }
    return json_print(TAKE(list), c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
}

static const struct cli_option mount_init_options[] = {
    {"all", NULL, "the backup, the output and every instrument"},
    {"why", "TEXT", "kept with the identity and in the log"},
    {"replace", NULL, "this share replaces the one that is known for the location"},
    {0},
};

const struct command command_mount_init = {
    .name = "mount init",
    .args = "<location>|<instrument>…",
    .brief = "give a share its identity, and require it from then on",
    .help = "Writes .trawl-location into the share's root, once. Run it while the right share is "
            "mounted:\n"
            "from then on Trawl reads and writes the location only if that identity is there and, "
            "on this\n"
            "host, the same file system is mounted. Run it again on another host, or after the "
            "server was\n"
            "renamed, to record how the share is mounted there. A share of another location is "
            "refused.",
    .options = mount_init_options,
    .max_words = 8,
    .need = NEED_DB,
    .run = cmd_mount_init};
