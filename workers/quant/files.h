/*
 * files.h - the settings' files are what their version was made with, before a job reads them.
 *
 * A file is read once by a worker process, and again whenever its size, its times or the file
 * itself has changed: a library of gigabytes is not read for every job. Any thread.
 */
#ifndef WORKERS_QUANT_FILES_H
#define WORKERS_QUANT_FILES_H
#include "common/base/own.h"
#include "common/config/config.h"
#include "common/quant/settings.h"

struct files_seen; /* opaque: what was found right; defined in files.c */

/* NULL and TRANSIENT when memory is short. Freed with files_seen_free. */
struct files_seen *files_seen_new(struct err *err) OWNED __attribute__((nonnull));
void files_seen_free(struct files_seen *seen);

/* INVALID names the file that is missing or another one, HOLD: the location is not there. seen may
 * be NULL: then all are read. */
int files_check(struct files_seen *seen, const struct config *cfg, const struct settings *s,
                struct err *err) __attribute__((nonnull(2, 3, 4), warn_unused_result));
#endif
