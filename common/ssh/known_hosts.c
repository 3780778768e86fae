/*
 * known_hosts.c - the text of a known_hosts file. The text is read line by line (next_line), each
 * into marker, names, type and key. known_hosts_verdict takes the strongest verdict of all lines
 * whose names fit the host, under "[host]:port" first; for ports other than 22 a line under the
 * plain name can still make the key known or revoked. Hashed names are compared by hashing ours
 * with the line's salt.
 *
 * known_hosts_without copies the text, leaving out what it holds of one host and key type.
 */
#include "common/ssh/known_hosts.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/strbuf.h"

#define SHA1_BYTES 20
#define SHA1_TEXT  28 /* in base64 */

struct word {
    const char *at;
    size_t len;
};
struct line {
    const char *at;
    size_t len; /* without its line break */
    struct word marker, names, type, key;
};

static bool is(const struct word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

/* The next word of a line, up to blanks. */
static struct word next_word(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t')) {
        (*at)++;
    }
    struct word w = {.at = *at};
    while (*at < end && **at != ' ' && **at != '\t') {
        (*at)++;
    }
    w.len = (size_t)(*at - w.at);
    return w;
}

/* The next line; false at the end. A line that says nothing has no key. */
static bool next_line(const char **text, struct line *out)
{
    if (**text == '\0') {
        return false;
    }
    *out = (struct line){.at = *text, .len = strcspn(*text, "\n")};
    *text += out->len + ((*text)[out->len] == '\n' ? 1 : 0);
    const char *at = out->at, *end = out->at + out->len;
    while (end > at && end[-1] == '\r') {
        end--;
    }
    struct word first = next_word(&at, end);
    if (first.len == 0 || first.at[0] == '#') {
        return true;
    }
    if (first.at[0] == '@') {
        out->marker = first;
        first = next_word(&at, end);
    }
    out->names = first;
    out->type = next_word(&at, end);
    out->key = next_word(&at, end);
    return true;
}

