/*
 * quant_input.h - what the task of quantifying one raw file with one version of settings is given
 * to do. The planner and `trawl rerun` make the same. Pure.
 */
#ifndef COMMON_QUANT_QUANT_INPUT_H
#define COMMON_QUANT_QUANT_INPUT_H
#include <bson/bson.h>
#include <stdint.h>

#include "common/base/own.h"

struct quant_ask {
    const bson_t *raw_file, *settings;
    const char *instrument_type;
    const char *exists_mode; /* raise, overwrite, associate, add */
    int64_t run;             /* 1: the first; a rerun is one more than the last */
};
/* The task's input; NULL when memory is short. */
bson_t *quant_input(const struct quant_ask *a) OWNED __attribute__((nonnull));
#endif
