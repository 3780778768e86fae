/*
 * table.c - rows under titles, fitted to a terminal.
 *
 * Cells are collected row by row; table_print measures them. If the table is too wide even with
 * every column at its minimum, columns are left out, the highest rank first; then the widest
 * columns are narrowed until it fits. An allocation that fails is reported once, by table_print.
 */
#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/human.h"

#define COLUMNS_MAX 12
#define GAP         2 /* blanks between columns */

struct cell {
    char *text;
    enum style style;
};

struct table {
    const struct column *columns;
    size_t n_columns;
    struct cell *cells;
    size_t n, room;
    bool failed; /* out of memory */
};

struct table *table_new(const struct column *columns, struct err *err)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_no_memory(err);
        return NULL;
    }
    t->columns = columns;
    while (columns[t->n_columns].title != NULL && t->n_columns < COLUMNS_MAX) {
        t->n_columns++;
    }
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        free(t->cells[i].text);
    }
    free(t->cells);
    free(t);
}

static void add_cell(struct table *t, enum style style, char *text)
{
    if (t->n == t->room) {
        size_t room = t->room > 0 ? t->room * 2 : 64;
        struct cell *cells = reallocarray(t->cells, room, sizeof *cells);
        if (cells == NULL) {
            free(text);
            t->failed = true;
            return;
        }
        t->cells = cells;
        t->room = room;
    }
    t->failed = t->failed || text == NULL;
    t->cells[t->n++] = (struct cell){.text = text, .style = style};
}

void table_cell(struct table *t, enum style style, const char *text)
{
    add_cell(t, style, strdup(text));
}

void table_cellf(struct table *t, enum style style, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    add_cell(t, style, n < 0 ? NULL : text);
}

const char *style_on(enum style s, bool color)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",        [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[31m",
        [STYLE_WAIT] = "\033[33m", [STYLE_DIM] = "\033[2m",   [STYLE_BOLD] = "\033[1m",
    };
    static_assert(sizeof codes / sizeof *codes == STYLE_COUNT, "a code for every style");
    return color ? codes[s] : "";
}

const char *style_off(enum style s, bool color)
{
    return color && s != STYLE_PLAIN ? "\033[0m" : "";
}

void style_put(FILE *out, enum style s, bool color, const char *text)
{
    fputs(style_on(s, color), out);
    text_put(out, text);
    fputs(style_off(s, color), out);
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

enum style style_of_state(const char *name)
{
    static const char *const good[] = {"done", "done_not_quanted", "ok", NULL};
    static const char *const bad[] = {"error",
                                      "acquisition_failed",
                                      "quanting_failed",
                                      "failed",
                                      "dead",
                                      "damaged",
                                      "missing",
                                      "empty",
                                      "wrong",
                                      "read_only",
                                      "stale",
                                      "hangs",
                                      "full",
                                      "uninitialised",
                                      NULL};
    static const char *const dim[] = {"ignored", "cancelled", "skipped", NULL};
    return is_one_of(name, good)  ? STYLE_GOOD
           : is_one_of(name, bad) ? STYLE_BAD
           : is_one_of(name, dim) ? STYLE_DIM
                                  : STYLE_WAIT;
}

/* Widths as wide as the widest cell; 0: the column is left out. */
static void measure_columns(const struct table *t, size_t *widths)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        widths[c] = text_width(t->columns[c].title);
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t w = t->cells[i].text != NULL ? text_width(t->cells[i].text) : 0;
        if (w > widths[i % t->n_columns]) {
            widths[i % t->n_columns] = w;
        }
    }
}

static size_t total_width(const size_t *widths, size_t n)
{
    size_t sum = 0;
    for (size_t c = 0; c < n; c++) {
        sum += widths[c] > 0 ? widths[c] + GAP : 0;
    }
    return sum >= GAP ? sum - GAP : 0;
}

