/*
 * side.h - the files that SQLite keeps beside a database while it is written: analysis.tdf-wal
 * (pages that are to replace older ones) and analysis.tdf-journal (what an unfinished change has
 * replaced). A copy of a folder may hold some that belong to another state of the database, which
 * SQLite itself would not notice. Threads: none.
 */
#ifndef MSQC_SIDE_H
#define MSQC_SIDE_H
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

#define SIDE_HEADER_BYTES 100

/* What the first page of a database says; https://www.sqlite.org/fileformat.html, 1.3. */
struct side_database {
    uint32_t page_bytes;
    bool wal_mode;    /* only then can a write-ahead log belong to it */
    uint32_t counter; /* of changes; never runs backwards */
    uint32_t pages;   /* how many there are; 0: not told */
};

/* False when these bytes begin no SQLite file. */
bool side_read_header(const unsigned char header[SIDE_HEADER_BYTES], struct side_database *db)
    __attribute__((nonnull));

enum side_kind { SIDE_WAL, SIDE_JOURNAL, SIDE_KIND_COUNT };
enum side_verdict {
    SIDE_NOTHING, /* there is none, or it holds nothing that SQLite would use */
    SIDE_STALE,   /* it belongs to another state of the database, or to another one */
    SIDE_BELONGS  /* the database is what it says only with this file */
};

struct side_finding {
    enum side_verdict verdict;
    uint64_t bytes; /* of the database with it */
};

/*
 * Judge the file beside the database at path. On failure (it cannot be read): -1, *err set, naming
 * the file.
 */
int side_judge(const char *path, enum side_kind kind, const struct side_database *db,
               struct side_finding *finding, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Carry out on fd, a copy of the database, what the file holds that side_judge() says belongs.
 * On failure: -1, *err set.
 */
int side_apply(const char *path, enum side_kind kind, const struct side_database *db, int fd,
               struct err *err) __attribute__((nonnull, warn_unused_result));

/* "-wal", "-journal". */
const char *side_suffix(enum side_kind kind) __attribute__((returns_nonnull));
#endif
