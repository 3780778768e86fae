/*
 * tdf.c - the SQLite file of a Bruker folder, opened without touching the folder. The file lies on
 * a share that is not ours to write, so it is opened read-only and immutable: SQLite then takes no
 * lock and ignores side files (-wal, -journal). They are judged first (side.c). When none belongs
 * to the database, it is opened where it is. When one does, its content is needed: the database is
 * copied to a file without a name in TMPDIR, the side files are applied to the copy, and SQLite
 * reads that as memory.
 *
 * The header's size and, for a copy or a file read alone, every page are checked: SQLite itself
 * notices damage only where a query happens to touch it. The rest wraps statements so that errors
 * carry a kind.
 */
#include "msqc/tdf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_PIECE ((size_t)1 << 20)
#define URI_ROOM   (3 * PATH_MAX + 64)

/* --- the database itself --- */

/* fd's header and size. On failure: -1, *err set. */
static int read_header(int fd, struct side_database *database, uint64_t *bytes, struct err *err)
{
    unsigned char header[SIDE_HEADER_BYTES];
    struct stat st;
    ssize_t n = fstat(fd, &st) == 0 ? pread(fd, header, sizeof header, 0) : -1;
    if (n < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m");
    }
    if (n < SIDE_HEADER_BYTES) {
        return ERR(err, ERR_INVALID, 0, "is cut short: %zd bytes are no SQLite file", n);
    }
    *bytes = (uint64_t)st.st_size;
    return side_read_header(header, database) ? 0
                                              : ERR(err, ERR_INVALID, 0, "is not a SQLite file");
}

/* SQLite itself notices a missing end only when a query happens to touch it. */
static int check_size(int fd, struct err *err)
{
    struct side_database database;
    uint64_t bytes = 0;
    if (read_header(fd, &database, &bytes, err) != 0) {
        return -1;
    }
    uint64_t declared = (uint64_t)database.pages * database.page_bytes;
    if (bytes < declared) {
        return ERR(err, ERR_INVALID, 0,
                   "is cut short: its header says %" PRIu64 " bytes, there are %" PRIu64, declared,
                   bytes);
    }
    return 0;
}

/* --- a private copy --- */

