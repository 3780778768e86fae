/*
 * completion.c - writes the shell function _trawl_data from the table of commands.
 *
 * Each key (what, command, option) becomes one case of the function, whose candidates are printed
 * one a line with their meaning. Values that a placeholder of the table stands for (STATUS, KIND,
 * <pool>) come from the tables of statuses, kinds and pools; names that only the shell can find out
 * are left to it as @instruments, @folders and @files.
 */
#include "cli/completion.h"

#include <string.h>

#include "cli/cli.h"
#include "common/raw/raw_file.h"
#include "common/task/kinds.h"
#include "common/task/pool.h"
#include "common/task/task.h"
#include "ops/facts.h"

/* --- text for the shell --- */

/* Write text between single quotes, on one line. */
static void put_quoted(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(text[i] == '\n' ? ' ' : text[i], out);
        }
    }
}

static void put_candidate(FILE *out, const char *word, size_t len, const char *meaning)
{
    fputs(" '", out);
    put_quoted(out, word, len);
    fputc('\t', out);
    put_quoted(out, meaning, strlen(meaning));
    fputc('\'', out);
}

/* Write each word of a list separated by blanks. */
static void put_words(FILE *out, const char *list)
{
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, " ");
        put_candidate(out, at, len, "");
        at += len + strspn(at + len, " ");
    }
}

static void key_begin(FILE *out, const char *what, const char *command, const char *option)
{
    fprintf(out, "        '%s:%s%s%s') printf '%%s\\n'", what, command, option != NULL ? ":--" : "",
            option != NULL ? option : "");
}

static void key_end(FILE *out)
{
    fputs(" ;;\n", out);
}

/* --- values of the table's placeholders --- */

static void put_states(FILE *out)
{
    for (int s = 0; s < TASK_STATE_COUNT; s++) {
        const char *name = task_state_name((enum task_state)s);
        put_candidate(out, name, strlen(name), "");
    }
}

static void put_names(FILE *out, const char *const *names)
{
    for (; *names != NULL; names++) {
        put_candidate(out, *names, strlen(*names), "");
    }
}

static const struct {
    const char *command; /* NULL: any */
    const char *value;
    const char *words;
} values[] = {
    {"project set", "STATUS", "active inactive"},
    {NULL, "TYPE", "alphadia diann msqc skyline custom"},
    {NULL, "ENGINE", "slurm local file"},
    {NULL, "MODE", "raise overwrite associate add"},
    {NULL, "SCOPE", "thermo bruker sciex generic @instruments"},
    {NULL, "DIR", "@folders"},
    {NULL, "FILE", "@files"},
};

/* Write the values an option takes; none for free text. */
static void put_value(FILE *out, const char *command, const struct cli_option *o)
{
    if (strcmp(o->name, "instrument") == 0) {
        put_words(out, "@instruments");
    } else if (strcmp(o->value, "STATE") == 0) {
        put_states(out);
    } else if (strcmp(o->value, "STATUS") == 0 && strcmp(command, "ls") == 0) {
        put_names(out, raw_status_names);
    } else if (strcmp(o->value, "KIND") == 0) {
        put_names(out, task_kind_names);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(o->value, values[i].value) == 0 &&
            (values[i].command == NULL || strcmp(values[i].command, command) == 0)) {
            put_words(out, values[i].words);
            return;
        }
    }
}

static void put_first_words(FILE *out, const char *first);

static void put_argument(FILE *out, const char *name, size_t len)
{
    if (strncmp(name, "<pool>", len) == 0) {
        put_names(out, pool_names);
    } else if (strncmp(name, "<instrument>", len) == 0) {
        put_words(out, "@instruments");
    } else if (strncmp(name, "<location>", len) == 0) {
        put_words(out, "backup output");
    } else if (strncmp(name, "<command>", len) == 0) {
        put_first_words(out, "");
    } else if (name[0] != '<') {
        put_candidate(out, name, len, "");
    }
}

/* "<location>|<instrument>…", "bash|zsh", "[<command>]", "<pool> <n>" */
static void put_arguments(FILE *out, const char *args)
{
    for (const char *at = args; *at != '\0';) {
        size_t len = strcspn(at, "[]| ");
        if (len > 0 && (at[0] == '<' || (at[0] >= 'a' && at[0] <= 'z'))) {
            put_argument(out, at, at[0] == '<' ? strcspn(at, ">") + 1 : len);
        }
        at += len + (at[len] != '\0');
    }
}

/* --- the table of commands --- */

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

static bool begins_group(const struct command *const *at)
{
    size_t len = first_word(at[0]->name);
    return at == commands || first_word(at[-1]->name) != len ||
           strncmp(at[-1]->name, at[0]->name, len) != 0;
}

/* first "": the first words of all commands; else the second words of that group. */
static void put_first_words(FILE *out, const char *first)
{
    size_t len = strlen(first);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *c = *at;
        size_t own = first_word(c->name);
        if (len == 0 && begins_group(at)) {
            put_candidate(out, c->name, own, c->name[own] == '\0' ? c->brief : "");
        } else if (len > 0 && own == len && strncmp(c->name, first, len) == 0) {
            put_candidate(out, c->name + len + 1, strlen(c->name + len + 1), c->brief);
        }
    }
}

static void put_option_names(FILE *out, const struct cli_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        char name[48];
        int n = snprintf(name, sizeof name, "--%s", o->name);
        put_candidate(out, name, (size_t)n, o->help);
    }
}

static void put_option_values(FILE *out, const char *command, const struct cli_option *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        if (o->value != NULL) {
            key_begin(out, "value", command, o->name);
            put_value(out, command, o);
            key_end(out);
        }
    }
}

static void put_command(FILE *out, const char *name, const struct cli_option *own, const char *args)
{
    key_begin(out, "options", name, NULL);
    put_option_names(out, own);
    put_option_names(out, global_options);
    key_end(out);
    put_option_values(out, name, own);
    put_option_values(out, name, global_options);
    key_begin(out, "words", name, NULL);
    put_arguments(out, args);
    key_end(out);
}

void completion_data(FILE *out)
{
    fputs("_trawl_data() {\n    case $1 in\n", out);
    key_begin(out, "commands", "", NULL);
    put_first_words(out, "");
    key_end(out);
    put_command(out, "", NULL, "");
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *c = *at;
        size_t len = first_word(c->name);
        if (c->name[len] == ' ' && begins_group(at)) {
            char group[32];
            snprintf(group, sizeof group, "%.*s", (int)len, c->name);
            key_begin(out, "commands", group, NULL);
            put_first_words(out, group);
            key_end(out);
            put_command(out, group, NULL, "");
        }
        put_command(out, c->name, c->options, c->args);
    }
    fputs("        *) return 1 ;;\n    esac\n}\n", out);
}
