/*
 * health.h - whether a process works: the thread on which all depends marks [trawl] health_file at
 * each of its turns, and `--healthy` looks how long ago that was. A server that is away is no
 * fault of the process. Without the key nothing is marked.
 */
#ifndef COMMON_HEALTH_H
#define COMMON_HEALTH_H
#include "common/config/config.h"

struct health {
    const char *file;  /* the configuration's */
    int64_t marked_ms; /* monotonic */
};
/* At most once a second; a failure is logged. The thread that owns h. */
void health_mark(struct health *h) __attribute__((nonnull));
/* 0: it was marked lately. INVALID: the key is not set. TRANSIENT: it was not, or never. */
int health_ask(const struct config *cfg, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
