/*
 * bruker.h - a Bruker timsTOF folder (.d), read from its analysis.tdf.
 * Threads: none.
 */
#ifndef MSQC_BRUKER_H
#define MSQC_BRUKER_H
#include "msqc/figures.h"
#include "msqc/progress.h"

/*
 * Read the frames into figures, and what else the folder says into result. Everything is the
 * caller's; the folder is not changed. On failure: -1, *err set, naming the file.
 */
int bruker_read(const char *folder, struct figures *figures, struct result *result,
                struct progress *progress, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
