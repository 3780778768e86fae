/*
 * instruments.h - the instruments of config/instruments.d.
 */
#ifndef OPS_INSTRUMENTS_H
#define OPS_INSTRUMENTS_H
#include "common/base/err.h"
#include "common/config/config.h"

/* Called in the order of ids; i is NULL and *why set when the file cannot be used. Any result but 0
 * stops. */
typedef int instrument_fn(void *ctx, const char *id, const struct instrument *i,
                          const struct err *why);
/* -1 and *err set when the folder cannot be read; else 0, or what fn returned to stop. */
int instruments_each(const struct config *cfg, instrument_fn *fn, void *ctx, struct err *err)
    __attribute__((nonnull(1, 2, 4), warn_unused_result));
#endif
