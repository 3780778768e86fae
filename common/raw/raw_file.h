/*
 * raw_file.h - the statuses of a raw file, which are AlphaKraken's. Pure; any thread.
 */
#ifndef COMMON_RAW_RAW_FILE_H
#define COMMON_RAW_RAW_FILE_H
#include <stdbool.h>

/* In the order in which a raw file goes through them, NULL at the end; three are only in databases
 * that AlphaKraken has filled. */
extern const char *const raw_file_statuses[];
/* Whether a status counts as an error (AlphaKraken's rule). */
bool raw_file_is_error(const char *status) __attribute__((nonnull));
#endif