void known_hosts_name(const char *host, int port, char *out, size_t room)
{
    if (port == 22) {
        snprintf(out, room, "%s", host);
    } else {
        snprintf(out, room, "[%s]:%d", host, port);
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
}

/* "|1|<salt>|<HMAC-SHA1 of the name>", both in base64. */
static bool is_hash_of(const struct word *hashed, const char *name)
{
    unsigned char salt[SHA1_TEXT + 4], mac[EVP_MAX_MD_SIZE], text[2 * SHA1_BYTES];
    char coded[SHA1_TEXT + 1];
    unsigned length = 0;
    const char *end = hashed->at + hashed->len, *at = hashed->at + 3;
    const char *bar = hashed->len > 3 ? memchr(at, '|', (size_t)(end - at)) : NULL;
    if (bar == NULL || bar - at != SHA1_TEXT || end - bar - 1 != SHA1_TEXT) {
        return false;
    }
    memcpy(coded, at, SHA1_TEXT);
    coded[SHA1_TEXT] = '\0';
    if (EVP_DecodeBlock(salt, (const unsigned char *)coded, SHA1_TEXT) < SHA1_BYTES ||
        HMAC(EVP_sha1(), salt, SHA1_BYTES, (const unsigned char *)name, strlen(name), mac,
             &length) == NULL) {
        return false;
    }
    EVP_EncodeBlock(text, mac, SHA1_BYTES);
    return length == SHA1_BYTES && memcmp(text, bar + 1, SHA1_TEXT) == 0;
}

/* A pattern with * and ?; the case does not matter, name is in lower case. */
static bool fits(const char *pattern, size_t len, const char *name)
{
    const char *end = pattern + len, *star = NULL, *from = name;
    while (*name != '\0') {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (pattern < end &&
                   (*pattern == '?' || tolower((unsigned char)*pattern) == (unsigned char)*name)) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*') {
        pattern++;
    }
    return pattern == end;
}

static bool is_hashed(const struct word *names)
{
    return names->len > 3 && strncmp(names->at, "|1|", 3) == 0;
}

/* A list fits when one of its names does, and none with a ! in front. */
static bool names_host(const struct word *names, const char *name)
{
    if (is_hashed(names)) {
        return is_hash_of(names, name);
    }
    bool found = false;
    const char *end = names->at + names->len;
    for (const char *at = names->at; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        bool negated = *at == '!';
        if (fits(at + negated, (size_t)(stop - at) - negated, name)) {
            if (negated) {
                return false;
            }
            found = true;
        }
        at = stop + 1;
    }
    return found;
}

/* What the lines under one name say. */
static enum host_verdict verdict_of_name(const char *text, const char *name,
                                         const struct known_ask *ask, bool *authority)
{
    enum host_verdict verdict = HOST_UNKNOWN;
    struct line line;
    while (next_line(&text, &line)) {
        if (line.key.len == 0 || !names_host(&line.names, name)) {
            continue;
        }
        bool same = is(&line.type, ask->type) && is(&line.key, ask->key);
        enum host_verdict one = HOST_UNKNOWN;
        if (line.marker.len == 0) {
            one = same ? HOST_KNOWN : is(&line.type, ask->type) ? HOST_CHANGED : HOST_UNKNOWN;
        } else if (is(&line.marker, "@revoked") && is(&line.key, ask->key)) {
            one = HOST_REVOKED;
        } else if (is(&line.marker, "@cert-authority")) {
            *authority = true;
        }
        verdict = one > verdict ? one : verdict;
    }
    return verdict;
}

enum host_verdict known_hosts_verdict(const char *text, const struct known_ask *ask,
                                      bool *authority)
{
    char name[200];
    *authority = false;
    known_hosts_name(ask->host, ask->port, name, sizeof name);
    enum host_verdict verdict = verdict_of_name(text, name, ask, authority);
    if (ask->port == 22) {
        return verdict;
    }
    known_hosts_name(ask->host, 22, name, sizeof name);
    enum host_verdict plain = verdict_of_name(text, name, ask, authority);
    if (plain == HOST_REVOKED || (verdict == HOST_UNKNOWN && plain == HOST_KNOWN)) {
        return plain;
    }
    return verdict;
}

/* --- taking out --- */

/* The names without this one. */
static void put_others(FILE *out, const struct word *names, const char *name)
{
    const char *end = names->at + names->len;
    const char *between = "";
    for (const char *at = names->at; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        if (stop - at != (ptrdiff_t)strlen(name) || strncasecmp(at, name, strlen(name)) != 0) {
            fprintf(out, "%s%.*s", between, (int)(stop - at), at);
            between = ",";
        }
        at = stop + 1;
    }
}

/* The names that stay of a line that names the host; "" for none. NULL: memory is short. */
static char *other_names(const struct line *line, const char *name)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    struct err ignored = {0};
    if (is_hashed(&line->names)) {
        return strdup("");
    }
    if (strbuf_open(&t, &ignored) != 0) {
        return NULL;
    }
    put_others(t.out, &line->names, name);
    return strbuf_close(&t, &ignored) == 0 ? TAKE(t.data) : NULL;
}

char *known_hosts_without(const char *text, const struct known_ask *ask)
{
    char name[200];
    struct line line;
    struct err ignored = {0};
    AUTO(strbuf_fini) struct strbuf t = {0};
    if (strbuf_open(&t, &ignored) != 0) {
        return NULL;
    }
    known_hosts_name(ask->host, ask->port, name, sizeof name);
    while (next_line(&text, &line)) {
        bool ours = line.key.len > 0 && line.marker.len == 0 && is(&line.type, ask->type) &&
                    names_host(&line.names, name);
        AUTO(free) char *others = ours ? other_names(&line, name) : NULL;
        if (ours && others == NULL) {
            return NULL;
        }
        if (!ours) {
            fprintf(t.out, "%.*s\n", (int)line.len, line.at);
        } else if (others[0] != '\0') {
            const char *rest = line.names.at + line.names.len;
            fprintf(t.out, "%s%.*s\n", others, (int)(line.at + line.len - rest), rest);
        }
    }
    return strbuf_close(&t, &ignored) == 0 ? TAKE(t.data) : NULL;
}
