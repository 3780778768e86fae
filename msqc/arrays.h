/*
 * arrays.h - sum and maximum of a binary array of an mzML file (base64, often zlib) while its text
 * arrives. Nothing of the array is kept, so memory does not depend on its size.
 * Threads: none; one owner.
 */
#ifndef MSQC_ARRAYS_H
#define MSQC_ARRAYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"

#define ARRAYS_MAX_BYTES ((uint64_t)256 << 20)

/* What the file says about an array; what it then holds must agree. */
struct arrays_spec {
    uint64_t count;
    unsigned width; /* bytes a number: 4 or 8, IEEE 754, little endian */
    bool zlib;
};

struct arrays_summary {
    double sum; /* 0 of an empty array; NAN when a number is not finite */
    double max; /* NAN of an empty array */
};

struct arrays_decoder; /* opaque; defined in arrays.c; serves one array after another */

/* A decoder that the caller owns (arrays_free). On failure: NULL, *err set. */
struct arrays_decoder *arrays_new(struct err *err) OWNED __attribute__((nonnull));

/* Start an array. On failure (larger than ARRAYS_MAX_BYTES): -1, *err set. */
int arrays_begin(struct arrays_decoder *decoder, const struct arrays_spec *spec, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/*
 * Decode the next piece of base64 text, cut anywhere. On failure: -1, *err set; more than was
 * declared is refused as soon as it appears, so a decompression bomb stops there.
 */
int arrays_feed(struct arrays_decoder *decoder, const char *text, size_t size, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* End the array. On failure (less than was declared): -1, *err set, *summary untouched. */
int arrays_end(struct arrays_decoder *decoder, struct arrays_summary *summary, struct err *err)
    __attribute__((nonnull, warn_unused_result));

void arrays_free(struct arrays_decoder *decoder);
AUTO_DEFINE(struct arrays_decoder, arrays_free);
#endif
