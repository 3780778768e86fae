/*
 * side.c - SQLite's write-ahead log and roll-back journal, as its file format describes them:
 * https://www.sqlite.org/fileformat.html, sections 3 and 4.
 *
 * Both are walked page by page in the same way; a walk ends at the first page whose salts or check
 * sum are not those of the file's header. Judging walks and looks only at page 1, which holds the
 * counter of changes; applying walks again and writes. What decides:
 *
 *   log      the database must be in WAL mode, which it is marked with before the first page goes
 *            to a log, and until the last log is gone; pages of the same size; a counter that is
 *            not behind the database's
 *   journal  pages of the same size; it keeps page 1 as it was before the change, so its counter
 *            is the database's, or one less where the changed page 1 is written already
 *
 * Without page 1 in the file the number of pages must be the database's.
 */
#include "msqc/side.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/own.h"

#define WAL_HEADER     32
#define WAL_FRAME      24
#define WAL_MAGIC      0x377f0682u /* with the lowest bit: check sums of big-endian words */
#define WAL_VERSION    3007000u
#define JOURNAL_HEADER 28
#define COUNTER_OFFSET 24
#define MAX_PAGE_BYTES 65536u
#define MAX_SECTOR     65536u

static const char *const suffixes[] = {[SIDE_WAL] = "-wal", [SIDE_JOURNAL] = "-journal"};
_Static_assert(sizeof suffixes / sizeof *suffixes == SIDE_KIND_COUNT, "a suffix for every kind");

static const unsigned char journal_magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

const char *side_suffix(enum side_kind kind)
{
    return suffixes[kind];
}

