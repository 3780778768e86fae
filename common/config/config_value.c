/*
 * config_value.c - one value, from text into its field and out again. config_set takes the text
 * that a file, a variable or the table's default gave, checks it against the key's type, range and
 * words, and stores it in the field that the key's offset names. The error gives only the reason;
 * the caller adds the file and line. The readers (config_text, config_int, …) go the other way for
 * config_show.c.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/config/config_keys.h"

/* The field that k names. The offset was made by offsetof for a field of the key's own type. */
static void *field(void *base, const struct config_key *k)
{
    return (char *)base + k->offset;
}

static const void *const_field(const void *base, const struct config_key *k)
{
    return (const char *)base + k->offset;
}

const char *config_text(const void *base, const struct config_key *k)
{
    const char *text = *(char *const *)const_field(base, k);
    return text == NULL ? "" : text;
}

int64_t config_int(const void *base, const struct config_key *k)
{
    return *(const int64_t *)const_field(base, k);
}

bool config_bool(const void *base, const struct config_key *k)
{
    return *(const bool *)const_field(base, k);
}

double config_real(const void *base, const struct config_key *k)
{
    return *(const double *)const_field(base, k);
}

/* The place of word in choices, -1 if it is none of them. */
static int word_index(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (int i = 0; *choices != '\0'; i++) {
        size_t n = strcspn(choices, " ");
        if (n == len && strncmp(choices, word, n) == 0) {
            return i;
        }
        choices += n + strspn(choices + n, " ");
    }
    return -1;
}

const char *config_word(const char *choices, unsigned n, char *buf, size_t room)
{
    for (; n > 0; n--) {
        choices += strcspn(choices, " ");
        choices += strspn(choices, " ");
    }
    snprintf(buf, room, "%.*s", (int)strcspn(choices, " "), choices);
    return buf;
}

static int set_text(char **to, const struct config_key *k, const char *text, struct err *err)
{
    if (k->choices != NULL && word_index(k->choices, text) < 0) {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is none of: %s", text, k->choices);
    }
    if ((k->flags & CONFIG_REQUIRED) != 0 && *text == '\0') {
        return ERR(err, ERR_INVALID, 0, "must not be empty");
    }
    if ((k->flags & CONFIG_ABSOLUTE) != 0 && *text != '\0' && *text != '/') {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is no absolute path (must begin with '/')", text);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    free(*to);
    *to = copy;
    return 0;
}

/* strtoll and strtod skip blanks and take "inf" and hexadecimal; an operator who writes that erred.
 */
static bool is_plain_number(const char *text, bool fraction)
{
    text += *text == '-';
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || !fraction || text[digits] != '.') {
        return digits > 0 && text[digits] == '\0';
    }
    size_t behind = strspn(text + digits + 1, "0123456789");
    return behind > 0 && text[digits + 1 + behind] == '\0';
}

static int set_int(int64_t *to, const struct config_key *k, const char *text, struct err *err)
{
    errno = 0;
    long long n = strtoll(text, NULL, 10);
    if (!is_plain_number(text, false) || errno != 0 || n < k->min || n > k->max) {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is no whole number from %lld to %lld", text,
                   (long long)k->min, (long long)k->max);
    }
    *to = n;
    return 0;
}

static int set_real(double *to, const struct config_key *k, const char *text, struct err *err)
{
    double n = strtod(text, NULL);
    if (!is_plain_number(text, true) || !isfinite(n) || n < (double)k->min || n > (double)k->max) {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is no number from %lld to %lld", text,
                   (long long)k->min, (long long)k->max);
    }
    *to = n;
    return 0;
}

static int set_bool(bool *to, const char *text, struct err *err)
{
    int yes = word_index("true yes on 1", text), no = word_index("false no off 0", text);
    if (*text == '\0' || (yes < 0 && no < 0)) {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is neither true nor false", text);
    }
    *to = yes >= 0;
    return 0;
}

static int set_choice(unsigned *to, const struct config_key *k, const char *text, struct err *err)
{
    int n = word_index(k->choices, text);
    if (n < 0) {
        return ERR(err, ERR_INVALID, 0, "'%.60s' is none of: %s", text, k->choices);
    }
    *to = (unsigned)n;
    return 0;
}

int config_set(void *base, const struct config_key *k, const char *text, struct err *err)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return ERR(err, ERR_INVALID, 0, "there is a control character in the value");
        }
    }
    switch (k->type) {
    case CONFIG_TEXT:
        return set_text(field(base, k), k, text, err);
    case CONFIG_INT:
        return set_int(field(base, k), k, text, err);
    case CONFIG_REAL:
        return set_real(field(base, k), k, text, err);
    case CONFIG_BOOL:
        return set_bool(field(base, k), text, err);
    case CONFIG_CHOICE: /* both compilers store an enum without negative values as unsigned */
        return set_choice(field(base, k), k, text, err);
    case CONFIG_TYPE_COUNT:
        break;
    }
    return ERR(err, ERR_FATAL, 0, "the table of keys is wrong");
}

int config_set_defaults(void *base, const struct config_keys *keys, struct err *err)
{
    for (size_t i = 0; i < keys->n; i++) {
        const struct config_key *k = &keys->at[i];
        if (k->def != NULL && config_set(base, k, k->def, err) != 0) {
            return err_context(err, "default of %s.%s", k->section, k->name);
        }
    }
    return 0;
}

void config_free_values(void *base, const struct config_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (keys->at[i].type == CONFIG_TEXT) {
            free(*(char **)field(base, &keys->at[i]));
        }
    }
}
