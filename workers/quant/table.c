/*
 * table.c - TSV and CSV, cut in place. The text is decoded to UTF-8 into one block, and the cells
 * are cut in place: read_cell writes unquoted text over what it has read, which never gets longer,
 * and ends it with a NUL. cells[] points into that block, row by row, the header first.
 *
 * A row that has another number of fields than the header, an open quote and a last line without
 * its end mean a file that is still being written or was cut, and are errors. table_number knows
 * the words that software writes for "no value", percent signs, and decimal commas where no other
 * reading is possible.
 */
#include "workers/quant/table.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/fs.h"

#define COLUMNS_MAX 4096
#define NUMBER_MAX  64

struct table {
    char *text;         /* cells, each terminated, where the file's fields were */
    const char **cells; /* row by row; the header first */
    size_t n, room;
    size_t columns, rows;
    bool decimal_comma;
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
            return err_no_memory(err);
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

/* A copy of the text as UTF-8 without its byte order mark; free(). */
static char *decode(const char *text, size_t len, size_t *used, struct err *err)
{
    bool little = len >= 2 && memcmp(text, "\xff\xfe", 2) == 0;
    bool big = len >= 2 && memcmp(text, "\xfe\xff", 2) == 0;
    bool marked = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    size_t skip = little || big ? 2 : marked ? 3 : 0;
    size_t room = little || big ? 2 * len : len; /* 2 bytes become 3 at most */
    AUTO(free) char *out = malloc(room + 1);
    if (out == NULL) {
        err_no_memory(err);
        return NULL;
    }
    *used = len - skip;
    memcpy(out, text + skip, *used);
    if (little || big) {
        iconv_t as = iconv_open("UTF-8", little ? "UTF-16LE" : "UTF-16BE");
        AUTO(free) char *copy = TAKE(out);
        char *from = copy, *to = out = malloc(room + 1);
        size_t left = *used, free_bytes = room;
        bool good = as != (iconv_t)-1 && out != NULL &&
                    iconv(as, &from, &left, &to, &free_bytes) != (size_t)-1;
        if (as != (iconv_t)-1) {
            iconv_close(as);
        }
        if (!good) {
            ERR(err, ERR_INVALID, EILSEQ, "is damaged or cut: its UTF-16 text cannot be read");
            return NULL;
        }
        *used = room - free_bytes;
    }
    out[*used] = '\0';
    return TAKE(out);
}

static char detect_separator(const char *text, size_t len)
{
    static const char candidates[] = ",;\t";
    size_t counts[sizeof candidates] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < len && (quoted || text[i] != '\n'); i++) {
        const char *at = text[i] != '\0' ? strchr(candidates, text[i]) : NULL;
        quoted = quoted != (text[i] == '"');
        if (at != NULL && !quoted) {
            counts[at - candidates]++;
        }
    }
    for (size_t i = 1; candidates[i] != '\0'; i++) {
        best = counts[i] > counts[best] ? i : best;
    }
    return candidates[best];
}

static bool has_decimal_point(const char *cell)
{
    char *end = NULL;
    return strchr(cell, '.') != NULL && isfinite(strtod(cell, &end)) && end != cell && *end == '\0';
}

/* "1,234" beside "5.1" would be one thousand. */
static bool points_stand_in(const struct table *t)
{
    for (size_t i = t->columns; i < t->n; i++) {
        if (has_decimal_point(t->cells[i])) {
            return true;
        }
    }
    return false;
}

struct table *table_parse(const char *text, size_t len, char separator, struct err *err)
{
    size_t used = 0;
    AUTO(table_free) struct table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_no_memory(err);
        return NULL;
    }
    if ((t->text = decode(text, len, &used, err)) == NULL) {
        return NULL;
    }
    if (memchr(t->text, '\0', used) != NULL) { /* a cell would end there */
        ERR(err, ERR_INVALID, EILSEQ, "is damaged or not filled yet: it holds zero bytes");
        return NULL;
    }
    bool detect = separator == TABLE_DETECT;
    struct reader r = {.from = t->text,
                       .to = t->text,
                       .end = t->text + used,
                       .separator = detect ? detect_separator(t->text, used) : separator};
    while (r.from < r.end) {
        if (read_row(t, &r, err) != 0) {
            return NULL;
        }
    }
    if (t->columns == 0) {
        ERR(err, ERR_INVALID, 0, "the file is empty");
        return NULL;
    }
    t->decimal_comma = detect && r.separator != ',' && !points_stand_in(t);
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

size_t table_columns(const struct table *t)
{
    return t->columns;
}

const char *table_header(const struct table *t, size_t column)
{
    return t->cells[column];
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

static bool same_caption(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
    }
}

int table_caption(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->columns; i++) {
        if (same_caption(t->cells[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

const char *table_cell(const struct table *t, size_t row, int column)
{
    return t->cells[(row + 1) * t->columns + (size_t)column];
}

/* Besides what strtod() takes for no number; pandas.read_csv() knows these words. */
static bool is_no_value(const char *text)
{
    static const char *const words[] = {"NA",      "N/A",    "#N/A",    "#N/A N/A",
                                        "#NA",     "<NA>",   "None",    "null",
                                        "-1.#IND", "1.#IND", "1.#QNAN", "-1.#QNAN"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A cell without the spaces around it and, where that is one, with its decimal comma as a point. */
static bool plain_number(const struct table *t, const char *cell, char text[NUMBER_MAX])
{
    cell += strspn(cell, " ");
    size_t len = strlen(cell);
    while (len > 0 && cell[len - 1] == ' ') {
        len--;
    }
    if (len >= NUMBER_MAX) {
        return false;
    }
    memcpy(text, cell, len);
    text[len] = '\0';
    char *comma = strchr(text, ',');
    if (t->decimal_comma && comma != NULL) {
        *comma = '.';
    }
    return true;
}

/* What may follow a number: nothing, or a percent sign, after a space as some languages have it. */
static bool is_percent(const char *rest)
{
    rest += strspn(rest, " \xc2\xa0\xe2\x80\xaf");
    return strcmp(rest, "%") == 0;
}

int table_number(const struct table *t, size_t row, int column, double *out, struct err *err)
{
    const char *cell = table_cell(t, row, column);
    char text[NUMBER_MAX];
    char *end = text;
    bool fits = plain_number(t, cell, text);
    *out = (double)NAN;
    if (fits && (text[0] == '\0' || is_no_value(text))) {
        return 0;
    }
    double value = fits ? strtod(text, &end) : 0;
    bool percent = end != text && is_percent(end);
    if (end == text || (*end != '\0' && !percent)) {
        return ERR(err, ERR_INVALID, 0, "column %s, row %zu: \"%.40s\" is no number",
                   t->cells[column], row + 1, cell);
    }
    *out = !isfinite(value) ? (double)NAN : percent ? value / 100 : value;
    return 0;
}
