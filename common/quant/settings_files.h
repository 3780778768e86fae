/*
 * settings_files.h - the files of settings, kept so that a version stays what it was.
 *
 * The files of a version lie together in <settings location>/<set>, whose name is the hash of their
 * names and contents: settings with the same files share it, other content gets another folder, and
 * nothing in a folder ever changes. Any thread.
 */
#ifndef COMMON_QUANT_SETTINGS_FILES_H
#define COMMON_QUANT_SETTINGS_FILES_H
#include "common/base/rehash.h"
#include "common/quant/settings.h"

#define SETTINGS_SET_MAX 48 /* "set-<hash>" */

struct settings_stored {
    char set[SETTINGS_SET_MAX];
    struct settings_file files[SETTINGS_FILES_MAX]; /* in the order of the paths; names owned */
    size_t n;
    bool made; /* false: the folder was there already, with exactly these */
};
void settings_stored_fini(struct settings_stored *s) __attribute__((nonnull));

/*
 * Copy the files at paths into their folder below root, reading each once. Whole or not at all:
 * what was cut off is left under a name that nobody reads. INVALID when a file cannot be read or
 * two have one name, else as fs.h.
 */
int settings_files_store(const char *root, const char *const *paths, size_t n,
                         struct settings_stored *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* One file is what the version was made with. INVALID says what it is instead, and the remedy; HOLD
 * when the location is not there. Reads all of it. */
int settings_file_check(const char *root, const struct settings *s, const struct settings_file *f,
                        struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
