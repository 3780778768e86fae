/*
 * args.c - options may stand anywhere, "--" ends them, "--name=value" and "--name value" are the
 * same. First the command's words are found, then every option is looked up in its table.
 */
#include "cli/args.h"
#include "common/base/suggest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

const struct command *command_find(const char *name)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *c = *at;
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static const struct cli_option *option_in(const struct cli_option *table, const char *name,
                                          size_t len)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == len && strncmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

/* Whether an option takes the next word as its value in any command, for use before the command is
 * known. */
static bool takes_value(const char *arg)
{
    size_t len = strlen(arg);
    const struct cli_option *o = option_in(global_options, arg, len);
    for (const struct command *const *at = commands; o == NULL && *at != NULL; at++) {
        const struct command *c = *at;
        o = option_in(c->options, arg, len);
    }
    return o != NULL && o->value != NULL;
}

/* The indices in argv of the words that are no options and no values; returns how many. */
static size_t find_words(int argc, char *const *argv, const char **words, size_t room)
{
    size_t n = 0;
    bool options = true;
    for (int i = 1; i < argc && n < room; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (!options || argv[i][0] != '-' || argv[i][1] == '\0') {
            words[n++] = argv[i];
        } else if (strncmp(argv[i], "--", 2) == 0 && takes_value(argv[i] + 2)) {
            i++;
        }
    }
    return n;
}

static size_t first_words(const char *first, const char **names)
{
    size_t n = 0;
    for (const struct command *const *at = commands; *at != NULL && n + 1 < NAMES_MAX; at++) {
        const struct command *c = *at;
        size_t len = strcspn(c->name, " ");
        if (first == NULL) {
            names[n++] = c->name;
        } else if (strlen(first) == len && strncmp(c->name, first, len) == 0 &&
                   c->name[len] == ' ') {
            names[n++] = c->name + len + 1;
        }
    }
    names[n] = NULL;
    return n;
}

static int unknown_command(const char *first, const char *second, struct err *err)
{
    const char *names[NAMES_MAX];
    char meant[SUGGEST_MAX];
    if (first_words(first, names) == 0) {
        first_words(NULL, names);
        return ERR(err, ERR_INVALID, 0, "there is no command '%s'%s trawl --help lists all", first,
                   suggest_text(first, names, "", meant));
    }
    if (second == NULL) {
        return ERR(err, ERR_INVALID, 0,
                   "'%s' needs a second word, as in 'trawl %s %s'; see trawl help %s", first, first,
                   names[0], first);
    }
    return ERR(err, ERR_INVALID, 0, "there is no command '%s %s'%s see trawl help %s", first,
               second, suggest_text(second, names, "", meant), first);
}

/* How many of the words name the command. */
static int find_command(const char *const *words, size_t n, struct args *out, struct err *err)
{
    if (n == 0) {
        return 0;
    }
    char two[64];
    if (n > 1 && snprintf(two, sizeof two, "%s %s", words[0], words[1]) < (int)sizeof two &&
        (out->command = command_find(two)) != NULL) {
        return 2;
    }
    out->command = command_find(words[0]);
    if (out->command != NULL) {
        return 1;
    }
    if (out->help) { /* trawl pool --help: explain all commands that begin so */
        return 0;
    }
    return unknown_command(words[0], n > 1 ? words[1] : NULL, err);
}

static int unknown_option(const struct args *a, const char *arg, struct err *err)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    const struct cli_option *own = a->command != NULL ? a->command->options : NULL;
    for (const struct cli_option *o = own; o != NULL && o->name != NULL; o++) {
        names[n++] = o->name;
    }
    for (const struct cli_option *o = global_options; o->name != NULL; o++) {
        names[n++] = o->name;
    }
    names[n] = NULL;
    char typed[48];
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(arg, "="), arg);
    char meant[SUGGEST_MAX];
    return ERR(err, ERR_INVALID, 0, "there is no option '%s' here%s see trawl %s%s--help", typed,
               suggest_text(typed + strspn(typed, "-"), names, "--", meant),
               a->command != NULL ? a->command->name : "", a->command != NULL ? " " : "");
}

