/* main.c - start-up and shutdown of trawl, the operator's command. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/help.h"
#include "common/base/human.h"
#include "common/base/log.h"
#include "common/db/schema.h"
#include "common/raw/database_owner.h"
#include "common/version.h"

static bool wants_colours(const struct args *a)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return !a->no_color && !a->json && (no_color == NULL || *no_color == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static int terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    long wanted = columns != NULL ? strtol(columns, NULL, 10) : 0;
    if (wanted >= 20 && wanted <= 1000) {
        return (int)wanted;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
        return size.ws_col;
    }
    return 80;
}

/* "user@host" */
static const char *operator_name(char *buf, size_t room)
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

static void find_terminal(struct cli *c, const struct args *a)
{
    bool tty = isatty(STDOUT_FILENO) == 1;
    c->json = a->json;
    c->quiet = a->quiet;
    c->config_dir = a->config_dir;
    c->ops.by = operator_name(c->who, sizeof c->who);
    c->out = stdout;
    c->color = tty && wants_colours(a);
    c->width = tty ? terminal_width() : 0;
    c->progress = !a->quiet && isatty(STDERR_FILENO) == 1;
}

/* Read the configuration and connect to the database, as the command needs. */
static enum cli_exit connect(struct cli *c, const struct command *cmd, struct err *err)
{
    if (cmd->need >= NEED_CONFIG) {
        c->ops.cfg = c->cfg = config_load(c->config_dir, err);
    }
    if (cmd->need >= NEED_ANY_DB && c->ops.cfg != NULL) {
        c->ops.db = db_new(c->ops.cfg, "trawl", err);
    }
    bool ready =
        err->kind == ERR_NONE && (!cmd->destructive || cli_need_env(c, cmd->name, err) == 0);
    return ready ? CLI_OK : CLI_USAGE;
}

/* A server that is away is the command's to report. */
static enum cli_exit check_database(struct cli *c, struct err *err)
{
    struct err why = {0};
    bool shadow;
    if (database_is_ours(c->ops.db, c->ops.cfg->mongo.database, &shadow, &why) == 0) {
        return schema_refuses(c->ops.db, c->ops.cfg->trawl.env, err) ? CLI_REFUSED : CLI_OK;
    }
    if (why.kind == ERR_REFUSED) {
        *err = why;
        return CLI_REFUSED;
    }
    return CLI_OK;
}

static enum cli_exit run(struct cli *c, const struct args *a, struct err *err)
{
    if (a->version) {
        fprintf(c->out, "trawl %s\n", TRAWL_VERSION);
        return CLI_OK;
    }
    if (a->command == NULL || a->help) {
        return help_asked(c, a);
    }
    if (cli_why(a, false, &c->ops.why, err) != 0) {
        return CLI_USAGE;
    }
    enum cli_exit e = connect(c, a->command, err);
    e = e == CLI_OK && a->command->need == NEED_DB ? check_database(c, err) : e;
    return e != CLI_OK ? e : a->command->run(c, a, err);
}

/* Print the one line on stderr. For every command, a server that is away gets its next step here.
 */
static void print_error(enum cli_exit e, const struct err *err)
{
    fputs("trawl: ", stderr);
    text_put(stderr, err->msg);
    if (e == CLI_AWAY && err->code == ERR_CODE_DATABASE) {
        fputs("; check that MongoDB runs, and [mongo] uri (trawl config show)", stderr);
    }
    fputc('\n', stderr);
}

/* A reader that has left (trawl ls | head) is no failure; a full disk is. */
static enum cli_exit flush(enum cli_exit e)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    failed = fflush(stdout) != 0 || failed;
    if (failed && errno != EPIPE && errno != 0) {
        fprintf(stderr, "trawl: the output cannot be written: %s\n", strerror(errno));
        return e == CLI_OK ? CLI_NO : e;
    }
    return e;
}

int main(int argc, char **argv)
{
    struct args args;
    struct cli c = {0};
    struct err err = {0};
    signal(SIGPIPE, SIG_IGN);
    log_init("trawl", LOG_ERROR);
    enum cli_exit e = CLI_USAGE;
    if (args_parse(argc, argv, &args, &err) == 0) {
        find_terminal(&c, &args);
        e = run(&c, &args, &err);
    }
    e = flush(e);
    if (err.kind != ERR_NONE) {
        print_error(e, &err);
    }
    db_free(c.ops.db);
    config_free(c.cfg);
    return (int)e;
}
