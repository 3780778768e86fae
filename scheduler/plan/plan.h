/* plan.h - from raw files to their tasks. Brain thread only. */
#ifndef SCHEDULER_PLAN_PLAN_H
#define SCHEDULER_PLAN_PLAN_H
#include <bson/bson.h>

#include "common/base/err.h"

struct scheduler;

/* Dispatches what was planned for these raw files (keys), so that they do not wait while a thousand
 * others are planned. */
typedef int plan_serve_fn(struct scheduler *s, const bson_t *touched, struct err *err);

/* Plan the raw files that were touched, or (NULL) all that are not settled; calls serve in between
 * when that takes long. Settings that cannot be used stop quantification and nothing else:
 * plan_trouble says why. -1: the database does not answer, or serve has failed. */
int plan_pass(struct scheduler *s, const bson_t *touched, plan_serve_fn *serve, struct err *err)
    __attribute__((warn_unused_result));
#endif
