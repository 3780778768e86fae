/*
 * embedded.h - the shell scripts and the table of error codes, as the build put them into the
 * program (embed.cmake). Not terminated by NUL.
 */
#ifndef WORKERS_QUANT_EMBEDDED_H
#define WORKERS_QUANT_EMBEDDED_H
#include <stddef.h>

extern const unsigned char embedded_submit_job[];
extern const size_t embedded_submit_job_len;
extern const unsigned char embedded_remote[];
extern const size_t embedded_remote_len;
extern const unsigned char embedded_error_codes[];
extern const size_t embedded_error_codes_len;
#endif
