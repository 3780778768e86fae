/*
 * table.h - small tables as the quantification software writes them: TSV and CSV, with or without a
 * byte order mark, CRLF, quotes. A table that was cut is an error. Immutable once read.
 */
#ifndef WORKERS_QUANT_TABLE_H
#define WORKERS_QUANT_TABLE_H
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define TABLE_MAX_BYTES (64u * 1024 * 1024)

struct table; /* opaque; defined in table.c */

/* Reads text of len bytes. NULL and INVALID for a table without header, with a row that has more or
 * fewer fields than the header, with an open quote, or without a line break at its end. */
struct table *table_parse(const char *text, size_t len, char separator, struct err *err) OWNED
    __attribute__((nonnull));
/* The same from a file. INVALID names the file. Freed with table_free. */
struct table *table_read(const char *path, char separator, struct err *err) OWNED
    __attribute__((nonnull));
void table_free(struct table *t);
AUTO_DEFINE(struct table, table_free);

size_t table_rows(const struct table *t) __attribute__((nonnull));
/* The first column of this name; -1 when there is none. */
int table_column(const struct table *t, const char *name) __attribute__((nonnull));
/* Borrowed from the table. */
const char *table_cell(const struct table *t, size_t row, int column)
    __attribute__((nonnull, returns_nonnull));
/* *out = the number in a cell; NAN when it is empty, "NaN", "NA", "#N/A", infinite. INVALID for
 * other text, for instance a decimal comma. */
int table_number(const struct table *t, size_t row, int column, double *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
