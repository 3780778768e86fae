/*
 * table.h - rows under titles, fitted to a terminal: first columns that may shrink do, then those
 * of the highest rank are left out.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/own.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_WAIT, STYLE_DIM, STYLE_BOLD, STYLE_COUNT };

struct column { /* tables of columns end with {0} */
    const char *title;
    size_t min; /* the width down to which it may be cut; 0: never cut */
    int rank;   /* 0: always there; the highest is left out first */
    bool right; /* numbers */
};

struct table; /* opaque; defined in table.c */

/* NULL and TRANSIENT: out of memory. columns is borrowed. Freed with table_free. */
struct table *table_new(const struct column *columns, struct err *err) OWNED
    __attribute__((nonnull));
void table_free(struct table *t);
AUTO_DEFINE(struct table, table_free);

/* Add the next cell, row by row. Out of memory shows in table_print. */
void table_cell(struct table *t, enum style style, const char *text) __attribute__((nonnull));
void table_cellf(struct table *t, enum style style, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 3, 4)));

struct table_look {
    int width; /* of the terminal; 0: cut nothing */
    bool color;
};
/* -1 and TRANSIENT: out of memory; write errors show in ferror(out). */
int table_print(const struct table *t, const struct table_look *look, FILE *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* The escape sequences of a style, "" without colour. */
const char *style_on(enum style s, bool color) __attribute__((returns_nonnull));
const char *style_off(enum style s, bool color) __attribute__((returns_nonnull));
/* Write text in this style, without control characters. */
void style_put(FILE *out, enum style s, bool color, const char *text) __attribute__((nonnull));
/* The style of a status or a state. */
enum style style_of_state(const char *name) __attribute__((nonnull));
#endif
