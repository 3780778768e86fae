/*
 * config_show.c - what people see of the configuration. config_show prints the values in force, as
 * text or JSON, with where each comes from when asked for; the password of a URI and options that
 * are secrets are printed as "***". config_template and instrument_template write the commented
 * files of config/ from the same table of keys.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/path.h"
#include "common/config/config.h"
#include "common/config/config_keys.h"

#define COMMENT_WIDTH 98

/* Replace what is between from and to, in place; the text may grow by 3 bytes. */
static void put_stars(char *from, const char *to)
{
    memmove(from + 3, to, strlen(to) + 1);
    memcpy(from, "***", 3);
}

/* Values of options that are secrets themselves (tlsCertificateKeyFilePassword, session tokens). */
static void mask_options(char *text)
{
    static const char *const secret[] = {
        "tlsCertificateKeyFilePassword=", "sslClientCertificateKeyPassword=",
        "authMechanismProperties="};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        char *option = strcasestr(text, secret[i]);
        if (option != NULL) {
            char *value = option + strlen(secret[i]);
            put_stars(value, value + strcspn(value, "&"));
        }
    }
}

/* user:password@ becomes user:***@. The last '@' counts: rather hide too much than too little.
 * Freed with free(); NULL when memory is short. */
static char *mask_uri(const char *uri)
{
    size_t len = strlen(uri);
    char *text = calloc(1, len + 16); /* every "***" may be longer than what it hides */
    if (text == NULL) {
        return NULL;
    }
    memcpy(text, uri, len);
    mask_options(text);
    char *scheme = strstr(text, "://");
    char *at = strrchr(text, '@');
    char *user = scheme == NULL ? text : scheme + 3;
    char *colon = at == NULL || at < user ? NULL : memchr(user, ':', (size_t)(at - user));
    if (colon != NULL) {
        put_stars(colon + 1, at);
    }
    return text;
}

/* The text of a value as the file would have it; free(). NULL when memory is short. */
static char *shown(const struct config *c, const struct config_key *k)
{
    char *text = NULL;
    int n = 0;
    switch (k->type) {
    case CONFIG_TEXT:
        return (k->flags & CONFIG_SECRET) != 0 ? mask_uri(config_text(c, k))
                                               : strdup(config_text(c, k));
    case CONFIG_INT:
        n = asprintf(&text, "%lld", (long long)config_int(c, k));
        break;
    case CONFIG_REAL:
        n = asprintf(&text, "%.15g", config_real(c, k));
        break;
    case CONFIG_BOOL:
        n = asprintf(&text, "%s", config_bool(c, k) ? "true" : "false");
        break;
    case CONFIG_CHOICE: /* only in instruments' files, which are not shown */
    case CONFIG_TYPE_COUNT:
        break;
    }
    return n > 0 ? text : NULL;
}

static const char *origin_text(const struct config_box *box, const struct config_key *k, char *buf,
                               size_t room)
{
    const struct config_origin *o = &box->origin[k - config_keys.at];
    switch (o->layer) {
    case CONFIG_FROM_FILE:
    case CONFIG_FROM_ENV_FILE:
    case CONFIG_FROM_URI_FILE:
        snprintf(buf, room, "%s:%d", box->file[o->layer], o->line);
        return buf;
    case CONFIG_FROM_SELECTOR:
        return "environment ENV";
    case CONFIG_FROM_VARIABLE: {
        char name[CONFIG_VARIABLE_MAX];
        config_variable(k, name);
        snprintf(buf, room, "environment %s", name);
        return buf;
    }
    case CONFIG_FROM_DEFAULT:
    case CONFIG_LAYER_COUNT:
        break;
    }
    return "default";
}

static void show_text(const struct config_box *box, bool origin, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *k = &config_keys.at[i];
        AUTO(free) char *value = shown(&box->c, k);
        if (strcmp(section, k->section) != 0) {
            fprintf(out, "%s[%s]\n", i == 0 ? "" : "\n", k->section);
            section = k->section;
        }
        fprintf(out, "%s =%s%s", k->name, value != NULL && *value != '\0' ? " " : "",
                value == NULL ? "" : value);
        if (origin) {
            char from[4200];
            fprintf(out, "  ; %s", origin_text(box, k, from, sizeof from));
        }
        fputc('\n', out);
    }
}

