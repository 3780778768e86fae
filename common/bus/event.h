/*
 * event.h - a message of <env>.events: something changed; consumers that care recompute. The format
 * is in docs/data-model.md. Pure.
 */
#ifndef COMMON_BUS_EVENT_H
#define COMMON_BUS_EVENT_H
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/own.h"

struct event {
    char raw_file[1024]; /* "": not of one raw file alone */
};
/* INVALID, with a reason, when it is no event of this version. */
int event_decode(const void *data, size_t len, struct event *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* event: "task", "raw_file" or "pool", of this id; raw_file: "" for none. free(). */
char *event_encode(const char *event, const char *id, const char *raw_file) OWNED
    __attribute__((nonnull));
#endif
