/*
 * extract.c - what kind of file it is decides who reads it; who reads it does not matter
 * afterwards.
 *
 * The input is recognised before the output folder is touched, so a mistyped RAW_FILE destroys
 * nothing. msqc_results.tsv is renamed last: whoever sees it may rely on msqc_tic.tsv.
 */
#include "msqc/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/own.h"
#include "msqc/bruker.h"
#include "msqc/figures.h"
#include "msqc/mzml.h"

#include "common/ban.h" /* last: system headers declare what it forbids */

#define SNIFF_BYTES 4096

enum format {
    FORMAT_MZML,
    FORMAT_BRUKER,
    FORMAT_THERMO,
    FORMAT_SCIEX,
    FORMAT_WATERS,
    FORMAT_COUNT
};

static const struct format_text {
    const char *name;
    const char *unsupported; /* NULL: we can read it */
} formats[] = {
    [FORMAT_MZML] = {"mzML", NULL},
    [FORMAT_BRUKER] = {"Bruker timsTOF", NULL},
    [FORMAT_THERMO] = {"Thermo raw", "Thermo .raw needs the vendor's library: convert it to mzML "
                                     "(ThermoRawFileParser or msconvert) and extract from that"},
    [FORMAT_SCIEX] = {"Sciex wiff", "Sciex .wiff needs the vendor's library: convert it to mzML "
                                    "(msconvert) and extract from that"},
    [FORMAT_WATERS] = {"Waters raw", "a .raw folder (Waters) needs the vendor's library: convert "
                                     "it to mzML (msconvert) and extract from that"},
};
_Static_assert(sizeof formats / sizeof *formats == FORMAT_COUNT, "a text for every format");

static bool ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    size_t n = strlen(suffix);
    return length > n && strncasecmp(path + length - n, suffix, n) == 0;
}

static int detect_folder(const char *path, enum format *format, struct err *err)
{
    if (faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    char tdf[PATH_MAX];
    int n = snprintf(tdf, sizeof tdf, "%s/analysis.tdf", path);
    if (ends_with(path, ".d") || (n < PATH_MAX && access(tdf, F_OK) == 0)) {
        *format = FORMAT_BRUKER;
        return 0;
    }
    if (ends_with(path, ".raw")) {
        *format = FORMAT_WATERS;
        return 0;
    }
    return ERR(err, ERR_INVALID, 0,
               "%.200s: a folder of unknown kind; known are Bruker .d folders with analysis.tdf",
               path);
}

/* A file whose name says nothing: mzML shows its root element near the beginning. */
static int sniff(int fd, const char *path, enum format *format, struct err *err)
{
    char head[SNIFF_BYTES];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    if (memmem(head, (size_t)n, "<mzML", 5) != NULL ||
        memmem(head, (size_t)n, "<indexedmzML", 12) != NULL) {
        *format = FORMAT_MZML;
        return 0;
    }
    bool gzip = n > 2 && memcmp(head, "\x1f\x8b", 2) == 0;
    return ERR(err, ERR_INVALID, 0, "%.180s: of unknown kind%s", path,
               gzip ? " (it is compressed by gzip: unpack it first)"
                    : "; known are mzML, Bruker .d, Thermo .raw and Sciex .wiff");
}

static int detect_file(const char *path, enum format *format, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: cannot be read: %m", path);
    }
    int status = 0;
    if (ends_with(path, ".mzML")) {
        *format = FORMAT_MZML;
    } else if (ends_with(path, ".raw")) {
        *format = FORMAT_THERMO;
    } else if (ends_with(path, ".wiff") || ends_with(path, ".wiff2") ||
               ends_with(path, ".wiff.scan")) {
        *format = FORMAT_SCIEX;
    } else {
        status = sniff(fd, path, format, err);
    }
    close(fd);
    return status;
}

static int detect(const char *path, enum format *format, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return ERR(err, ERR_TRANSIENT, errno, "%s: %m", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return detect_folder(path, format, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return ERR(err, ERR_INVALID, 0, "%s: neither a file nor a folder", path);
    }
    return detect_file(path, format, err);
}

static int read_figures(const struct extract_options *options, enum format format,
                        struct output *tic, struct result *result, struct err *err)
{
    struct progress progress;
    progress_start(&progress, options->log, "bytes");
    progress_say(&progress, "reading %s (%s)", options->raw_path, formats[format].name);
    struct figures figures;
    figures_init(&figures, tic);
    int status = 0;
    if (formats[format].unsupported != NULL) {
        result->unsupported = true;
        result_note(result, "%s", formats[format].unsupported);
    } else if (format == FORMAT_BRUKER) {
        status = bruker_read(options->raw_path, &figures, result, &progress, err);
    } else {
        status = mzml_read(options->raw_path, &figures, result, &progress, err);
    }
    if (status == 0 && !result->unsupported) {
        figures_summarise(&figures, result);
    }
    figures_fini(&figures);
    return status;
}

static void say_figure(FILE *log, const char *name, double value, const char *unit)
{
    if (isnan(value)) {
        fprintf(log, "  %-28s unknown\n", name);
    } else {
        fprintf(log, "  %-28s %.10g%s\n", name, value, unit);
    }
}

static void say_result(const struct result *result, const char *path, FILE *log)
{
    const struct result_level *ms1 = &result->level[RESULT_MS1];
    const struct result_level *ms2 = &result->level[RESULT_MS2];
    if (!result->unsupported) {
        say_figure(log, "MS1 spectra", ms1->scans, "");
        say_figure(log, "MS1 median injection time", ms1->median_injection_ms, " ms");
        say_figure(log, "MS1 median TIC", ms1->median_tic, "");
        say_figure(log, "MS2 spectra", ms2->scans, "");
        say_figure(log, "MS2 median injection time", ms2->median_injection_ms, " ms");
        say_figure(log, "MS2 median TIC", ms2->median_tic, "");
        say_figure(log, "MS2 unique precursors", result->ms2_unique_precursors, "");
        say_figure(log, "gradient", result->gradient_min, " min");
        say_figure(log, "pump pressure, maximum", result->pump_pressure_max, "");
    }
    if (result->detail[0] != '\0') {
        fprintf(log, "  %s: %s\n", result->unsupported ? "unsupported" : "remarks", result->detail);
    }
    fprintf(log, "result: %s\n", path);
}

static enum extract_exit blame(enum extract_exit whose, const struct err *err)
{
    return err->kind == ERR_FATAL ? EXTRACT_EXIT_MEMORY : whose;
}

static enum extract_exit fill_outputs(const struct extract_options *options, enum format format,
                                      struct output *tic, struct output *results, struct err *err)
{
    struct result result;
    result_init(&result);
    if (read_figures(options, format, tic, &result, err) != 0) {
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
    enum format format = FORMAT_COUNT;
    if (detect(options->raw_path, &format, err) != 0) {
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
    enum extract_exit status = fill_outputs(options, format, &tic, &results, err);
    output_abandon(&tic);
    output_abandon(&results);
    return status;
}
