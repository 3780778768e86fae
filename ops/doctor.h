/*
 * doctor.h - whether this host can do the work of some kinds: one line for each thing looked at.
 */
#ifndef OPS_DOCTOR_H
#define OPS_DOCTOR_H
#include <stddef.h>

#include "common/config/config.h"
#include "common/db/db.h"
#include "common/task/kinds.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATE_COUNT };
/* "ok", "warn", "fail" */
const char *doctor_state_name(enum doctor_state s) __attribute__((returns_nonnull));

struct doctor_line {
    char check[96]; /* "MongoDB clock", "location backup" */
    enum doctor_state state;
    char text[320];   /* what was looked at, and what was found */
    char remedy[240]; /* "" when the state is ok */
};
struct doctor {
    struct doctor_line *lines;
    size_t n;
    bool incomplete; /* memory was short: lines are missing */
};

#define DOCTOR_KINDS 16
/* The kinds of "copy,quant", NULL-terminated, as they are called in task_kind_names; text NULL:
 * those that trawl-worker runs by default. INVALID names the word that is no kind. */
int doctor_kinds(const char *text, const char *out[static DOCTOR_KINDS + 1], struct err *err)
    __attribute__((nonnull(2, 3), warn_unused_result));

struct doctor_want {
    const struct config *cfg;
    struct db *db;            /* NULL: [mongo] cannot be used, and db_trouble says why */
    const char *const *kinds; /* NULL-terminated */
    const struct err *db_trouble;
};
/* Look at everything that these kinds need on this host. What fails is a line and keeps no other
 * check from being made; a server that is away costs a few seconds. *out begins as {0}; clear it
 * in any case. */
void doctor_look(const struct doctor_want *want, struct doctor *out) __attribute__((nonnull));
/* Add a line; remedy "" for DOCTOR_OK. */
void doctor_add(struct doctor *d, enum doctor_state state, const char *check, const char *remedy,
                const char *fmt, ...) __attribute__((nonnull, format(printf, 5, 6)));
/* Add the line about MongoDB's clock, which is so much ahead of ours. */
void doctor_add_clock(struct doctor *d, int64_t ahead_ms) __attribute__((nonnull));
/* Whether nothing has failed. */
bool doctor_well(const struct doctor *d) __attribute__((nonnull));
void doctor_clear(struct doctor *d) __attribute__((nonnull));
#endif
