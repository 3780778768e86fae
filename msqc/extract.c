/*
 * extract.c - what kind of file it is decides who reads it; who reads it does not matter
 * afterwards.
 *
 * The input is recognised before the output folder is touched, so a mistyped RAW_FILE destroys
 * nothing. msqc_results.tsv is renamed last: whoever sees it may rely on msqc_tic.tsv.
 */
#include "msqc/extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/own.h"
#include "msqc/bruker.h"
#include "msqc/figures.h"
#include "msqc/mzml.h"

#define SNIFF_BYTES 4096

enum format { FORMAT_MZML, FORMAT_BRUKER, FORMAT_UNSUPPORTED, FORMAT_COUNT };

struct detected {
    enum format format;
    const char *name;
    const char *remedy; /* of what is unsupported */
};

#define TIMSTOF                                                                                    \
    {                                                                                              \
        FORMAT_BRUKER, "Bruker timsTOF", NULL                                                      \
    }
#define UNSUPPORTED(name, what)                                                                    \
    {                                                                                              \
        FORMAT_UNSUPPORTED, name,                                                                  \
            what " needs the vendor's library: convert it to mzML (msconvert) and extract from "   \
                 "that"                                                                            \
    }
#define WATERS UNSUPPORTED("Waters raw", "a .raw folder (Waters)")

static const struct detected mzml = {FORMAT_MZML, "mzML", NULL};
static const struct detected thermo = {
    FORMAT_UNSUPPORTED, "Thermo raw",
    "Thermo .raw needs the vendor's library: convert it to mzML (ThermoRawFileParser or msconvert) "
    "and extract from that"};
static const struct detected sciex = UNSUPPORTED("Sciex wiff", "Sciex .wiff");

/* Whose folder it is shows in a name within it; the first line that fits speaks. */
static const struct marker {
    const char *name; /* without regard to case: these folders come from Windows */
    struct detected detected;
} markers[] = {
    {"analysis.tdf", TIMSTOF},
    {"analysis.tsf", UNSUPPORTED("Bruker TSF", "analysis.tsf (Bruker, without TIMS or by MALDI)")},
    {"analysis.baf", UNSUPPORTED("Bruker BAF", "analysis.baf (Bruker)")},
    {"analysis.yep", UNSUPPORTED("Bruker YEP", "analysis.yep (Bruker)")},
    {"ser", UNSUPPORTED("Bruker FT-MS", "a .d folder with ser (Bruker FT-MS)")},
    {"fid", UNSUPPORTED("Bruker FT-MS", "a .d folder with fid (Bruker FT-MS)")},
    {"AcqData", UNSUPPORTED("Agilent", "a .d folder with AcqData (Agilent)")},
    {"_FUNC001.DAT", WATERS},
};

/* What a folder without any of them is by its name alone. */
static const struct detected bruker = TIMSTOF;
static const struct detected waters = WATERS;

static bool ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t n = strlen(suffix);
    return length > n && strncasecmp(path + length - n, suffix, n) == 0;
}

/* The first of the markers that is in the folder; NULL: none. On failure: -1, *err set. */
static int find_marker(const char *path, const struct marker **found, struct err *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    *found = NULL;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        const struct marker *end =
            *found != NULL ? *found : markers + sizeof markers / sizeof *markers;
        for (const struct marker *m = markers; m < end; m++) {
            if (strcasecmp(m->name, entry->d_name) == 0) {
                *found = m;
                break;
            }
        }
    }
    int code = errno;
    closedir(folder);
    return code == 0
               ? 0
               : ERR(err, ERR_TRANSIENT, code, "%s: cannot be read: %s", path, strerror(code));
}

static int detect_folder(const char *path, const struct detected **detected, struct err *err)
{
    const struct marker *marker = NULL;
    if (find_marker(path, &marker, err) != 0) {
        return -1;
    }
    if (marker != NULL) {
        *detected = &marker->detected;
    } else if (ends_with(path, ".d")) {
        *detected = &bruker; /* which says what is missing */
    } else if (ends_with(path, ".raw")) {
        *detected = &waters;
    } else {
        return ERR(
            err, ERR_INVALID, 0,
            "%.200s: a folder of unknown kind; known are Bruker .d folders with analysis.tdf",
            path);
    }
    return 0;
}

/* A file whose name says nothing: mzML shows its root element near the beginning. */
static int sniff(int fd, const char *path, const struct detected **detected, struct err *err)
{
    char head[SNIFF_BYTES];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    if (memmem(head, (size_t)n, "<mzML", 5) != NULL ||
        memmem(head, (size_t)n, "<indexedmzML", 12) != NULL) {
        *detected = &mzml;
        return 0;
    }
    bool gzip = n > 2 && memcmp(head, "\x1f\x8b", 2) == 0;
    return ERR(err, ERR_INVALID, 0, "%.180s: of unknown kind%s", path,
               gzip ? " (it is compressed by gzip: unpack it first)"
                    : "; known are mzML, Bruker .d, Thermo .raw and Sciex .wiff");
}