/* A file without a name, of at most `bytes`. On failure: -1, *err set. */
static int open_nameless(uint64_t bytes, struct err *err)
{
    char path[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    folder = folder != NULL && *folder != '\0' ? folder : "/tmp";
    struct statvfs fs;
    if (bytes > TDF_COPY_MAX_BYTES) {
        return ERR(err, ERR_INVALID, EFBIG, "is too large for a private copy (%" PRIu64 " MiB)",
                   bytes >> 20);
    }
    int n = snprintf(path, sizeof path, "%s/trawl-msqc-XXXXXX", folder);
    if (n < 0 || n >= PATH_MAX || statvfs(folder, &fs) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot be copied to %.80s (TMPDIR): %m", folder);
    }
    if ((uint64_t)fs.f_bavail * fs.f_frsize < bytes) {
        return ERR(err, ERR_TRANSIENT, ENOSPC,
                   "needs a private copy of %" PRIu64 " MiB and %.80s has no room: set TMPDIR",
                   (bytes >> 20) + 1, folder);
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot be copied to %.80s (TMPDIR): %m", folder);
    }
    unlink(path); /* so it goes with the process, however that ends */
    return fd;
}

static int copy_bytes(int from, int to, uint64_t bytes, struct err *err)
{
    AUTO(free) char *piece = malloc(COPY_PIECE);
    if (piece == NULL) {
        return ERR(err, ERR_FATAL, ENOMEM, "out of memory for a read buffer");
    }
    for (uint64_t done = 0; done < bytes;) {
        size_t wanted = bytes - done < COPY_PIECE ? (size_t)(bytes - done) : COPY_PIECE;
        ssize_t n = pread(from, piece, wanted, (off_t)done);
        if (n <= 0) {
            return n < 0 ? ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m")
                         : ERR(err, ERR_TRANSIENT, 0, "shrinks while it is read");
        }
        if (pwrite(to, piece, (size_t)n, (off_t)done) != n) {
            return ERR(err, ERR_TRANSIENT, errno, "the private copy cannot be written: %m");
        }
        done += (uint64_t)n;
    }
    return 0;
}

/* The side files are in the copy now: it says itself that there is no log. */
static int leave_wal_mode(int fd, struct err *err)
{
    const unsigned char rollback[2] = {1, 1};
    return pwrite(fd, rollback, sizeof rollback, 18) == sizeof rollback
               ? 0
               : ERR(err, ERR_TRANSIENT, errno, "the private copy cannot be written: %m");
}

static int fill_copy(const char *path, int from, int to, const struct tdf_look *look,
                     struct err *err)
{
    /* A journal takes back what an unfinished change did; only then a log can go on from there. */
    static const enum side_kind order[] = {SIDE_JOURNAL, SIDE_WAL};
    struct side_database database;
    uint64_t bytes = 0;
    if (read_header(from, &database, &bytes, err) != 0 || copy_bytes(from, to, bytes, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (look->side[order[i]].verdict == SIDE_BELONGS &&
            side_apply(path, order[i], &database, to, err) != 0) {
            return -1;
        }
    }
    return leave_wal_mode(to, err);
}

/* The copy, or -1 and *err. */
static int make_copy(const char *path, int from, const struct tdf_look *look, struct err *err)
{
    struct stat st;
    if (fstat(from, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m");
    }
    uint64_t bytes = (uint64_t)st.st_size;
    for (int kind = 0; kind < SIDE_KIND_COUNT; kind++) {
        bytes = look->side[kind].bytes > bytes ? look->side[kind].bytes : bytes;
    }
    int to = open_nameless(bytes, err);
    if (to >= 0 && fill_copy(path, from, to, look, err) != 0) {
        close(to);
        return -1;
    }
    return to;
}

/* --- opening --- */

/* The path as a URI, every unusual byte as %XX. */
static int make_uri(const char *path, char *uri, size_t room)
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
    /* Immutable: no locks (network shares), no -shm file, and no look at side files. */
    snprintf(uri + used, room - used, "?mode=ro&immutable=1");
    return 0;
}

/*
 * An untrusted file: no functions out of its schema, no writing of the schema, checked cells, no
 * temporary files. Reading the schema here makes a damaged schema an error of opening.
 */
static int prepare_reading(sqlite3 *db)
{
    int ok = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
             sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
             sqlite3_exec(db,
                          "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;"
                          "SELECT count(*) FROM sqlite_master",
                          NULL, NULL, NULL) == SQLITE_OK;
    return ok ? 0 : -1;
}

/* Pages of another database among its own would show here. */
static int check_pages(sqlite3 *db, struct err *err)
{
    AUTO(sqlite3_finalize) sqlite3_stmt *check = tdf_prepare(db, "PRAGMA quick_check(1)", err);
    if (check == NULL || tdf_step(check, err) != 1) {
        return -1;
    }
    const char *found = (const char *)sqlite3_column_text(check, 0);
    return found != NULL && strcmp(found, "ok") == 0
               ? 0
               : ERR(err, ERR_INVALID, 0, "has pages that do not fit together: %.60s",
                     found != NULL ? found : "out of memory");
}

static sqlite3 *open_path(const char *path, struct err *err)
{
    char uri[URI_ROOM];
    if (make_uri(path, uri, sizeof uri) != 0) {
        ERR(err, ERR_INVALID, ENAMETOOLONG, "has too long a name");
        return NULL;
    }
    AUTO(sqlite3_close) sqlite3 *db = NULL;
    int status = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (status != SQLITE_OK || prepare_reading(db) != 0) {
        ERR(err, ERR_INVALID, status, "cannot be opened: %.60s",
            db != NULL ? sqlite3_errmsg(db) : "out of memory");
        return NULL;
    }
    return TAKE(db);
}

/* The copy as a database in memory, of which the file is the memory: it has no name to open. */
static int open_mapped(struct tdf *tdf, struct err *err)
{
    sqlite3_int64 bytes = (sqlite3_int64)tdf->copy_bytes;
    int status = sqlite3_open(":memory:", &tdf->db);
    if (status == SQLITE_OK) {
        status = sqlite3_deserialize(tdf->db, "main", tdf->copy, bytes, bytes,
                                     SQLITE_DESERIALIZE_READONLY);
    }
    if (status != SQLITE_OK || prepare_reading(tdf->db) != 0) {
        return ERR(err, ERR_INVALID, status, "cannot be opened: %.60s", sqlite3_errmsg(tdf->db));
    }
    return check_pages(tdf->db, err);
}

static int open_copy(const char *path, int fd, const struct tdf_look *look, struct tdf *tdf,
                     struct err *err)
{
    struct stat st;
    int copy = make_copy(path, fd, look, err);
    int status = copy >= 0 ? check_size(copy, err) : -1;
    if (status == 0 && fstat(copy, &st) == 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, copy, 0);
        tdf->copy = map != MAP_FAILED ? map : NULL;
        tdf->copy_bytes = (size_t)st.st_size;
    }
    if (copy >= 0) {
        close(copy);
    }
    if (status == 0 && tdf->copy == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "the private copy cannot be mapped: %m");
    }
    return status == 0 ? open_mapped(tdf, err) : -1;
}

