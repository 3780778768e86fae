/*
 * names.h - the name in the folder of what faultfs is asked for. Pure but for looks at the folder.
 */
#ifndef TESTS_FAULTFS_NAMES_H
#define TESTS_FAULTFS_NAMES_H
#include <stdbool.h>

struct name {
    char at[4096];
};

struct naming {
    int root;
    bool casefold; /* a name finds one that differs in case only */
    bool mapped;   /* what SMB cannot write stands as U+F0xx */
};

/* For towupper(3) and the like: UTF-8. */
void names_init(void);
/* The path below the root, "." for the root itself; path is FUSE's, with a slash before it. Lives
 * as long as n. */
const char *names_find(const struct naming *naming, const char *path, struct name *n)
    __attribute__((nonnull));
/* The same, but the last name is taken as it is written. */
const char *names_new(const struct naming *naming, const char *path, struct name *n)
    __attribute__((nonnull));
/* The name that a folder's entry is shown by. */
const char *names_shown(const struct naming *naming, const char *entry, struct name *n)
    __attribute__((nonnull));
/* 0, or why no such name can be: -EINVAL (a backslash), -ENOENT (not UTF-8). */
int names_check(const struct naming *naming, const char *path) __attribute__((nonnull));
#endif
