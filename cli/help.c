/* help.c - prints help from the table of commands. */
#include "cli/help.h"
#include "cli/args.h"

#include <string.h>

#include "common/base/human.h"

#define OPTION_COLUMN 24

/* A text that does not fit beside its name goes below it. */
static void print_entry(FILE *out, const char *left, const char *right)
{
    size_t width = text_width(left);
    bool fits = width <= OPTION_COLUMN;
    fprintf(out, "  %s%*s%s%*s%s\n", left, fits ? OPTION_COLUMN - (int)width : 0, "",
            fits ? " " : "\n", fits ? 0 : OPTION_COLUMN + 3, "", right);
}

static void print_options(FILE *out, const struct cli_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        print_entry(out, left, o->help);
    }
}

static void print_exit_codes(FILE *out)
{
    fputs("\nExit codes:\n", out);
    for (int e = 0; e < CLI_EXIT_COUNT; e++) {
        fprintf(out, "  %d  %s\n", e, cli_exit_help((enum cli_exit)e));
    }
}

static void print_list(FILE *out, const char *first)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *c = *at;
        size_t len = strlen(first);
        if (len > 0 && (strncmp(c->name, first, len) != 0 || c->name[len] != ' ')) {
            continue;
        }
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", c->name, c->args[0] != '\0' ? " " : "", c->args);
        print_entry(out, left, c->brief);
    }
}

static void print_all(FILE *out)
{
    fputs("Usage: trawl <command> [options]\n\n"
          "trawl shows and steers how raw files are acquired, copied, quantified and indexed.\n\n"
          "Commands:\n",
          out);
    print_list(out, "");
    fputs("\nOptions of every command:\n", out);
    print_options(out, global_options);
    print_exit_codes(out);
    fputs("\nA <file> is a raw file's id, its original name, or a beginning of one that fits no "
          "other.\n"
          "Times are UTC. For more: trawl <command> --help.\n",
          out);
}

static void print_command(FILE *out, const struct command *c)
{
    fprintf(out, "Usage: trawl %s%s%s%s\n\n%s\n", c->name, c->args[0] != '\0' ? " " : "", c->args,
            c->options != NULL ? " [options]" : "", c->brief);
    if (c->help != NULL) {
        fprintf(out, "\n%s\n", c->help);
    }
    if (c->options != NULL) {
        fputs("\nOptions:\n", out);
        print_options(out, c->options);
    }
    fputs("\nOptions of every command:\n", out);
    print_options(out, global_options);
    print_exit_codes(out);
}

static bool is_first_word(const char *word)
{
    size_t len = strlen(word);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *c = *at;
        if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ') {
            return true;
        }
    }
    return false;
}

/* Print help on the command or group; false when there is none of that name. */
static bool print_help_on(FILE *out, const char *const *words, size_t n)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", words[0], n > 1 ? " " : "", n > 1 ? words[1] : "");
    const struct command *c = command_find(name);
    if (c != NULL) {
        print_command(out, c);
        return true;
    }
    if (!is_first_word(words[0])) {
        return false;
    }
    fprintf(out, "Usage: trawl %s <command> [options]\n\n", words[0]);
    print_list(out, words[0]);
    return true;
}

enum cli_exit help_asked(struct cli *c, const struct args *a)
{
    if (a->command != NULL) {
        print_command(c->out, a->command);
        return CLI_OK;
    }
    if (a->n > 0 && print_help_on(c->out, a->words, a->n)) {
        return CLI_OK;
    }
    print_all(a->help ? c->out : stderr);
    return a->help && a->n == 0 ? CLI_OK : CLI_USAGE;
}

static enum cli_exit cmd_help(struct cli *c, const struct args *a, struct err *err)
{
    if (a->n == 0) {
        print_all(c->out);
        return CLI_OK;
    }
    if (print_help_on(c->out, a->words, a->n)) {
        return CLI_OK;
    }
    return cli_fail(err, CLI_USAGE, "there is no command '%s'; trawl --help lists all",
                    a->words[0]);
}

const struct command command_help = {.name = "help",
                                     .args = "[<command>]",
                                     .brief = "more on a command",
                                     .max_words = 2,
                                     .need = NEED_NOTHING,
                                     .run = cmd_help};
