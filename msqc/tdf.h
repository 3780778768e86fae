/*
 * tdf.h - opens the SQLite file of a Bruker folder (analysis.tdf) without changing the folder.
 * Threads: none.
 */
#ifndef MSQC_TDF_H
#define MSQC_TDF_H
#include <sqlite3.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"

AUTO_DEFINE(sqlite3, sqlite3_close);
AUTO_DEFINE(sqlite3_stmt, sqlite3_finalize);

/*
 * Open read-only after checking that the file is SQLite and as long as its header says. The caller
 * owns it (sqlite3_close). On failure: NULL, *err set, naming the file.
 */
sqlite3 *tdf_open(const char *path, struct err *err) OWNED __attribute__((nonnull));

/* Whether there is a real table (not a view, which could hide an endless query) of that name. */
bool tdf_has_table(sqlite3 *db, const char *name) __attribute__((nonnull));

/* A compiled statement that the caller owns (sqlite3_finalize). On failure: NULL, *err set. */
sqlite3_stmt *tdf_prepare(sqlite3 *db, const char *sql, struct err *err) OWNED
    __attribute__((nonnull));

/* 1: a row is there, 0: no more, -1: failure, *err set. */
int tdf_step(sqlite3_stmt *statement, struct err *err) __attribute__((nonnull, warn_unused_result));

/* A number of the current row, or NAN when the field is not a number. */
double tdf_number(sqlite3_stmt *statement, int column) __attribute__((nonnull));
#endif