static void set_global(struct args *a, const char *name, const char *value)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"json", &a->json},
                 {"quiet", &a->quiet},
                 {"no-color", &a->no_color},
                 {"help", &a->help},
                 {"version", &a->version}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].flag = true;
            return;
        }
    }
    a->config_dir = value;
}

/* Read argv[i]; returns how many words of argv it took, or -1. */
static int read_option(struct args *a, int i, char *const *argv, struct err *err)
{
    const char *name = argv[i] + 2;
    if (strcmp(argv[i], "-h") == 0) {
        name = "help";
    } else if (strncmp(argv[i], "--", 2) != 0) {
        return unknown_option(a, argv[i], err);
    }
    size_t len = strcspn(name, "=");
    const struct cli_option *own = a->command != NULL ? a->command->options : NULL;
    const struct cli_option *o = option_in(own, name, len);
    const struct cli_option *global = o == NULL ? option_in(global_options, name, len) : NULL;
    const struct cli_option *found = o != NULL ? o : global;
    if (found == NULL) {
        return unknown_option(a, argv[i], err);
    }
    bool inline_value = name[len] == '=';
    if (found->value == NULL && inline_value) {
        return ERR(err, ERR_INVALID, 0, "--%s takes no value", found->name);
    }
    const char *value = inline_value ? name + len + 1 : found->value != NULL ? argv[i + 1] : "";
    if (value == NULL) {
        return ERR(err, ERR_INVALID, 0, "--%s needs a value: --%s %s", found->name, found->name,
                   found->value);
    }
    if (o != NULL) {
        a->values[o - own] = value;
    } else {
        set_global(a, global->name, value);
    }
    return found->value != NULL && !inline_value ? 2 : 1;
}

static int read_options(int argc, char *const *argv, struct args *out, struct err *err)
{
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--") == 0) {
            return 0;
        }
        int took = argv[i][0] == '-' && argv[i][1] != '\0' ? read_option(out, i, argv, err) : 1;
        if (took < 0) {
            return -1;
        }
        i += took;
    }
    return 0;
}

static bool asks_for_help(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int check_words(const struct args *a, struct err *err)
{
    const struct command *c = a->command;
    if (c == NULL || a->help || a->version || (a->n >= c->min_words && a->n <= c->max_words)) {
        return 0;
    }
    return ERR(err, ERR_INVALID, 0, "%s: trawl %s%s%s; see trawl %s --help",
               a->n < c->min_words ? "something is missing" : "too many words", c->name,
               c->args[0] != '\0' ? " " : "", c->args, c->name);
}

int args_parse(int argc, char *const *argv, struct args *out, struct err *err)
{
    const char *words[ARGS_WORDS_MAX + 2];
    *out = (struct args){.help = asks_for_help(argc, argv)};
    size_t n = find_words(argc, argv, words, sizeof words / sizeof *words);
    int named = find_command(words, n, out, err);
    if (named < 0 || read_options(argc, argv, out, err) != 0) {
        return -1;
    }
    for (size_t i = (size_t)named; i < n && out->n < ARGS_WORDS_MAX; i++) {
        out->words[out->n++] = words[i];
    }
    return check_words(out, err);
}

const char *args_get(const struct args *a, const char *option)
{
    const struct cli_option *o = option_in(a->command->options, option, strlen(option));
    return o == NULL ? NULL : a->values[o - a->command->options];
}

int text_i64(const char *text, const struct args_number *n, int64_t *out, struct err *err)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < n->min || number > n->max) {
        return ERR(err, ERR_INVALID, 0,
                   "%s is a whole number from %" PRId64 " to %" PRId64 ", not '%s'", n->name,
                   n->min, n->max, text);
    }
    *out = number;
    return 0;
}

int args_i64(const struct args *a, const struct args_number *n, int64_t *out, struct err *err)
{
    const char *text = args_get(a, n->name);
    if (text == NULL) {
        *out = n->or_else;
        return 0;
    }
    char shown[40];
    snprintf(shown, sizeof shown, "--%s", n->name);
    const struct args_number named = {.name = shown, .min = n->min, .max = n->max};
    return text_i64(text, &named, out, err);
}
