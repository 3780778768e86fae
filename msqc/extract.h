/*
 * extract.h - one acquisition in, msqc_results.tsv and msqc_tic.tsv out.
 * Threads: none.
 */
#ifndef MSQC_EXTRACT_H
#define MSQC_EXTRACT_H
#include <stdio.h>

#include "common/base/err.h"

/* The exit status of the process; the job's wrapper and README.md rely on the numbers. */
enum extract_exit {
    EXTRACT_EXIT_OK = 0,
    EXTRACT_EXIT_MEMORY = 1,
    EXTRACT_EXIT_USAGE = 2,
    EXTRACT_EXIT_INPUT = 3,
    EXTRACT_EXIT_OUTPUT = 4
};

struct extract_options {
    const char *raw_path;
    const char *output_folder;
    FILE *log; /* progress; NULL: none */
};

/*
 * Recognise the format, read it, write both files. Options are borrowed. Not 0 / -1, because the
 * caller needs to know whose fault it was: other than EXTRACT_EXIT_OK, *err is set and neither file
 * is there.
 */
enum extract_exit extract_run(const struct extract_options *options, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
