/*
 * embedded.h - the table of error codes, as the build put it into the program (embed.cmake). Not
 * terminated by NUL.
 */
#ifndef WORKERS_QUANT_EMBEDDED_H
#define WORKERS_QUANT_EMBEDDED_H
#include <stddef.h>

extern const unsigned char embedded_error_codes[];
extern const size_t embedded_error_codes_len;
#endif
