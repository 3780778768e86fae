/*
 * bruker.c - the index of a timsTOF acquisition (analysis.tdf, SQLite) gives its figures. It is one
 * of two files, and may have others beside it: which state of it is the right one, and whether it
 * is all of it, the data says (analysis.tdf_bin), frame after frame without a gap.
 */
#include "msqc/bruker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msqc/tdf.h"

/* Frames.MsMsType: 0 MS1; 2 MS/MS, 8 ddaPASEF, 9 diaPASEF, 10 prmPASEF are all MS2. */
static int level_of(double msms_type)
{
    if (isnan(msms_type)) {
        return 0;
    }
    switch ((int)fmax(-1, fmin(msms_type, 100))) {
    case 0:
        return 1;
    case 2:
    case 8:
    case 9:
    case 10:
        return 2;
    default:
        return 0;
    }
}

static int count_frames(sqlite3 *db, uint64_t *count, struct err *err)
{
    AUTO(sqlite3_finalize)
    sqlite3_stmt *statement = tdf_prepare(db, "SELECT count(*) FROM Frames", err);
    if (statement == NULL || tdf_step(statement, err) != 1) {
        return -1;
    }
    *count = (uint64_t)sqlite3_column_int64(statement, 0);
    return 0;
}

static int read_frames(sqlite3 *db, struct figures *figures, struct progress *progress,
                       struct err *err)
{
    AUTO(sqlite3_finalize)
    sqlite3_stmt *statement =
        tdf_prepare(db, "SELECT Time, MsMsType, SummedIntensities FROM Frames ORDER BY Id", err);
    if (statement == NULL) {
        return -1;
    }
    uint64_t done = 0;
    int more;
    while ((more = tdf_step(statement, err)) == 1) {
        const struct figures_spectrum frame = {.retention_min = tdf_number(statement, 0) / 60,
                                               .level = level_of(tdf_number(statement, 1)),
                                               .tic = tdf_number(statement, 2),
                                               .injection_ms = (double)NAN};
        if (figures_add(figures, &frame, err) != 0) {
            return -1;
        }
        progress_at(progress, ++done);
    }
    return more;
}

/* A new acquisition mode has other tables: the figure is then unknown, not an error. */
static int read_precursors(sqlite3 *db, struct figures *figures, struct err *err)
{
    const char *sql = NULL;
    if (tdf_has_table(db, "PasefFrameMsMsInfo")) {
        sql = "SELECT IsolationMz FROM PasefFrameMsMsInfo";
    } else if (tdf_has_table(db, "DiaFrameMsMsWindows")) {
        sql = "SELECT IsolationMz FROM DiaFrameMsMsWindows";
    } else {
        return 0;
    }
    AUTO(sqlite3_finalize) sqlite3_stmt *statement = tdf_prepare(db, sql, err);
    if (statement == NULL) {
        return -1;
    }
    int more;
    while ((more = tdf_step(statement, err)) == 1) {
        if (figures_add_precursor(figures, tdf_number(statement, 0), err) != 0) {
            return -1;
        }
    }
    return more;
}

/* The instrument sets ClosedProperly to 1 as the last thing; older versions do not have it. */
static void note_unclosed(sqlite3 *db, struct result *result)
{
    struct err ignored = {0}; /* a remark is not worth a failure */
    if (!tdf_has_table(db, "GlobalMetadata")) {
        return;
    }
    AUTO(sqlite3_finalize)
    sqlite3_stmt *statement = tdf_prepare(
        db, "SELECT 1 FROM GlobalMetadata WHERE Key = 'ClosedProperly' AND Value = '0'", &ignored);
    if (statement != NULL && tdf_step(statement, &ignored) == 1) {
        result_note(result, "the instrument did not close the acquisition properly");
    }
}

static int read_database(sqlite3 *db, struct figures *figures, struct result *result,
                         struct progress *progress, struct err *err)
{
    uint64_t frames = 0;
    if (count_frames(db, &frames, err) != 0) {
        return -1;
    }
    progress->total = frames;
    progress_say(progress, "%" PRIu64 " frames", frames);
    if (frames == 0) {
        result_note(result, "the file holds no frame");
    }
    if (read_frames(db, figures, progress, err) != 0) {
        return -1;
    }
    note_unclosed(db, result);
    return read_precursors(db, figures, err);
}

static int find_tdf(const char *folder, char path[PATH_MAX], struct err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/analysis.tdf", folder);
    if (n < 0 || n >= PATH_MAX) {
        return ERR(err, ERR_INVALID, ENAMETOOLONG, "the name of the raw folder is too long");
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return ERR(err, ERR_INVALID, ENOENT,
                   "%.200s has no analysis.tdf: no Bruker timsTOF acquisition, or not all of it",
                   folder);
    }
    return 0;
}

