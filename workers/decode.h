/*
 * decode.h - fields that the task documents of several kinds have in common. Pure; any thread.
 *
 * Each call gives 0, or -1 and INVALID for a document that can never become a job, TRANSIENT when
 * memory is short. What it put in *out belongs to the caller (free), also after a failure.
 */
#ifndef WORKERS_DECODE_H
#define WORKERS_DECODE_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

/* raw_file, the raw file's id, as it is written: escaped, 1 to 800 bytes. */
int decode_raw_file(const bson_t *task, char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* input.source_root: an absolute path as it is configured, not escaped. */
int decode_source_root(const bson_t *task, char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The bytes of an escaped text at path, which must be there. */
int decode_text(const bson_t *doc, const char *path, char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* The bytes of an escaped name of one file, without a folder. */
int decode_file_name(const char *escaped, char **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* A member {from, to}: two names of files. */
int decode_member(const bson_t *member, char **from, char **to, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* A view of input.members, valid as long as task is, and how many they are: 1 to 4096. */
int decode_members(const bson_t *task, bson_t *list, uint32_t *n, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Whether the raw file of a move or remove task is a set: several names with one stem (Sciex). */
bool decode_is_set(const bson_t *task) __attribute__((nonnull));
#endif
