/*
 * table.h - small tables as the quantification software writes them: TSV and CSV, UTF-8 with or
 * without a byte order mark or UTF-16 with one, CRLF, quotes, and the semicolons and decimal commas
 * of half of Europe. A table that was cut is an error. Immutable once read.
 */
#ifndef WORKERS_QUANT_TABLE_H
#define WORKERS_QUANT_TABLE_H
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/own.h"

#define TABLE_MAX_BYTES (64u * 1024 * 1024)

struct table; /* opaque; defined in table.c */

/*
 * The separator is the one of comma, semicolon and tab that the header has most of; comma when it
 * has none. Where it is no comma and no number of the table has a point, a number may have a
 * decimal comma.
 */
#define TABLE_DETECT '\0'

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
size_t table_columns(const struct table *t) __attribute__((nonnull));
/* What the header says of a column. Borrowed from the table. */
const char *table_header(const struct table *t, size_t column)
    __attribute__((nonnull, returns_nonnull));
/* The first column of this name; -1 when there is none. */
int table_column(const struct table *t, const char *name) __attribute__((nonnull));
/* The same; spaces and the case of letters do not count ("Mean Total Area" is MeanTotalArea). */
int table_caption(const struct table *t, const char *name) __attribute__((nonnull));
/* Borrowed from the table. */
const char *table_cell(const struct table *t, size_t row, int column)
    __attribute__((nonnull, returns_nonnull));
/* *out = the number in a cell ("12.5%" is 0.125); NAN when it is empty, infinite or one of the
 * words for "no value" that pandas, R, .NET and Excel write, in any case. INVALID for other text,
 * and for a decimal comma where a comma may mean something else. */
int table_number(const struct table *t, size_t row, int column, double *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
