/*
 * ops.h - what every question and action of an operator needs: the command line fills it once, a
 * service for each request. Errors are ERR_MISSING, ERR_REFUSED and those of common/; the caller
 * turns them into exit codes or HTTP statuses.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H
#include "common/base/err.h"
#include "common/config/config.h"
#include "common/db/db.h"

struct ops { /* all borrowed */
    const struct config *cfg;
    struct db *db;
    const char *by;  /* the operator: "kim@lab" */
    const char *why; /* the reason given, for the audit; "" for none */
};

/* Wake the schedulers: something changed ("task" or "pool", its id, and its raw file or NULL). Best
 * effort: without it they notice in their next sweep. Takes up to 5 s while there is no broker. */
void ops_event(const struct ops *o, const char *event, const char *id, const char *raw_file)
    __attribute__((nonnull(1, 2, 3)));
#endif
