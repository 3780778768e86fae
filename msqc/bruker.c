#include "msqc/bruker.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msqc/tdf.h"

#include "common/ban.h" /* last: system headers declare what it forbids */

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
    if (!tdf_has_table(db, "Frames")) {
        return ERR(err, ERR_INVALID, 0, "has no table Frames: this is no timsTOF acquisition");
    }
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

static void note_missing_bin(const char *tdf, struct result *result)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s_bin", tdf);
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size == 0) {
        result_note(result, "analysis.tdf_bin is missing or empty");
    }
}

int bruker_read(const char *folder, struct figures *figures, struct result *result,
                struct progress *progress, struct err *err)
{
    char path[PATH_MAX];
    if (find_tdf(folder, path, err) != 0) {
        return -1;
    }
    AUTO(sqlite3_close) sqlite3 *db = tdf_open(path, err);
    if (db == NULL) {
        return -1;
    }
    progress->unit = "frames";
    if (read_database(db, figures, result, progress, err) != 0) {
        return err_context(err, "%.180s", path);
    }
    note_missing_bin(path, result);
    return 0;
}
