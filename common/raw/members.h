/*
 * members.h - which names of a folder belong to which raw file; nothing else decides that.
 *
 * Thermo, Bruker and generic raw files are one name, a file or a folder. A Sciex raw file is a set:
 * <stem>.wiff and the names with its stem. A name goes to the longest stem that it begins with; a
 * name that contains its main file's (<stem>.wiff.scan, <stem>.wiff2, <stem>.timeseries.data) goes
 * to that stem or to none, whether its .wiff is there or not; a main file to itself.
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

/* Whether a name in the instrument's folder is a raw file. The extension's case does not matter; a
 * bare extension (".raw") is none, nor are names that Trawl makes. */
bool members_is_raw_file(const struct instrument *i, const char *name) __attribute__((nonnull));
/* The length of a raw file's name without the type's extension. */
size_t members_stem(const struct instrument *i, const char *name) __attribute__((nonnull));
/* Whether a raw file of this type may have more names than its own. */
bool members_is_set(const struct instrument *i) __attribute__((nonnull));

/* How a folder compares names. */
struct members_rule {
    const struct instrument *instrument;
    bool nocase;
};

/* An order in which the names of a set are neighbours: strcmp's, or that of their upper case. */
int members_compare(const struct members_rule *r, const char *a, const char *b)
    __attribute__((nonnull));
/* <0, 0, >0: name sorts before, among or after those that begin with main's stem and a dot. */
int members_place(const struct members_rule *r, const char *main, const char *name)
    __attribute__((nonnull));

/* Names, in the order in which they were added. Zeroed is empty; members_fini frees. */
struct members {
    char **names;
    size_t n, room;
};
void members_fini(struct members *m) __attribute__((nonnull));
bool members_has(const struct members *m, const char *name) __attribute__((nonnull));
/* Add a name of the folder if it may belong to main. -1: no memory. */
int members_add(struct members *m, const struct members_rule *r, const char *main, const char *name,
                struct err *err) __attribute__((nonnull, warn_unused_result));
/* After all names of the folder: drop those that belong to another raw file. */
void members_drop_others(struct members *m, const struct members_rule *r, const char *main)
    __attribute__((nonnull));
/* The length of the main file's stem that a name of a set contains; 0: it contains none. */
size_t members_own_stem(const char *name) __attribute__((nonnull));
/* Whether name could belong to main, were there no other main files. */
bool members_fits(const struct members_rule *r, const char *main, const char *name)
    __attribute__((nonnull));
/* Whether a name belongs to a main file that it names, and is none itself. */
bool members_needs_main(const struct instrument *i, const char *name) __attribute__((nonnull));

/* Find out whether the folder ignores the case of letters, by looking up name, which is in it, in
 * the other case. Writes nothing. *known stays as it is when name decides nothing (no letters, or
 * it is gone, or its other case is a name of its own). */
void members_probe(const char *folder, const char *name, bool *nocase, bool *known)
    __attribute__((nonnull));

/* List the folder, probe it, and give the names that belong to main; main itself only if it is
 * there. -1: the folder cannot be read, or no memory. */
struct members_ask {
    const struct instrument *instrument;
    const char *folder, *main;
};
int members_read(struct members *out, const struct members_ask *ask, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