static int detect_file(const char *path, const struct detected **detected, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    int status = 0;
    if (ends_with(path, ".mzML")) {
        *detected = &mzml;
    } else if (ends_with(path, ".raw")) {
        *detected = &thermo;
    } else if (ends_with(path, ".wiff") || ends_with(path, ".wiff2") ||
               ends_with(path, ".wiff.scan")) {
        *detected = &sciex;
    } else {
        status = sniff(fd, path, detected, err);
    }
    close(fd);
    return status;
}

static int detect(const char *path, const struct detected **detected, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: %m", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return detect_folder(path, detected, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return ERR(err, ERR_INVALID, 0, "%s: neither a file nor a folder", path);
    }
    return detect_file(path, detected, err);
}

static int read_figures(const struct extract_options *options, const struct detected *detected,
                        struct output *tic, struct result *result, struct err *err)
{
    struct progress progress;
    progress_start(&progress, options->log, "bytes");
    progress_say(&progress, "reading %s (%s)", options->raw_path, detected->name);
    struct figures figures;
    figures_init(&figures, tic);
    int status = 0;
    if (detected->format == FORMAT_UNSUPPORTED) {
        result->status = RESULT_UNSUPPORTED;
        result_note(result, "%s", detected->remedy);
    } else if (detected->format == FORMAT_BRUKER) {
        status = bruker_read(options->raw_path, &figures, result, &progress, err);
    } else {
        status = mzml_read(options->raw_path, &figures, result, &progress, err);
    }
    if (status == 0 && result->status != RESULT_UNSUPPORTED) {
        figures_summarise(&figures, result);
    }
    figures_fini(&figures);
    return status;
}

static void say_figures(const struct result *result, FILE *log)
{
    for (enum result_figure i = 0; i < RESULT_FIGURE_COUNT; i++) {
        if (isnan(result->figure[i])) {
            fprintf(log, "  %-28s unknown\n", result_name(i));
        } else {
            fprintf(log, "  %-28s %.10g\n", result_name(i), result->figure[i]);
        }
    }
}

static void say_result(const struct result *result, const char *path, FILE *log)
{
    if (result->status != RESULT_UNSUPPORTED) {
        say_figures(result, log);
    }
    if (result->partial[0] != '\0') {
        fprintf(log, "  of a part only: %s\n", result->partial);
    }
    if (result->detail[0] != '\0') {
        fprintf(log, "  %s: %s\n", result->status == RESULT_OK ? "remarks" : "attention",
                result->detail);
    }
    fprintf(log, "result: %s, %s\n", result_word(result->status), path);
}

static enum extract_exit blame(enum extract_exit whose, const struct err *err)
{
    return err->kind == ERR_FATAL ? EXTRACT_EXIT_MEMORY : whose;
}

static enum extract_exit fill_outputs(const struct extract_options *options,
                                      const struct detected *detected, struct output *tic,
                                      struct output *results, struct err *err)
{
    struct result result;
    result_init(&result);
    if (read_figures(options, detected, tic, &result, err) != 0) {
        return blame(ferror(tic->stream) ? EXTRACT_EXIT_OUTPUT : EXTRACT_EXIT_INPUT, err);
    }
    result_write(&result, results);
    if (output_commit(tic, err) != 0 || output_commit(results, err) != 0) {
        return EXTRACT_EXIT_OUTPUT;
    }
    if (options->log != NULL) {
        say_result(&result, results->path, options->log);
    }
    return EXTRACT_EXIT_OK;
}

enum extract_exit extract_run(const struct extract_options *options, struct err *err)
{
    const struct detected *detected = NULL;
    if (detect(options->raw_path, &detected, err) != 0) {
        return EXTRACT_EXIT_INPUT;
    }
    struct output tic;
    struct output results;
    if (output_open(&tic, options->output_folder, "msqc_tic.tsv", err) != 0) {
        return blame(EXTRACT_EXIT_OUTPUT, err);
    }
    if (output_open(&results, options->output_folder, "msqc_results.tsv", err) != 0) {
        output_abandon(&tic);
        return blame(EXTRACT_EXIT_OUTPUT, err);
    }
    enum extract_exit status = fill_outputs(options, detected, &tic, &results, err);
    output_abandon(&tic);
    output_abandon(&results);
    return status;
}