/* Narrow the column that is most above its minimum; false when all are at their minimum. */
static bool shrink_columns(const struct table *t, size_t *widths, size_t by)
{
    size_t widest = t->n_columns;
    size_t most = 0;
    for (size_t c = 0; c < t->n_columns; c++) {
        size_t min = t->columns[c].min;
        if (min > 0 && widths[c] > min && widths[c] - min > most) {
            most = widths[c] - min;
            widest = c;
        }
    }
    if (widest == t->n_columns) {
        return false;
    }
    widths[widest] -= by < most ? by : most;
    return true;
}

static bool leave_out_column(const struct table *t, size_t *widths)
{
    size_t last = t->n_columns;
    for (size_t c = 0; c < t->n_columns; c++) {
        if (widths[c] > 0 && t->columns[c].rank > 0 &&
            (last == t->n_columns || t->columns[c].rank > t->columns[last].rank)) {
            last = c;
        }
    }
    if (last == t->n_columns) {
        return false;
    }
    widths[last] = 0;
    return true;
}

/* Whether the table fits when every column is cut to its minimum. */
static bool can_fit(const struct table *t, const size_t *widths, size_t room)
{
    size_t least[COLUMNS_MAX] = {0};
    for (size_t c = 0; c < t->n_columns; c++) {
        size_t min = t->columns[c].min;
        least[c] = min > 0 && widths[c] > min ? min : widths[c];
    }
    return total_width(least, t->n_columns) <= room;
}

static void fit_columns(const struct table *t, size_t *widths, size_t room)
{
    while (!can_fit(t, widths, room) && leave_out_column(t, widths)) {
    }
    size_t sum = total_width(widths, t->n_columns);
    while (sum > room && shrink_columns(t, widths, sum - room)) {
        sum = total_width(widths, t->n_columns);
    }
}

struct line {
    const struct table *t;
    const size_t *widths;
    bool color;
    FILE *out;
};

static int print_cell(const struct line *l, size_t column, const struct cell *cell, bool last)
{
    char *shown = text_fit(cell->text, l->widths[column]);
    if (shown == NULL) {
        return -1;
    }
    size_t blank = l->widths[column] - text_width(shown);
    bool right = l->t->columns[column].right;
    fprintf(l->out, "%*s%s%s%s", right ? (int)blank : 0, "", style_on(cell->style, l->color), shown,
            style_off(cell->style, l->color));
    if (!last) {
        fprintf(l->out, "%*s", (right ? 0 : (int)blank) + GAP, "");
    }
    free(shown);
    return 0;
}

static int print_line(const struct line *l, const struct cell *cells)
{
    size_t end = l->t->n_columns;
    while (end > 0 && (l->widths[end - 1] == 0 || cells[end - 1].text[0] == '\0')) {
        end--;
    }
    for (size_t c = 0; c < end; c++) {
        if (l->widths[c] > 0 && print_cell(l, c, &cells[c], c + 1 == end) != 0) {
            return -1;
        }
    }
    fputc('\n', l->out);
    return 0;
}

static int print_titles(const struct line *l)
{
    struct cell cells[COLUMNS_MAX];
    char titles[COLUMNS_MAX][TEXT_SHORT];
    for (size_t c = 0; c < l->t->n_columns; c++) {
        snprintf(titles[c], sizeof titles[c], "%s", l->t->columns[c].title);
        cells[c] = (struct cell){.text = titles[c], .style = STYLE_BOLD};
    }
    return print_line(l, cells);
}

int table_print(const struct table *t, const struct table_look *look, FILE *out, struct err *err)
{
    size_t widths[COLUMNS_MAX] = {0};
    if (t->failed) {
        return err_no_memory(err);
    }
    measure_columns(t, widths);
    if (look->width > 0) {
        fit_columns(t, widths, (size_t)look->width);
    }
    struct line l = {.t = t, .widths = widths, .color = look->color, .out = out};
    int rc = print_titles(&l);
    for (size_t i = 0; rc == 0 && i + t->n_columns <= t->n; i += t->n_columns) {
        rc = print_line(&l, &t->cells[i]);
    }
    return rc == 0 ? 0 : err_no_memory(err);
}
