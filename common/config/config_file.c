/*
 * One ini file. inih cuts lines at 199 bytes and calls the handler with the cut value before it
 * reports anything, so it is fed line by line by our own reader, which refuses long lines and
 * counts, and the entries are only collected: they are applied once the whole file has proved to be
 * good.
 *
 * inih's continuation lines (a line that begins with a blank) are not offered: the reader takes
 * leading blanks away, so that an indented key is a key.
 */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/config/config_keys.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define LINE_MAX_BYTES 199

struct source {
    struct config_file *file;
    struct err *err;
    const char *at, *end;
    int line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A key behind "[section]" on the same line would be swallowed silently. */
static bool has_text_behind_section(const char *line, size_t len)
{
    const char *bracket = memchr(line, ']', len);
    if (*line != '[' || bracket == NULL) {
        return false;
    }
    const char *c = bracket + 1;
    while (c < line + len && is_blank(*c)) {
        c++;
    }
    return c < line + len && *c != ';' && *c != '#';
}

/* inih's ini_reader: copy the next line to str (num bytes), NULL at the end or when *err is set. */
static char *next_line(char *str, int num, void *stream)
{
    struct source *s = stream;
    if (s->at == s->end || s->err->kind != ERR_NONE) {
        return NULL;
    }
    s->line++;
    const char *line = s->at;
    const char *newline = memchr(line, '\n', (size_t)(s->end - line));
    const char *line_end = newline == NULL ? s->end : newline;
    s->at = newline == NULL ? s->end : newline + 1;
    while (line < line_end && is_blank(*line)) {
        line++;
    }
    while (line_end > line && is_blank(line_end[-1])) {
        line_end--;
    }
    size_t len = (size_t)(line_end - line);
    if (len == 0 || *line == '#' || *line == ';') {
        len = 0;
    } else if (len > LINE_MAX_BYTES || len >= (size_t)num) {
        ERR(s->err, ERR_INVALID, 0,
            "%s:%d: the line is longer than 199 bytes; set a long value by its environment "
            "variable, or mongo.uri by uri_file",
            s->file->name, s->line);
        return NULL;
    } else if (has_text_behind_section(line, len)) {
        ERR(s->err, ERR_INVALID, 0, "%s:%d: there is text behind [section]", s->file->name,
            s->line);
        return NULL;
    }
    memcpy(str, line, len);
    str[len] = '\0';
    return str;
}

static int out_of_memory(struct err *err)
{
    return err_no_memory(err);
}

static int add_entry(struct source *s, const char *section, const char *name, const char *value)
{
    struct config_file *f = s->file;
    if (f->n == f->room) {
        size_t room = f->room == 0 ? 32 : 2 * f->room;
        struct config_entry *more = realloc(f->entries, room * sizeof *more);
        if (more == NULL) {
            return out_of_memory(s->err);
        }
        f->entries = more;
        f->room = room;
    }
    struct config_entry *e = &f->entries[f->n++];
    *e = (struct config_entry){.line = s->line,
                               .section = strdup(section),
                               .name = strdup(name),
                               .value = strdup(value == NULL ? "" : value)};
    if (e->section == NULL || e->name == NULL || e->value == NULL) {
        return out_of_memory(s->err);
    }
    return 0;
}

/* inih's ini_handler: non-zero to go on. */
static int collect(void *user, const char *section, const char *name, const char *value)
{
    return add_entry(user, section, name, value) == 0;
}

int config_file_parse(struct config_file *f, const char *name, const char *text, size_t len,
                      struct err *err)
{
    *f = (struct config_file){.name = name};
    if (memchr(text, '\0', len) != NULL) {
        return ERR(err, ERR_INVALID, 0, "%s: there is a NUL byte: this is no text file", name);
    }
    size_t bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct err first = {0};
    struct source s = {.file = f, .err = &first, .at = text + bom, .end = text + len};
    int bad_line = ini_parse_stream(next_line, &s, collect, &s);
    if (bad_line > 0) { /* before a long line that ended the reading */
        err_set(&first, ERR_INVALID, 0, __func__, "%s:%d: neither [section] nor key = value", name,
                bad_line);
    } else if (bad_line < 0) {
        out_of_memory(&first);
    }
    if (first.kind != ERR_NONE) {
        config_file_fini(f);
        return ERR(err, first.kind, first.code, "%s", first.msg);
    }
    return 0;
}

int config_file_read(struct config_file *f, const char *path, bool optional, struct err *err)
{
    *f = (struct config_file){.name = path};
    size_t len = 0;
    struct err why = {0};
    AUTO(free) char *text = fs_read(path, FILE_MAX_BYTES, &len, &why);
    if (text == NULL) {
        bool missing = optional && why.code == ENOENT;
        return missing ? 0 : ERR(err, why.kind, why.code, "%s", why.msg);
    }
    return config_file_parse(f, path, text, len, err);
}

void config_file_fini(struct config_file *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->entries[i].section);
        free(f->entries[i].name);
        free(f->entries[i].value);
    }
    free(f->entries);
    *f = (struct config_file){.name = f->name};
}

static int unknown_key(const struct config_keys *keys, const struct config_entry *e,
                       struct err *err)
{
    AUTO(free)
    char *section = path_escape(e->section); /* may hold what a terminal should not get */
    AUTO(free) char *name = path_escape(e->name);
    if (section == NULL || name == NULL) {
        return out_of_memory(err);
    }
    if (*section == '\0') {
        return ERR(err, ERR_INVALID, 0, "key '%s' comes before any [section]", name);
    }
    const struct config_key *near = config_nearest(keys, e->section, e->name);
    if (near == NULL) {
        return ERR(err, ERR_INVALID, 0, "unknown key %s.%s", section, name);
    }
    return ERR(err, ERR_INVALID, 0, "unknown key %s.%s; did you mean %s.%s?", section, name,
               near->section, near->name);
}

static int apply_entry(const struct config_entry *e, const struct config_target *t, struct err *err)
{
    const struct config_key *k = config_find(t->keys, e->section, e->name);
    if (k == NULL) {
        return unknown_key(t->keys, e, err);
    }
    struct config_origin *o = &t->origin[k - t->keys->at];
    if (o->layer == t->layer) {
        return ERR(err, ERR_INVALID, 0, "%s.%s is set twice, first in line %d", k->section, k->name,
                   o->line);
    }
    if (config_set(t->base, k, e->value, err) != 0) {
        return err_context(err, "%s.%s", k->section, k->name);
    }
    *o = (struct config_origin){.layer = t->layer, .line = e->line};
    return 0;
}

int config_file_apply(const struct config_file *f, const struct config_target *t, struct err *err)
{
    for (size_t i = 0; i < f->n; i++) {
        if (apply_entry(&f->entries[i], t, err) != 0) {
            return err_context(err, "%s:%d", f->name, f->entries[i].line);
        }
    }
    return 0;
}
