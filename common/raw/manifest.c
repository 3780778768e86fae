/*
 * A line whose path has a newline or (for md5sum and sha256sum) a backslash begins with a backslash
 * and has these escaped.
 */
#include "common/raw/manifest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64

void manifest_name(const char *raw_file, const char *suffix, char out[static MANIFEST_NAME_ROOM])
{
    char hash[HASH_XXH_HEX];
    size_t len = strlen(raw_file);
    if (len + sizeof "..MANIFEST." + strlen(suffix) > MANIFEST_NAME_ROOM) {
        hash_mem(raw_file, len, hash);
        raw_file = hash;
    }
    snprintf(out, MANIFEST_NAME_ROOM, ".%.240s.MANIFEST.%.10s", raw_file, suffix);
}

void manifest_fini(struct manifest *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->lines[i].path);
    }
    free(m->lines);
    *m = (struct manifest){0};
}

static bool unescape(char *path)
{
    char *to = path;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at != '\\' && *at != 'n' && *at != 'r') {
            return false;
        }
        *to++ = (char)(*at == 'n' ? '\n' : *at == 'r' ? '\r' : '\\');
    }
    *to = '\0';
    return true;
}

static int no_memory(struct err *err)
{
    return err_no_memory(err);
}

static struct manifest_line *add(struct manifest *m, struct err *err)
{
    if (m->n % BATCH == 0) {
        struct manifest_line *more = reallocarray(m->lines, m->n + BATCH, sizeof *more);
        if (more == NULL) {
            no_memory(err);
            return NULL;
        }
        m->lines = more;
    }
    m->lines[m->n] = (struct manifest_line){.path = NULL};
    return &m->lines[m->n++];
}

static int parse_line(struct manifest *m, const char *line, size_t len, struct err *err)
{
    bool escaped = len > 0 && line[0] == '\\';
    line += escaped;
    len -= escaped;
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    if (digits < HASH_XXH_HEX - 1 || digits >= HASH_DIGEST_HEX || digits + 3 > len ||
        line[digits] != ' ' || (line[digits + 1] != ' ' && line[digits + 1] != '*') ||
        memchr(line, '\0', len) != NULL) {
        return ERR(err, ERR_INVALID, 0, "line %zu is not '<hash>  <path>'", m->n + 1);
    }
    struct manifest_line *to = add(m, err);
    if (to == NULL) {
        return -1;
    }
    for (size_t i = 0; i < digits; i++) {
        to->hash[i] = (char)(line[i] >= 'A' && line[i] <= 'F' ? line[i] + ('a' - 'A') : line[i]);
    }
    const char *path = line + digits + 2;
    len -= digits + 2;
    if (len == 3 && memcmp(path, "./-", len) == 0) { /* alone it would mean standard input */
        path += 2;
        len -= 2;
    }
    to->path = strndup(path, len);
    if (to->path == NULL) {
        return no_memory(err);
    }
    return !escaped || unescape(to->path)
               ? 0
               : ERR(err, ERR_INVALID, 0, "line %zu has an unknown escape", m->n);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_line *)a)->path, ((const struct manifest_line *)b)->path);
}

/* text is NUL-terminated behind len, as fs_read gives it. */
int manifest_parse(const char *text, size_t len, struct manifest *out, struct err *err)
{
    *out = (struct manifest){0};
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        if (parse_line(out, at, (size_t)(stop - at), err) != 0) {
            return -1;
        }
        at = stop + 1;
    }
    if (out->n > 0) {
        qsort(out->lines, out->n, sizeof *out->lines, by_path);
    }
    return 0;
}

const char *manifest_find(const struct manifest *m, const char *path)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(m->lines[mid].path, path);
        if (cmp == 0) {
            return m->lines[mid].hash;
        }
        low = cmp < 0 ? mid + 1 : low;
        high = cmp > 0 ? mid : high;
    }
    return NULL;
}
