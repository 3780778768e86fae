/*
 * tdf.h - opens the SQLite file of a Bruker folder (analysis.tdf) without changing the folder: no
 * lock, no -shm, no -journal appears in it. Threads: none.
 */
#ifndef MSQC_TDF_H
#define MSQC_TDF_H
#include <sqlite3.h>
#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "msqc/side.h"

/* More than any acquisition's index; a private copy of more is refused. */
#define TDF_COPY_MAX_BYTES ((uint64_t)16 << 30)

AUTO_DEFINE(sqlite3, sqlite3_close);
AUTO_DEFINE(sqlite3_stmt, sqlite3_finalize);

/* Which files the database that tdf_open() gives is made of. */
struct tdf_look {
    bool alone; /* in: without its side files, whatever they say, and only if its pages fit */
    struct side_finding side[SIDE_KIND_COUNT];
};

/* An open database. {0} is none, and tdf_close() of it does nothing. */
struct tdf {
    sqlite3 *db;
    void *copy; /* the mapped private copy, or NULL: tdf.c's own */
    size_t copy_bytes;
};

/*
 * Open read-only after checking that the file is SQLite and as long as its header says. What a side
 * file that belongs to it holds is read with it, from a private copy in $TMPDIR (else /tmp) that
 * has no name and is gone with the process. The caller calls tdf_close(). On failure: -1, *err set,
 * naming the file; TRANSIENT when the copy cannot be made; *tdf is {0}.
 */
int tdf_open(const char *path, struct tdf_look *look, struct tdf *tdf, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Statements of it must be gone. */
void tdf_close(struct tdf *tdf) __attribute__((nonnull));

/* Whether a side file was read with it. */
bool tdf_is_merged(const struct tdf_look *look) __attribute__((nonnull));

/* Whether there is a real table (not a view, which could hide an endless query) of that name. */
bool tdf_has_table(sqlite3 *db, const char *name) __attribute__((nonnull));

/* Whether the table has a column of that name. */
bool tdf_has_column(sqlite3 *db, const char *table, const char *column) __attribute__((nonnull));

/* A compiled statement that the caller owns (sqlite3_finalize). On failure: NULL, *err set. */
sqlite3_stmt *tdf_prepare(sqlite3 *db, const char *sql, struct err *err) OWNED
    __attribute__((nonnull));

/* 1: a row is there, 0: no more, -1: failure, *err set. */
int tdf_step(sqlite3_stmt *statement, struct err *err) __attribute__((nonnull, warn_unused_result));

/* A number of the current row, or NAN when the field is not a number. */
double tdf_number(sqlite3_stmt *statement, int column) __attribute__((nonnull));
#endif
