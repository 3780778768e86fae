/*
 * members.h - which names of a folder belong to which raw file: the one place that says so.
 *
 * Thermo, Bruker and generic raw files are one name, a file or a folder. Of Sciex a raw file is a
 * set: <stem>.wiff and what has its stem. A name goes to the longest stem that it begins with; a
 * name that tells its own main file (<stem>.wiff.scan, <stem>.wiff2, <stem>.timeseries.data) goes
 * to that stem or to nobody, whether its .wiff is there yet or not; a main file to itself.
 *
 * Names are compared byte by byte, or without case where the folder ignores it (members_probe).
 * Pure but for members_probe and members_read; any thread.
 */
#ifndef COMMON_RAW_MEMBERS_H
#define COMMON_RAW_MEMBERS_H
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/config/config.h"

/* Whether a name in the instrument's folder is a raw file. The extension's case
 * does not matter; a bare extension (".raw") is none, and names that we make are none. */
bool members_is_raw_file(const struct instrument *i, const char *name) __attribute__((nonnull));
/* The length of a raw file's name without the type's extension. */
size_t members_stem(const struct instrument *i, const char *name) __attribute__((nonnull));
/* Whether a raw file of this type may have more names than its own. */
bool members_is_set(const struct instrument *i) __attribute__((nonnull));

/* How a folder compares. */
struct members_rule {
    const struct instrument *instrument;
    bool nocase;
};

/* The order of names by which all names of a set stand together: strcmp's, or that of their upper
 * case. */
int members_compare(const struct members_rule *r, const char *a, const char *b)
    __attribute__((nonnull));
/* <0, 0, >0: name stands before, among or behind those that begin with main's stem and a dot. */
int members_place(const struct members_rule *r, const char *main, const char *name)
    __attribute__((nonnull));

/* Names, in the order in which they were added. Zeroed is empty; members_fini frees. */
struct members {
    char **names;
    size_t n, room;
};
void members_fini(struct members *m) __attribute__((nonnull));
bool members_has(const struct members *m, const char *name) __attribute__((nonnull));
/* Add a name of the folder if it may be one of main's. -1: no memory. */
int members_see(struct members *m, const struct members_rule *r, const char *main, const char *name,
                struct err *err) __attribute__((nonnull, warn_unused_result));
/* All names of the folder have been seen: drop those that are another raw file's. */
void members_settle(struct members *m, const struct members_rule *r, const char *main)
    __attribute__((nonnull));
/* The length of the stem that a name of a set tells by itself; 0: it tells none. */
size_t members_told_stem(const char *name) __attribute__((nonnull));
/* Whether name could belong to main, other main files left aside. */
bool members_fits(const struct members_rule *r, const char *main, const char *name)
    __attribute__((nonnull));
/* Whether a name belongs to a raw file by itself: it tells its main file, and is none. */
bool members_needs_main(const struct instrument *i, const char *name) __attribute__((nonnull));

/* Whether the folder ignores the case of letters: name, which is in it, is looked up in the other
 * case. Nothing is written. *known stays as it is when name tells nothing (no letters, or it is
 * gone, or its other case is a name of its own). */
void members_probe(const char *folder, const char *name, bool *nocase, bool *known)
    __attribute__((nonnull));

/* List the folder, probe it, and give the names that are main's, main itself only if it is there.
 * -1: the folder cannot be read, or no memory. */
struct members_ask {
    const struct instrument *instrument;
    const char *folder, *main;
};
int members_read(struct members *out, const struct members_ask *ask, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
