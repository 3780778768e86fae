#include "msqc/tdf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ban.h" /* last: system headers declare what it forbids */

#define HEADER_BYTES 100

static uint32_t big_endian(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/*
 * https://www.sqlite.org/fileformat.html: the page size is at 16 (1 means 65536), the number of
 * pages at 28; that number counts only if the change counters at 24 and 92 agree. SQLite itself
 * notices a missing end only when a query happens to touch it.
 */
static int check_header(const unsigned char *header, uint64_t file_bytes, struct err *err)
{
    if (memcmp(header, "SQLite format 3", 16) != 0) {
        return ERR(err, ERR_INVALID, 0, "is not a SQLite file");
    }
    uint32_t page = big_endian(header + 16, 2);
    uint64_t declared = (uint64_t)big_endian(header + 28, 4) * (page == 1 ? 65536 : page);
    bool valid = big_endian(header + 24, 4) == big_endian(header + 92, 4);
    if (valid && file_bytes < declared) {
        return ERR(err, ERR_INVALID, 0,
                   "is cut short: its header says %" PRIu64 " bytes, there are %" PRIu64, declared,
                   file_bytes);
    }
    return 0;
}

static int check_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, errno == ENOENT ? ERR_INVALID : ERR_TRANSIENT, errno,
                   "cannot be opened: %m");
    }
    unsigned char header[HEADER_BYTES];
    struct stat st;
    ssize_t n = -1;
    if (fstat(fd, &st) != 0 || (n = pread(fd, header, sizeof header, 0)) < 0) {
        ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m");
    }
    close(fd);
    if (n < 0) {
        return -1;
    }
    if (n < HEADER_BYTES) {
        return ERR(err, ERR_INVALID, 0, "is cut short: %zd bytes are no SQLite file", n);
    }
    return check_header(header, (uint64_t)st.st_size, err);
}

static bool companion_holds_data(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s%s", path, suffix);
    return n > 0 && n < PATH_MAX && stat(name, &st) == 0 && st.st_size > 0;
}

/* The path as a URI, every unusual byte as %XX. */
static int make_uri(const char *path, bool immutable, char *uri, size_t room)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t used = (size_t)snprintf(uri, room, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        if (used + 32 > room) {
            return -1;
        }
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/._-", *c) != NULL;
        if (plain) {
            uri[used++] = *c;
        } else {
            uri[used++] = '%';
            uri[used++] = hex[(unsigned char)*c >> 4];
            uri[used++] = hex[(unsigned char)*c & 15];
        }
    }
    snprintf(uri + used, room - used, "?mode=ro%s", immutable ? "&immutable=1" : "");
    return 0;
}

/*
 * An untrusted file: no functions out of its schema, no writing of the schema, checked cells.
 * Reading the schema here makes a journal or a damaged schema an error of opening.
 */
static int prepare_reading(sqlite3 *db)
{
    int ok = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
             sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
             sqlite3_exec(db, "PRAGMA cell_size_check = ON; SELECT count(*) FROM sqlite_master",
                          NULL, NULL, NULL) == SQLITE_OK;
    return ok ? 0 : -1;
}

sqlite3 *tdf_open(const char *path, struct err *err)
{
    if (check_file(path, err) != 0) {
        err_context(err, "%.180s", path);
        return NULL;
    }
    /*
     * Immutable needs no locks (network shares) and makes no -shm file in the folder, but looks at
     * neither the write-ahead log nor the roll-back journal: only when these hold nothing.
     */
    bool immutable = !companion_holds_data(path, "-wal") && !companion_holds_data(path, "-journal");
    char uri[3 * PATH_MAX + 64];
    if (make_uri(path, immutable, uri, sizeof uri) != 0) {
        ERR(err, ERR_INVALID, ENAMETOOLONG, "the name of the raw folder is too long");
        return NULL;
    }
    AUTO(sqlite3_close) sqlite3 *db = NULL;
    int status = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (status != SQLITE_OK || prepare_reading(db) != 0) {
        ERR(err, ERR_INVALID, status, "%.160s: cannot be opened: %.60s%s", path,
            db != NULL ? sqlite3_errmsg(db) : "out of memory",
            immutable ? "" : " (it has a journal: the acquisition or the copy was not finished)");
        return NULL;
    }
    return TAKE(db);
}

sqlite3_stmt *tdf_prepare(sqlite3 *db, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        ERR(err, ERR_INVALID, sqlite3_extended_errcode(db), "%.150s", sqlite3_errmsg(db));
        return NULL;
    }
    return statement;
}

int tdf_step(sqlite3_stmt *statement, struct err *err)
{
    int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        return 1;
    }
    if (status == SQLITE_DONE) {
        return 0;
    }
    return ERR(err, status == SQLITE_NOMEM ? ERR_FATAL : ERR_INVALID, status, "%.150s",
               sqlite3_errmsg(sqlite3_db_handle(statement)));
}

bool tdf_has_table(sqlite3 *db, const char *name)
{
    struct err ignored = {0}; /* a schema that cannot be read fails the next query as well */
    AUTO(sqlite3_finalize)
    sqlite3_stmt *statement = tdf_prepare(
        db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
        &ignored);
    return statement != NULL &&
           sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
           tdf_step(statement, &ignored) == 1;
}

double tdf_number(sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type(statement, column);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        return (double)NAN;
    }
    double value = sqlite3_column_double(statement, column);
    return isfinite(value) ? value : (double)NAN;
}