static json_t *json_text(const char *text)
{
    json_t *plain = json_string(text);
    if (plain == NULL) { /* not UTF-8 */
        AUTO(free) char *escaped = path_escape(text);
        plain = escaped == NULL ? NULL : json_string(escaped);
    }
    return plain;
}

static json_t *json_value(const struct config *c, const struct config_key *k)
{
    switch (k->type) {
    case CONFIG_INT:
        return json_integer(config_int(c, k));
    case CONFIG_REAL:
        return json_real(config_real(c, k));
    case CONFIG_BOOL:
        return json_boolean(config_bool(c, k));
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
    case CONFIG_TYPE_COUNT:
        break;
    }
    AUTO(free) char *text = shown(c, k);
    return text == NULL ? json_null() : json_text(text);
}

static void show_json(const struct config_box *box, bool origin, FILE *out)
{
    json_t *root = json_object();
    for (size_t i = 0; i < config_keys.n; i++) {
        const struct config_key *k = &config_keys.at[i];
        if (json_object_get(root, k->section) == NULL) {
            json_object_set_new(root, k->section, json_object());
        }
        json_t *value = json_value(&box->c, k);
        if (origin) {
            char from[4200];
            json_t *both = json_object();
            json_object_set_new(both, "value", value);
            json_object_set_new(both, "origin", json_text(origin_text(box, k, from, sizeof from)));
            value = both;
        }
        json_object_set_new(json_object_get(root, k->section), k->name, value);
    }
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(root);
}

void config_show(const struct config *c, bool origin, bool json, FILE *out)
{
    const struct config_box *box = (const struct config_box *)c;
    if (json) {
        show_json(box, origin, out);
    } else {
        show_text(box, origin, out);
    }
}

/* A comment, broken between words. */
static void put_comment(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column == 0 || column + 1 + len > COMMENT_WIDTH) {
            column = (size_t)fprintf(out, "%s#", column == 0 ? "" : "\n");
        }
        column += (size_t)fprintf(out, " %.*s", (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* The meaning, and which values there are. */
static void put_help(FILE *out, const struct config_key *k)
{
    AUTO(free) char *text = NULL;
    int n = -1;
    if (k->choices != NULL) {
        n = asprintf(&text, "%s (%s)", k->help, k->choices);
    } else if (k->type == CONFIG_INT || k->type == CONFIG_REAL) {
        n = asprintf(&text, "%s (%lld to %lld)", k->help, (long long)k->min, (long long)k->max);
    }
    if (n < 0) {
        text = NULL; /* undefined when asprintf fails */
    }
    put_comment(out, text == NULL ? k->help : text);
}

static void put_keys(FILE *out, const struct config_keys *keys)
{
    const char *section = "";
    for (size_t i = 0; i < keys->n; i++) {
        const struct config_key *k = &keys->at[i];
        if (strcmp(section, k->section) != 0) {
            fprintf(out, "\n[%s]\n", k->section);
            section = k->section;
        }
        put_help(out, k);
        bool needed = k->def == NULL && (k->flags & CONFIG_REQUIRED) != 0;
        const char *def = k->def == NULL ? "" : k->def;
        fprintf(out, "%s%s =%s%s\n", needed ? "" : "#", k->name, *def == '\0' ? "" : " ", def);
    }
}

void config_template(FILE *out)
{
    put_comment(out,
                "Every key with its meaning and its default. Written by config_template() from "
                "common/config/config_keys.c; a test compares them.");
    put_comment(out, "Later wins: default, this file, <env>.ini beside it, environment variable "
                     "TRAWL_<SECTION>_<KEY> (dots in a section become '_').");
    put_comment(out, "An unknown key, a bad value or a line of over 199 bytes stops every process "
                     "at its start. A ';' behind a blank begins a comment, also behind a value.");
    put_keys(out, &config_keys);
}

void instrument_template(FILE *out)
{
    put_comment(out, "One instrument. Copy to <id>.ini, the id 1 to 32 of a-z 0-9 _ -; read again "
                     "without a restart. Written by instrument_template().");
    put_keys(out, &instrument_keys);
}
