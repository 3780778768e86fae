/*
 * dead_groups.h - dead letters: tasks that failed for good, grouped by cause. Pure.
 *
 * Two tasks are in one group when they have the same kind, their errors the same class and step,
 * and their messages differ only in names, paths and numbers. A group's id is derived from these
 * alone, so it stays the same while one such task is left.
 */
#ifndef OPS_DEAD_GROUPS_H
#define OPS_DEAD_GROUPS_H
#include "common/db/docs.h"

#define DEAD_ID_MAX 9

struct dead_group {
    char id[DEAD_ID_MAX];
    char *pattern;
    const bson_t *first; /* a task of it, borrowed: its kind, class and step are the group's */
    int64_t n, first_ms, last_ms;
};
struct dead_groups {
    struct dead_group *at;
    size_t n;
};

/* The first line of a message with <file> for the raw file's name, <path> for paths, <id> for
 * hashes and # for numbers. free(); NULL: out of memory. */
char *dead_pattern(const char *message, const char *raw_file) OWNED __attribute__((nonnull));
/* The id of the group that a task belongs to; -1: out of memory. */
int dead_group_id(const bson_t *task, char id[static DEAD_ID_MAX], struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Group tasks, the group with the newest error first; tasks must outlive it. dead_groups_fini, also
 * after a failure. */
int dead_groups_make(const struct docs *tasks, struct dead_groups *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
void dead_groups_fini(struct dead_groups *g) __attribute__((nonnull));
#endif