static uint32_t big_endian(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint32_t word(const unsigned char *at)
{
    return big_endian(at, 4);
}

static bool is_page_size(uint32_t bytes)
{
    return bytes >= 512 && bytes <= MAX_PAGE_BYTES && (bytes & (bytes - 1)) == 0;
}

bool side_read_header(const unsigned char header[SIDE_HEADER_BYTES], struct side_database *db)
{
    uint32_t page = big_endian(header + 16, 2);
    *db = (struct side_database){.page_bytes = page == 1 ? MAX_PAGE_BYTES : page,
                                 .wal_mode = header[18] == 2 && header[19] == 2,
                                 .counter = word(header + COUNTER_OFFSET)};
    /* The number of pages counts only where the change that it was written with is the last one. */
    if (word(header + 92) == db->counter) {
        db->pages = word(header + 28);
    }
    return memcmp(header, "SQLite format 3", 16) == 0 && is_page_size(db->page_bytes);
}

/* --- walking --- */

struct walk {
    int fd;   /* of the side file; the caller's */
    int copy; /* where pages are written; -1: nowhere */
    off_t at; /* of the next page's head */
    const struct side_database *db;
    unsigned char *page;
    uint32_t number;      /* of the page just read */
    uint32_t pages_after; /* of the database: log: after the last whole change, journal: before */
    bool changes;         /* at least one whole change, or page, was seen */
    bool page_1;
    uint32_t counter; /* of the last page 1 that counts, log; of page 1, journal */
    /* log */
    uint32_t salt[2], sum[2];
    bool big_sums;
    off_t whole; /* where the last whole change ends */
    /* journal */
    uint32_t nonce, records, sector;
};

/* Exactly size bytes; false at the end of the file. On a failure *err is set, too. */
static bool read_at(const struct walk *w, void *to, size_t size, off_t at, struct err *err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(w->fd, (char *)to + done, size - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            ERR(err, ERR_TRANSIENT, errno, "cannot be read: %m");
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static int write_page(const struct walk *w, struct err *err)
{
    off_t at = (off_t)(w->number - 1) * (off_t)w->db->page_bytes;
    size_t size = w->db->page_bytes;
    if (w->number > w->pages_after) {
        return 0; /* the database has shrunk since */
    }
    if (pwrite(w->copy, w->page, size, at) != (ssize_t)size) {
        return ERR(err, ERR_TRANSIENT, errno, "the private copy cannot be written: %m");
    }
    return 0;
}

/* --- the write-ahead log --- */

static void sum_up(const struct walk *w, const unsigned char *at, size_t size, uint32_t sum[2])
{
    for (size_t i = 0; i < size; i += 8) {
        uint32_t a = word(at + i), b = word(at + i + 4);
        sum[0] += (w->big_sums ? a : __builtin_bswap32(a)) + sum[1];
        sum[1] += (w->big_sums ? b : __builtin_bswap32(b)) + sum[0];
    }
}

static bool begin_log(struct walk *w, struct err *err)
{
    unsigned char head[WAL_HEADER];
    if (!read_at(w, head, sizeof head, 0, err) || (word(head) & ~1u) != WAL_MAGIC ||
        word(head + 4) != WAL_VERSION || word(head + 8) != w->db->page_bytes) {
        return false;
    }
    w->big_sums = (word(head) & 1) != 0;
    w->salt[0] = word(head + 16);
    w->salt[1] = word(head + 20);
    sum_up(w, head, WAL_HEADER - 8, w->sum);
    w->at = WAL_HEADER;
    return w->sum[0] == word(head + 24) && w->sum[1] == word(head + 28);
}

/* The next page of the log; *pages: how many the database has after this change, 0 within one. */
static bool next_of_log(struct walk *w, uint32_t *pages, struct err *err)
{
    unsigned char head[WAL_FRAME];
    size_t size = w->db->page_bytes;
    if (!read_at(w, head, sizeof head, w->at, err) ||
        !read_at(w, w->page, size, w->at + WAL_FRAME, err)) {
        return false;
    }
    sum_up(w, head, 8, w->sum);
    sum_up(w, w->page, size, w->sum);
    w->number = word(head);
    *pages = word(head + 4);
    w->at += WAL_FRAME + (off_t)size;
    return w->number > 0 && word(head + 8) == w->salt[0] && word(head + 12) == w->salt[1] &&
           word(head + 16) == w->sum[0] && word(head + 20) == w->sum[1];
}

static void judge_log(struct walk *w, struct err *err)
{
    uint32_t pages = 0, counter = 0;
    bool page_1 = false;
    for (bool good = begin_log(w, err); good && next_of_log(w, &pages, err);) {
        if (w->number == 1) {
            page_1 = true;
            counter = word(w->page + COUNTER_OFFSET);
        }
        if (pages > 0) {
            w->changes = true;
            w->whole = w->at;
            w->pages_after = pages;
            w->page_1 = page_1;
            w->counter = counter;
        }
    }
}

static int apply_log(struct walk *w, struct err *err)
{
    const off_t whole = w->whole;
    uint32_t pages = 0;
    w->sum[0] = w->sum[1] = 0;
    bool good = begin_log(w, err);
    while (good && w->at < whole && next_of_log(w, &pages, err)) {
        if (write_page(w, err) != 0) {
            return -1;
        }
    }
    return w->at == whole ? 0 : ERR(err, ERR_TRANSIENT, 0, "changes while it is read");
}

/* --- the roll-back journal --- */

static bool begin_part(struct walk *w, off_t at, struct err *err)
{
    unsigned char head[JOURNAL_HEADER];
    if (!read_at(w, head, sizeof head, at, err) ||
        memcmp(head, journal_magic, sizeof journal_magic) != 0) {
        return false;
    }
    w->records = word(head + 8);
    w->nonce = word(head + 12);
    if (at == 0) {
        w->pages_after = word(head + 16);
        w->sector = word(head + 20);
        if (word(head + 24) != w->db->page_bytes || w->sector < 32 || w->sector > MAX_SECTOR ||
            (w->sector & (w->sector - 1)) != 0) {
            return false;
        }
    }
    w->at = at + (off_t)w->sector;
    return true;
}

static bool next_of_part(struct walk *w, struct err *err)
{
    unsigned char head[4], foot[4];
    const size_t size = w->db->page_bytes;
    if (!read_at(w, head, 4, w->at, err) || !read_at(w, w->page, size, w->at + 4, err) ||
        !read_at(w, foot, 4, w->at + 4 + (off_t)size, err)) {
        return false;
    }
    uint32_t sum = w->nonce;
    for (size_t i = size - 200; i > 0 && i < size; i -= 200) {
        sum += w->page[i];
    }
    w->number = word(head);
    w->at += 8 + (off_t)size;
    return w->number > 0 && word(foot) == sum;
}

/* Part after part; each begins at a whole sector and says how many pages it holds. */
static int walk_journal(struct walk *w, struct err *err)
{
    for (off_t at = 0; begin_part(w, at, err);) {
        w->changes = true;
        for (uint32_t i = 0; i < w->records; i++) {
            if (!next_of_part(w, err)) {
                return 0;
            }
            if (w->number == 1 && !w->page_1) {
                w->page_1 = true;
                w->counter = word(w->page + COUNTER_OFFSET);
            }
            if (w->copy >= 0 && write_page(w, err) != 0) {
                return -1;
            }
        }
        at = (w->at + (off_t)w->sector - 1) / (off_t)w->sector * (off_t)w->sector;
    }
    return 0;
}

/* --- both --- */

static enum side_verdict verdict_of(const struct walk *w, enum side_kind kind)
{
    const struct side_database *db = w->db;
    if (!w->changes) {
        return SIDE_NOTHING;
    }
    if (kind == SIDE_WAL && !db->wal_mode) {
        return SIDE_STALE;
    }
    if (!w->page_1) {
        return db->pages == 0 || w->pages_after == db->pages ? SIDE_BELONGS : SIDE_STALE;
    }
    uint32_t ahead = w->counter - db->counter; /* the counter may begin anew at 0 */
    bool fits = kind == SIDE_WAL ? ahead <= INT32_MAX : ahead == 0 || ahead == UINT32_MAX;
    return fits ? SIDE_BELONGS : SIDE_STALE;
}

/* Open the file and walk it once. *found is false when there is nothing to walk. */
static int begin(const char *path, enum side_kind kind, struct walk *w, bool *found,
                 struct err *err)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", path, suffixes[kind]);
    if (n < 0 || n >= PATH_MAX) {
        return ERR(err, ERR_INVALID, ENAMETOOLONG, "the name of the raw folder is too long");
    }
    w->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *found = w->fd >= 0;
    if (w->fd < 0) {
        return errno == ENOENT ? 0 : ERR(err, ERR_TRANSIENT, errno, "cannot be opened: %m");
    }
    w->page = malloc(w->db->page_bytes);
    if (w->page == NULL) {
        return ERR(err, ERR_FATAL, ENOMEM, "out of memory for a page");
    }
    if (kind == SIDE_WAL) {
        judge_log(w, err);
    } else if (walk_journal(w, err) != 0) {
        return -1;
    }
    return err->kind == ERR_NONE ? 0 : -1;
}

static int finish(struct walk *w, enum side_kind kind, int status, struct err *err)
{
    free(w->page);
    if (w->fd >= 0) {
        close(w->fd);
    }
    return status == 0 ? 0 : err_context(err, "analysis.tdf%s", suffixes[kind]);
}

int side_judge(const char *path, enum side_kind kind, const struct side_database *db,
               struct side_finding *finding, struct err *err)
{
    struct walk w = {.fd = -1, .copy = -1, .db = db};
    bool found = false;
    int status = begin(path, kind, &w, &found, err);
    finding->verdict = status == 0 && found ? verdict_of(&w, kind) : SIDE_NOTHING;
    finding->bytes = (uint64_t)w.pages_after * db->page_bytes;
    return finish(&w, kind, status, err);
}

int side_apply(const char *path, enum side_kind kind, const struct side_database *db, int fd,
               struct err *err)
{
    struct walk w = {.fd = -1, .copy = kind == SIDE_JOURNAL ? fd : -1, .db = db};
    bool found = false;
    int status = begin(path, kind, &w, &found, err);
    w.copy = fd;
    if (status == 0 && kind == SIDE_WAL) {
        status = apply_log(&w, err);
    }
    if (status == 0 && ftruncate(fd, (off_t)w.pages_after * (off_t)db->page_bytes) != 0) {
        status = ERR(err, ERR_TRANSIENT, errno, "the private copy cannot be cut: %m");
    }
    return finish(&w, kind, status, err);
}
