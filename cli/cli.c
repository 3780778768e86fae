/* cli.c - what commands share: exit codes, who acts, and telling the schedulers. */
#include "cli/cli.h"

#include <assert.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "common/bus/event.h"

const char *cli_exit_help(enum cli_exit e)
{
    static const char *const texts[] = {
        [CLI_OK] = "done, or the answer is yes",
        [CLI_NO] = "the answer is no: damaged, not healthy, not in time",
        [CLI_USAGE] = "wrong arguments or configuration",
        [CLI_MISSING] = "there is no such thing, or more than one",
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
    return err->kind == ERR_INVALID ? CLI_USAGE : CLI_AWAY;
}

const char *cli_who(char *buf, size_t room)
{
    char host[128] = "";
    const char *user = getenv("SUDO_USER");
    const struct passwd *pw = user == NULL ? getpwuid(getuid()) : NULL;
    if (user == NULL) {
        user = pw != NULL ? pw->pw_name : "unknown";
    }
    if (gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    snprintf(buf, room, "%s@%s", user, host);
    return buf;
}

int cli_why(const struct args *a, bool needed, const char **out, struct err *err)
{
    const char *why = args_get(a, "why");
    *out = why != NULL ? why : "";
    if (needed && (*out)[0] == '\0') {
        return ERR(err, ERR_INVALID, 0, "--why is needed: say in a few words why; it is kept");
    }
    if (strlen(*out) > CLI_WHY_MAX || !bson_utf8_validate(*out, strlen(*out), false)) {
        return ERR(err, ERR_INVALID, 0, "--why is a text of at most %d bytes", CLI_WHY_MAX);
    }
    return 0;
}

void cli_event(struct cli *c, const char *event, const char *id, const char *raw_file)
{
    struct err ignored = {0};
    AUTO(bus_free) struct bus *bus = bus_new(c->cfg, "trawl", &ignored);
    AUTO(free) char *text = event_encode(event, id, raw_file != NULL ? raw_file : "");
    fflush(c->out); /* bus_free may wait for a broker that is away */
    if (bus != NULL && text != NULL && bus_send_event(bus, id, text, &ignored) != 0) {
        return; /* the scheduler's next sweep sees the change */
    }
}
