/*
 * tree.h - all that is below a name in a folder, also what is neither a file nor a folder: code
 * that deletes or moves must know of everything. Descends by descriptor and follows no link. Any
 * thread.
 */
#ifndef COMMON_BASE_TREE_H
#define COMMON_BASE_TREE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/err.h"

enum tree_kind { TREE_FILE, TREE_DIR, TREE_OTHER, TREE_KIND_COUNT };

struct tree_entry {
    char *path; /* relative to the root */
    enum tree_kind kind;
    mode_t mode;
    int64_t size, mtime_ns, ctime_ns;
};

struct tree { /* zeroed is empty */
    struct tree_entry *entries;
    size_t n, room;
};

/* Append name (in the folder root) and all below it; a folder comes before what is in it, names in
 * byte order. Nothing is appended when name is not there. -1 with *err set; what was appended until
 * then stays. tree_clear frees. */
int tree_add(struct tree *t, const char *root, const char *name, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void tree_clear(struct tree *t) __attribute__((nonnull));
/* Whether both hold the same names with equal sizes and times: nothing was changed in between. Of
 * folders only the names count. */
bool tree_equal(const struct tree *a, const struct tree *b) __attribute__((nonnull));

/* The folder that holds relative (a safe path), opened below root without following a link; *base =
 * the last part of relative. -1 with errno. close() it. */
int tree_parent(const char *root, const char *relative, const char **base)
    __attribute__((nonnull, warn_unused_result));

/* A path for messages: escaped, and cut to fit. Returns buf. */
#define TREE_SHOWN 160
const char *tree_shown(const char *path, char buf[static TREE_SHOWN]) __attribute__((nonnull));
#endif