bool tdf_is_merged(const struct tdf_look *look)
{
    return look->side[SIDE_WAL].verdict == SIDE_BELONGS ||
           look->side[SIDE_JOURNAL].verdict == SIDE_BELONGS;
}

static int judge_sides(const char *path, int fd, struct tdf_look *look, struct err *err)
{
    struct side_database database;
    uint64_t bytes = 0;
    if (read_header(fd, &database, &bytes, err) != 0) {
        return -1;
    }
    for (int kind = 0; kind < SIDE_KIND_COUNT; kind++) {
        look->side[kind] = (struct side_finding){.verdict = SIDE_NOTHING};
        if (!look->alone &&
            side_judge(path, (enum side_kind)kind, &database, &look->side[kind], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int open_fd(const char *path, int fd, struct tdf_look *look, struct tdf *tdf,
                   struct err *err)
{
    if (judge_sides(path, fd, look, err) != 0) {
        return -1;
    }
    if (tdf_is_merged(look)) {
        return open_copy(path, fd, look, tdf, err);
    }
    tdf->db = check_size(fd, err) == 0 ? open_path(path, err) : NULL;
    if (tdf->db != NULL && look->alone) {
        return check_pages(tdf->db, err);
    }
    return tdf->db != NULL ? 0 : -1;
}

int tdf_open(const char *path, struct tdf_look *look, struct tdf *tdf, struct err *err)
{
    int status = -1;
    *tdf = (struct tdf){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ERR(err, errno == ENOENT ? ERR_INVALID : ERR_TRANSIENT, errno, "cannot be opened: %m");
    } else {
        status = open_fd(path, fd, look, tdf, err);
        close(fd);
    }
    if (status != 0) {
        tdf_close(tdf);
        return err_context(err, "%.160s", path);
    }
    return 0;
}

void tdf_close(struct tdf *tdf)
{
    sqlite3_close(tdf->db);
    if (tdf->copy != NULL) {
        munmap(tdf->copy, tdf->copy_bytes);
    }
    *tdf = (struct tdf){0};
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

bool tdf_has_column(sqlite3 *db, const char *table, const char *column)
{
    return sqlite3_table_column_metadata(db, NULL, table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
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
