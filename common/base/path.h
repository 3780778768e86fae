/*
 * path.h - joining names from outside below a root that they can never leave, and the one layout
 * of the backup and the output. Pure; any thread.
 */
#ifndef COMMON_BASE_PATH_H
#define COMMON_BASE_PATH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

/* True for a name that stays below a root: not empty, not absolute, no "." or ".." part, no empty
 * part, no NUL by nature. Any other bytes are allowed (Windows-made names). */
bool path_is_safe(const char *relative) __attribute__((nonnull));

/* root + "/" + relative, freed with free(). NULL and INVALID when relative is not safe. */
char *path_join(const char *root, const char *relative, struct err *err) OWNED
    __attribute__((nonnull));

/* "YYYY_MM" (UTC) of a wall time: the month folder of the backup and of the fallback output. */
char *path_month(int64_t wall_ms, char buf[static 8]) __attribute__((nonnull));

/* The part after the last '/'; never NULL; borrowed from path. */
const char *path_base(const char *path) __attribute__((nonnull));

/* True if a ends with b; with nocase the case of ASCII letters does not matter. */
bool path_ends_with(const char *a, const char *b, bool nocase) __attribute__((nonnull));

/*
 * Text that names a path losslessly on a terminal and in JSON: valid UTF-8 passes, every other byte
 * and every control character becomes %XX, and '%' becomes %25. Freed with free(). path_unescape
 * gives the bytes back. Documents hold names with odd bytes in this form.
 */
char *path_escape(const char *bytes) OWNED __attribute__((nonnull));
char *path_unescape(const char *text) OWNED __attribute__((nonnull));
#endif
