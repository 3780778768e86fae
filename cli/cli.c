/* cli.c - what commands share: exit codes, --why, the answer after a change. */
#include "cli/cli.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "cli/args.h"
#include "common/base/human.h"
#include "common/db/doc_json.h"

const char *cli_exit_help(enum cli_exit e)
{
    static const char *const texts[] = {
        [CLI_OK] = "done, or the answer is yes",
        [CLI_NO] = "the answer is no: damaged, not healthy, timed out",
        [CLI_USAGE] = "wrong arguments or configuration",
        [CLI_MISSING] = "there is no such thing, or more than one fits",
        [CLI_AWAY] = "a server cannot be reached",
        [CLI_REFUSED] = "its state does not allow it",
    };
    static_assert(sizeof texts / sizeof *texts == CLI_EXIT_COUNT, "a text for every exit code");
    return texts[e];
}

enum cli_exit cli_fail(struct err *err, enum cli_exit e, const char *fmt, ...)
{
    if (err->kind == ERR_NONE) {
        err->kind = ERR_INVALID;
        err->where = __func__;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        if (n >= (int)sizeof err->msg) {
            err->msg[sizeof err->msg - 2] = '+';
        }
    }
    return e;
}

enum cli_exit cli_exit_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_INVALID:
        return err->code == ERR_CODE_DATABASE_REFUSED ? CLI_AWAY : CLI_USAGE;
    case ERR_MISSING:
        return CLI_MISSING;
    case ERR_REFUSED:
        return CLI_REFUSED;
    default:
        return CLI_AWAY;
    }
}

int cli_need_env(const struct cli *c, const char *verb, struct err *err)
{
    return config_env_is_chosen(c->ops.cfg)
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "%s ends or discards work: say in which environment, as in ENV=production, "
                     "or set env in [trawl] of trawl.ini",
                     verb);
}

int cli_why(const struct args *a, bool needed, const char **out, struct err *err)
{
    const char *why = args_get(a, "why");
    *out = why != NULL ? why : "";
    if (needed && (*out)[0] == '\0') {
        return ERR(err, ERR_INVALID, 0,
                   "--why is needed: give the reason in a few words; trawl log keeps it");
    }
    if (strlen(*out) > CLI_WHY_MAX || !bson_utf8_validate(*out, strlen(*out), false)) {
        return ERR(err, ERR_INVALID, 0, "--why is a text of at most %d bytes", CLI_WHY_MAX);
    }
    return 0;
}

enum cli_exit cli_done(struct cli *c, const char *what, const bson_t *doc, struct err *err)
{
    if (c->json) {
        json_t *answer = doc != NULL ? json_of_named(doc) : json_pack("{s:s}", "done", what);
        return json_print(answer, c->out, err) == 0 ? CLI_OK : cli_exit_of(err);
    }
    if (!c->quiet) {
        text_put(c->out, what);
        fputc('\n', c->out);
    }
    return CLI_OK;
}
