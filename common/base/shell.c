#include "common/base/shell.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/own.h"

void shell_quote_always(FILE *out, const char *word)
{
    fputc('\'', out);
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*c, out);
        }
    }
    fputc('\'', out);
}

void shell_quote(FILE *out, const char *word)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_@%+:,./-";
    if (word[0] != '\0' && word[strspn(word, harmless)] == '\0') {
        fputs(word, out);
    } else {
        shell_quote_always(out, word);
    }
}

static const char blanks[] = " \t\r\n";

/* Copies one word from *at to to, which has room for the whole rest; false: a quote stays open. */
static bool take_word(const char **at, char *to)
{
    const char *c = *at;
    char quote = '\0';
    for (; *c != '\0' && (quote != '\0' || strchr(blanks, *c) == NULL); c++) {
        if (quote == '\0' && (*c == '\'' || *c == '"')) {
            quote = *c;
        } else if (quote != '\0' && *c == quote) {
            quote = '\0';
        } else if (*c == '\\' && c[1] != '\0' &&
                   (quote == '\0' || (quote == '"' && (c[1] == '"' || c[1] == '\\')))) {
            *to++ = *++c;
        } else {
            *to++ = *c;
        }
    }
    *to = '\0';
    *at = c;
    return quote == '\0';
}

int shell_words(const char *line, shell_word_fn *fn, void *ctx, struct err *err)
{
    AUTO(free) char *word = malloc(strlen(line) + 1);
    if (word == NULL) {
        return err_no_memory(err);
    }
    for (const char *at = line + strspn(line, blanks); *at != '\0'; at += strspn(at, blanks)) {
        if (!take_word(&at, word)) {
            return ERR(err, ERR_INVALID, 0, "a quote is not closed in: %.120s", line);
        }
        fn(ctx, word);
    }
    return 0;
}
