/*
 * contribution.h - what one raw file says about each entity that it touches. Pure.
 *
 * Entities are the raw file itself, its quantification results, its project and its instrument. A
 * contribution is replaced only by one of an equal or higher rev, so contributions may be written
 * in any order, more than once, by more than one worker. An entity that a raw file has left gets a
 * tombstone, which is a contribution like any other.
 */
#ifndef WORKERS_INDEX_CONTRIBUTION_H
#define WORKERS_INDEX_CONTRIBUTION_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/docs.h"
#include "common/index/entity.h"

struct contribution {
    enum entity_type type;
    char *entity;
    bool deleted;
    bson_t *contents;
};
struct contribution_list { /* zeroed is empty */
    struct contribution *items;
    size_t n;
};
void contribution_list_clear(struct contribution_list *l) __attribute__((nonnull));

/* Everything that is known of one raw file. */
struct contribution_sources {
    const bson_t *raw;
    const struct docs *metrics; /* all that name it */
    const struct docs *tasks;   /* those planned for it; only kind quant counts */
};

/* Append what these sources say; the order of metrics and tasks does not matter. -1 and TRANSIENT
 * when memory is short. The caller clears the list in any case. */
int contribution_build(const struct contribution_sources *src, struct contribution_list *out,
                       struct err *err) __attribute__((nonnull, warn_unused_result));

/* Append a tombstone for each id of "before" (an array of entity ids) that the list does not name.
 * Ids of unknown types are left alone. */
int contribution_bury(const bson_t *before, struct contribution_list *list, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* "<type>/<entity>/<raw file id>": the contribution's _id. free(); NULL when memory is short. */
char *contribution_id(enum entity_type type, const char *entity, const char *raw_file) OWNED
    __attribute__((nonnull));

/* The one rule of replacement. */
static inline bool contribution_replaces(int64_t stored_rev, int64_t rev)
{
    return stored_rev <= rev;
}

/* contents.c: the contents of each type. Freed with bson_destroy; never NULL. */
bson_t *contents_raw_file(const struct contribution_sources *src) OWNED __attribute__((nonnull));
bson_t *contents_result(const struct contribution_sources *src, const bson_t *task) OWNED
    __attribute__((nonnull));
/* The same for the project and the instrument: one line of their sums. */
bson_t *contents_member(const struct contribution_sources *src) OWNED __attribute__((nonnull));
#endif
