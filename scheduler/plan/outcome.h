/*
 * outcome.h - what a raw file's documents mean: its status, and what to do next. Pure: the raw file
 * and its tasks in, an outcome out; so a restart or another reading decides the same.
 */
#ifndef SCHEDULER_PLAN_OUTCOME_H
#define SCHEDULER_PLAN_OUTCOME_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/raw/raw_file.h"
#include "scheduler/watch/name_rules.h"

enum outcome_next {
    NEXT_WAIT,          /* something is under way, or all is done */
    NEXT_COPY,          /* the acquisition has ended: plan the copy */
    NEXT_QUANT,         /* the copy is there: plan what quantifies it */
    NEXT_MONITOR_AGAIN, /* its original is not what was copied: send it back to monitoring */
};

struct outcome {
    enum raw_status status; /* docs/rules.md, "Statuses of a raw file" */
    char details[1024];
    const char *backup_status;          /* NULL: leave it */
    const char *instrument_file_status; /* NULL: leave it */
    enum outcome_next next;
    bool ended;          /* nothing is under way or to be planned */
    bool copied;         /* take over the copy's result */
    bool purged;         /* the original is deleted at the instrument */
    bool restored;       /* what an import kept of its backup counts again */
    bool remark;         /* set the raw file's "retire" to what follows */
    char retire[64];     /* docs/data-model.md; "": none */
    const char *kept;    /* why a removal that has just ended left it on the instrument, or NULL */
    const char *differs; /* how the original in Backup differs, as that removal found, or NULL */
};

struct outcome_tasks {
    const bson_t *copy, *move, *remove; /* NULL: not planned */
    const bson_t *const *quant;
    size_t n_quant;
    bool replaced; /* a newer raw file has its name: the file there is not its original */
};

/* i: NULL when the instrument is not configured. has_settings: at least one applies. */
void outcome_of(const bson_t *raw_file, const struct outcome_tasks *tasks,
                const struct instrument *i, bool has_settings, struct outcome *out)
    __attribute__((nonnull(1, 2, 5)));
#endif