/* --- the index against the data --- */

/*
 * TimsId is where a frame begins in analysis.tdf_bin; frame follows frame, and the first four bytes
 * of each say how long it is. Where they do not (another layout), the last frame is taken to be
 * about as long as the others.
 */
struct reach {
    bool known;
    uint64_t frames;
    uint64_t first, second, last; /* where these frames begin */
    uint64_t least, most;         /* bytes from a frame to the next */
    uint64_t end;                 /* of the last frame; 0 when the data has no frame at `missing` */
    uint64_t missing;             /* where a frame should begin */
    uint64_t data;                /* bytes of analysis.tdf_bin */
    bool whole;
};

static int read_begins(sqlite3 *db, struct reach *reach, struct err *err)
{
    AUTO(sqlite3_finalize)
    sqlite3_stmt *statement = tdf_prepare(db, "SELECT TimsId FROM Frames ORDER BY TimsId", err);
    int more = statement != NULL ? 1 : -1;
    reach->known = true;
    for (; more == 1 && (more = tdf_step(statement, err)) == 1; reach->frames++) {
        double at = tdf_number(statement, 0);
        if (!(at >= 0 && at < 0x1p62)) {
            reach->known = false;
            continue;
        }
        uint64_t begin = (uint64_t)at, length = begin - reach->last;
        if (reach->frames == 0) {
            reach->first = begin;
        } else if (length > 0) {
            reach->second = reach->most == 0 ? begin : reach->second;
            reach->least = reach->most == 0 || length < reach->least ? length : reach->least;
            reach->most = length > reach->most ? length : reach->most;
        }
        reach->last = begin;
    }
    return more;
}

/* What a frame says of its length; 0 when there is none. On failure: -1, *err set. */
static int read_length(int fd, uint64_t at, uint64_t *length, struct err *err)
{
    unsigned char head[4] = {0};
    ssize_t n = pread(fd, head, sizeof head, (off_t)at);
    if (n < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "analysis.tdf_bin: cannot be read: %m");
    }
    *length = n == sizeof head ? (uint64_t)head[0] | (uint64_t)head[1] << 8 |
                                     (uint64_t)head[2] << 16 | (uint64_t)head[3] << 24
                               : 0;
    return 0;
}

/* The last frame by the lengths of the others: exact where all have one length. */
static void judge_by_others(struct reach *reach)
{
    uint64_t rest = reach->data > reach->last ? reach->data - reach->last : 0;
    uint64_t slack = reach->least < reach->most ? reach->most / 2 : 0;
    reach->known = reach->most > 0;
    reach->end = reach->last + reach->most;
    reach->whole = rest + slack >= reach->least && rest <= reach->most + slack && rest > 0;
}

static int judge_reach(int fd, struct reach *reach, struct err *err)
{
    uint64_t first = 0, last = 0;
    if (read_length(fd, reach->first, &first, err) != 0 ||
        read_length(fd, reach->last, &last, err) != 0) {
        return -1;
    }
    if (first == 0) { /* no layout begins so: nothing was written there */
        reach->missing = reach->first;
        return 0;
    }
    bool one = reach->most == 0;
    bool told = one ? reach->first + first <= reach->data : first == reach->second - reach->first;
    if (!told) {
        judge_by_others(reach);
        return 0;
    }
    reach->end = last > 0 ? reach->last + last : 0;
    reach->missing = reach->last;
    reach->whole = reach->end == reach->data;
    return 0;
}

/* reach->data is 0 when there is no analysis.tdf_bin. */
static int read_data(const char *tdf, struct reach *reach, struct err *err)
{
    char bin[PATH_MAX + 8];
    struct stat st;
    snprintf(bin, sizeof bin, "%s_bin", tdf);
    int fd = open(bin, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT
                   ? 0
                   : ERR(err, ERR_TRANSIENT, errno, "analysis.tdf_bin: cannot be opened: %m");
    }
    int status = fstat(fd, &st);
    reach->data = status == 0 ? (uint64_t)st.st_size : 0;
    if (status != 0) {
        ERR(err, ERR_TRANSIENT, errno, "analysis.tdf_bin: cannot be examined: %m");
    } else if (reach->known && reach->frames > 0) {
        status = judge_reach(fd, reach, err);
    }
    close(fd);
    return status;
}

