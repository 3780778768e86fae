/*
 * mzml.h - an mzML file from disk.
 * Threads: none.
 */
#ifndef MSQC_MZML_H
#define MSQC_MZML_H
#include "msqc/figures.h"
#include "msqc/progress.h"

/*
 * Read the file into figures, and what else it says into result. Everything is the caller's.
 * On failure: -1, *err set; it names the file and, where it is the content's fault, line and byte.
 */
int mzml_read(const char *path, struct figures *figures, struct result *result,
              struct progress *progress, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
