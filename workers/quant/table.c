#include "workers/quant/table.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"

#include "common/ban.h"

#define COLUMNS_MAX 4096

struct table {
    char *text;         /* cells, each terminated, where the file's fields were */
    const char **cells; /* row by row; the header first */
    size_t n, room;
    size_t columns, rows;
};

void table_free(struct table *t)
{
    if (t != NULL) {
        free(t->text);
        free(t->cells);
        free(t);
    }
}

static int add_cell(struct table *t, const char *cell, struct err *err)
{
    if (t->n == t->room) {
        size_t room = t->room * 2 + 64;
        const char **grown = reallocarray(t->cells, room, sizeof *grown);
        if (grown == NULL) {
            return ERR(err, ERR_TRANSIENT, errno, "out of memory");
        }
        t->cells = grown;
        t->room = room;
    }
    t->cells[t->n++] = cell;
    return 0;
}

struct reader {
    char *from, *to, *end; /* read and write position in the same text: a cell never grows */
    char separator;
    bool line_ends; /* after the cell just read */
};

/* One field: *cell begins at r->to and is terminated. */
static int read_cell(struct reader *r, const char **cell, struct err *err)
{
    bool quoted = r->from < r->end && *r->from == '"';
    *cell = r->to;
    if (quoted) {
        r->from++;
        for (;; r->from++) {
            if (r->from >= r->end) {
                return ERR(err, ERR_INVALID, 0, "a quote is not closed: the file is cut");
            }
            if (*r->from == '"' && (r->from + 1 >= r->end || r->from[1] != '"')) {
                r->from++;
                break;
            }
            r->from += *r->from == '"' ? 1 : 0;
            *r->to++ = *r->from;
        }
    }
    while (r->from < r->end && *r->from != r->separator && *r->from != '\n') {
        *r->to++ = *r->from++;
    }
    if (r->from >= r->end) {
        return ERR(err, ERR_INVALID, 0, "the last line has no end: the file is cut");
    }
    r->line_ends = *r->from == '\n';
    if (r->line_ends && r->to > *cell && r->to[-1] == '\r') {
        r->to--;
    }
    r->from++;
    *r->to++ = '\0'; /* in the place of the separator */
    return 0;
}

static int read_row(struct table *t, struct reader *r, struct err *err)
{
    size_t fields = 0;
    do {
        const char *cell = NULL;
        if (read_cell(r, &cell, err) != 0 || add_cell(t, cell, err) != 0) {
            return -1;
        }
        fields++;
    } while (!r->line_ends && fields <= COLUMNS_MAX);
    if (t->columns == 0) {
        t->columns = fields;
        return fields <= COLUMNS_MAX
                   ? 0
                   : ERR(err, ERR_INVALID, 0, "more than %d columns", COLUMNS_MAX);
    }
    t->rows++;
    if (fields != t->columns) {
        return ERR(err, ERR_INVALID, 0, "row %zu has %zu fields, the header has %zu: %s", t->rows,
                   fields, t->columns, fields < t->columns ? "the file is cut" : "no such table");
    }
    return 0;
}

struct table *table_parse(const char *text, size_t len, char separator, struct err *err)
{
    AUTO(table_free) struct table *t = calloc(1, sizeof *t);
    if (t != NULL) {
        t->text = malloc(len + 1);
    }
    if (t == NULL || t->text == NULL) {
        ERR(err, ERR_TRANSIENT, errno, "out of memory");
        return NULL;
    }
    bool mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    size_t used = mark ? len - 3 : len;
    memcpy(t->text, text + (mark ? 3 : 0), used);
    t->text[used] = '\0';
    struct reader r = {
        .from = t->text, .to = t->text, .end = t->text + used, .separator = separator};
    while (r.from < r.end) {
        if (read_row(t, &r, err) != 0) {
            return NULL;
        }
    }
    if (t->columns == 0) {
        ERR(err, ERR_INVALID, 0, "the file is empty");
        return NULL;
    }
    return TAKE(t);
}

struct table *table_read(const char *path, char separator, struct err *err)
{
    size_t len = 0;
    AUTO(free) char *text = fs_read(path, TABLE_MAX_BYTES, &len, err);
    struct table *t = text != NULL ? table_parse(text, len, separator, err) : NULL;
    if (text != NULL && t == NULL) {
        err_context(err, "%s", path);
    }
    return t;
}

size_t table_rows(const struct table *t)
{
    return t->rows;
}

int table_column(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->columns; i++) {
        if (strcmp(t->cells[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *table_cell(const struct table *t, size_t row, int column)
{
    return t->cells[(row + 1) * t->columns + (size_t)column];
}

int table_number(const struct table *t, size_t row, int column, double *out, struct err *err)
{
    static const char *const none[] = {"NA", "N/A", "#N/A", "null"};
    const char *text = table_cell(t, row, column);
    char *end = NULL;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (strcmp(text, none[i]) == 0) {
            *out = (double)NAN;
            return 0;
        }
    }
    *out = strtod(text, &end);
    if (end == text || !isfinite(*out)) {
        *out = (double)NAN;
    }
    return end[strspn(end, " ")] == '\0'
               ? 0
               : ERR(err, ERR_INVALID, 0, "column %s, row %zu: \"%.40s\" is no number",
                     t->cells[column], row + 1, text);
}