static int read_reach(sqlite3 *db, const char *tdf, struct reach *reach, struct err *err)
{
    *reach = (struct reach){0};
    if (!tdf_has_table(db, "Frames")) {
        return ERR(err, ERR_INVALID, 0, "has no table Frames: this is no timsTOF acquisition");
    }
    if (tdf_has_column(db, "Frames", "TimsId") && read_begins(db, reach, err) != 0) {
        return -1;
    }
    return read_data(tdf, reach, err);
}

static bool is_whole(const struct reach *reach)
{
    return reach->data > 0 && (!reach->known || reach->whole);
}

/* Figures of an index that ends before the data are of a part; the index of data that is cut still
 * knows all frames. */
static void note_reach(const struct reach *reach, struct result *result)
{
    if (is_whole(reach)) {
        return;
    }
    result->status = RESULT_INCOMPLETE;
    if (reach->data == 0) {
        result_note(result, "analysis.tdf_bin is missing or empty");
        return;
    }
    if (reach->frames > 0 && reach->end == 0) {
        result_note(result,
                    "analysis.tdf_bin has %" PRIu64 " bytes and no frame at byte %" PRIu64
                    ", where the index has one",
                    reach->data, reach->missing);
        return;
    }
    result_note(result,
                "the last frame of the index ends at byte %" PRIu64 " of the %" PRIu64
                " bytes of analysis.tdf_bin",
                reach->end, reach->data);
    if (reach->end < reach->data) {
        result->read = (struct result_part){reach->end, reach->data, "bytes of data"};
    }
}

/* --- which state of the database --- */

static void note_sides(const struct tdf_look *look, struct result *result)
{
    for (int i = 0; i < SIDE_KIND_COUNT; i++) {
        const char *suffix = side_suffix((enum side_kind)i);
        if (look->side[i].verdict == SIDE_STALE) {
            result_note(result, "analysis.tdf%s does not belong to analysis.tdf: left out", suffix);
        } else if (look->side[i].verdict == SIDE_BELONGS) {
            result_note(result, "read with analysis.tdf%s, as the instrument left it", suffix);
        }
    }
}

/* The database without its side files, when its frames fit the data; when it is not readable with
 * them, also when the data cannot tell. */
static bool open_alone(const char *path, bool readable, struct tdf *tdf, struct reach *reach)
{
    struct err ignored = {0};
    struct tdf_look look = {.alone = true};
    if (tdf_open(path, &look, tdf, &ignored) != 0) {
        return false;
    }
    if (read_reach(tdf->db, path, reach, &ignored) == 0 &&
        (!readable || (reach->known && is_whole(reach)))) {
        return true;
    }
    tdf_close(tdf);
    return false;
}

static void doubt_sides(struct tdf_look *look)
{
    for (int i = 0; i < SIDE_KIND_COUNT; i++) {
        if (look->side[i].verdict == SIDE_BELONGS) {
            look->side[i].verdict = SIDE_STALE;
        }
    }
}

/*
 * A side file that seems to belong is read with the database, unless the frames fit the data only
 * without it. The caller calls tdf_close(). On failure: -1, *err set.
 */
static int open_index(const char *path, struct tdf_look *look, struct tdf *tdf, struct reach *reach,
                      struct err *err)
{
    struct err problem = {0};
    struct tdf alone;
    struct reach alone_reach;
    bool good = tdf_open(path, look, tdf, &problem) == 0;
    if (good && read_reach(tdf->db, path, reach, &problem) != 0) {
        err_context(&problem, "%.160s", path);
        tdf_close(tdf);
        good = false;
    }
    bool doubtful = good ? !is_whole(reach) : problem.kind == ERR_INVALID;
    if (doubtful && tdf_is_merged(look) && open_alone(path, good, &alone, &alone_reach)) {
        tdf_close(tdf);
        *tdf = alone;
        *reach = alone_reach;
        doubt_sides(look);
        return 0;
    }
    if (!good) {
        *err = problem;
    }
    return good ? 0 : -1;
}

int bruker_read(const char *folder, struct figures *figures, struct result *result,
                struct progress *progress, struct err *err)
{
    char path[PATH_MAX];
    struct tdf tdf;
    struct reach reach;
    struct tdf_look look = {.alone = false};
    if (find_tdf(folder, path, err) != 0 || open_index(path, &look, &tdf, &reach, err) != 0) {
        return -1;
    }
    note_sides(&look, result);
    progress->unit = "frames";
    int status = read_database(tdf.db, figures, result, progress, err);
    tdf_close(&tdf);
    if (status != 0) {
        return err_context(err, "%.160s", path);
    }
    note_reach(&reach, result);
    return 0;
}
