#include "msqc/cli.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "msqc/result.h"

static const char help_text[] =
    "usage: trawl-msqc [options] RAW_FILE OUTPUT_FOLDER\n"
    "\n"
    "Reads one acquisition and writes its quality-control figures:\n"
    "  OUTPUT_FOLDER/msqc_results.tsv  one row: injection times, spectra, TIC, pressure, gradient\n"
    "  OUTPUT_FOLDER/msqc_tic.tsv      one row a spectrum: retention time, MS level, TIC\n"
    "Both appear under these names only when they are complete.\n"
    "\n"
    "RAW_FILE is\n"
    "  an mzML file (plain or indexed)      read as a stream, any size\n"
    "  a Bruker timsTOF folder (.d)         read from its analysis.tdf\n"
    "  of Thermo, Sciex, Waters, Agilent,   a result with status 'unsupported': convert it to "
    "mzML\n"
    "  or of Bruker without analysis.tdf\n"
    "OUTPUT_FOLDER must exist. RAW_FILE is never changed; a timsTOF folder that was copied while "
    "it\n"
    "was written may need a private copy of its analysis.tdf in $TMPDIR (else /tmp).\n"
    "\n"
    "options:\n"
    "  -q, --quiet    no progress on stdout\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "exit status:\n"
    "  0  a result was written (status 'ok', 'unsupported', or 'incomplete': the raw file has not\n"
    "     all that it says it has)\n"
    "  1  out of memory\n"
    "  2  wrong usage\n"
    "  3  RAW_FILE cannot be read, or is damaged or cut short\n"
    "  4  OUTPUT_FOLDER cannot be written\n";

static enum extract_exit usage_error(const char *reason, const char *word)
{
    fprintf(stderr, "trawl-msqc: %s%s (see trawl-msqc --help)\n", reason, word);
    return EXTRACT_EXIT_USAGE;
}

static enum extract_exit extract(const struct extract_options *options)
{
    struct err err = {0};
    enum extract_exit status = extract_run(options, &err);
    if (status != EXTRACT_EXIT_OK) {
        /* File names and XML are somebody else's bytes: none of them may steer a terminal. */
        result_plain_text(err.msg);
        fprintf(stderr, "trawl-msqc: %s\n", err.msg);
    }
    return status;
}

enum extract_exit cli_run(int argc, char **argv)
{
    static const struct option long_options[] = {{"quiet", no_argument, NULL, 'q'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {"version", no_argument, NULL, 'V'},
                                                 {0}};
    struct extract_options options = {.log = stdout};
    setvbuf(stdout, NULL, _IOLBF, 0); /* the log file of a job shows progress while it runs */
    opterr = 0;
    optind = 0; /* glibc: start anew, for tests that call this more than once */
    int c;
    while ((c = getopt_long(argc, argv, "qhV", long_options, NULL)) != -1) {
        switch (c) {
        case 'q':
            options.log = NULL;
            break;
        case 'h':
            fputs(help_text, stdout);
            return EXTRACT_EXIT_OK;
        case 'V':
            puts("trawl-msqc " MSQC_VERSION);
            return EXTRACT_EXIT_OK;
        default:
            return usage_error("unknown option ", argv[optind - 1]);
        }
    }
    if (argc - optind != 2) {
        return usage_error("needs RAW_FILE and OUTPUT_FOLDER", "");
    }
    options.raw_path = argv[optind];
    options.output_folder = argv[optind + 1];
    return extract(&options);
}
