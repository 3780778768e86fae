/*
 * plan_tasks.h - what the two halves of planning share: plan.c decides and writes down,
 * plan_tasks.c makes the tasks. Private to scheduler/; brain thread only.
 */
#ifndef SCHEDULER_PLAN_PLAN_TASKS_H
#define SCHEDULER_PLAN_PLAN_TASKS_H
#include "common/base/strset.h"
#include "common/db/docs.h"
#include "common/quant/settings_resolve.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/plan_writes.h"
#include "scheduler/scheduler.h"

struct plan {
    struct scheduler *s;
    plan_serve_fn *serve;
    struct docs files, tasks;
    struct settings_book book;
    struct ledger ledger;
    struct strset indexing; /* raw files with an open index task, from s->dispatch.open */
    bson_t planned;         /* keys: raw files whose tasks were made since they were last served */
};

/* Make (or open again) a raw file's tasks; the ids are appended to new_ids. */
int plan_copy(struct plan *p, const bson_t *rf, bson_t *new_ids, struct err *err)
    __attribute__((warn_unused_result));
int plan_quant(struct plan *p, const bson_t *rf, const bson_t *settings, bson_t *new_ids,
               struct err *err) __attribute__((warn_unused_result));
/* To be called whenever s->dispatch.open was read again. */
int plan_collect_indexing(struct plan *p, struct err *err) __attribute__((warn_unused_result));
/* Make the index task of a raw file that changed, or that this pass changes, when it is time. */
int plan_index(struct plan *p, const bson_t *rf, bool ended, bool changes, struct err *err)
    __attribute__((warn_unused_result));
/* The settings that quantify a raw file; returns how many. */
size_t plan_resolve(struct plan *p, const bson_t *rf, const bson_t *out[RESOLVE_MAX]);
#endif
