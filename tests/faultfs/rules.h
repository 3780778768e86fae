/*
 * rules.h - what faultfs is told to do wrong: the lines of the control file.
 *
 * The file is looked at before every operation and read again when it was replaced, so a rule acts
 * on the next operation after a rename over the file; counters then begin anew. Whoever hangs looks
 * at it, too, and goes on when the rule is gone. What acted is told in <control>.hits.
 *
 *     <what> <operations> <glob> [key=value...]
 *
 * What:
 * - hang, error=ECODE, delay (ms=), slow (rate= bytes a second), short (at most half of it is done)
 * - flip: one byte (offset=) is not what was written, or, for read, what is there
 * - empty: nothing is there
 * - free: what statfs tells (bytes=); date: the time of change that is shown (at= seconds)
 *
 * Operations, with commas: any, modify, stat, open, read, write, fsync, list, create, rename,
 * remove, meta, alloc, statfs, lock. The glob is of the path below the root (of a handle's when it
 * was opened; of a rename's new name), and * goes over slashes.
 *
 * Keys for all: after= lets so many bytes (read, write) or calls (others) pass first, times= acts
 * so often and then no more.
 */
#ifndef TESTS_FAULTFS_RULES_H
#define TESTS_FAULTFS_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op {
    OP_STAT = 1,
    OP_OPEN = 2,
    OP_READ = 4,
    OP_WRITE = 8,
    OP_FSYNC = 16,
    OP_LIST = 32,
    OP_CREATE = 64,
    OP_RENAME = 128,
    OP_REMOVE = 256,
    OP_META = 512,
    OP_ALLOC = 1024,
    OP_STATFS = 2048,
    OP_LOCK = 4096,
};

struct rules; /* opaque; defined in rules.c */

/* The errno that a rule may name; 0: it knows none of this name. Pure. */
int rules_code(const char *name) __attribute__((nonnull));

/* NULL when memory is short. control may not exist yet: no rule. Lives as long as the process. */
struct rules *rules_new(const char *control) __attribute__((nonnull));
/* Wait as told; 0, or -errno when the operation is to fail. *len (may be NULL) is made smaller when
 * only a part of it is to be done. Any thread. */
int rules_before(struct rules *r, enum op op, const char *path, size_t *len)
    __attribute__((nonnull(1, 3)));
/* Whether the byte at *where, within [at, at + len), is to be flipped. */
bool rules_flip(struct rules *r, enum op op, const char *path, int64_t at, size_t len,
                int64_t *where) __attribute__((nonnull));
/* Whether reads or writes of this path may be short. */
bool rules_shorten(struct rules *r, const char *path) __attribute__((nonnull));
/* The time of change that a look is to show; false: the true one. */
bool rules_date(struct rules *r, const char *path, int64_t *seconds) __attribute__((nonnull));
/* Free space that statfs is to tell; false: the true one. */
bool rules_free_bytes(struct rules *r, int64_t *bytes) __attribute__((nonnull));
#endif
