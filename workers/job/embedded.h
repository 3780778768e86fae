/*
 * embedded.h - the two shell scripts of this folder, as the build put them into the program
 * (embed.cmake). Not terminated by NUL.
 */
#ifndef WORKERS_JOB_EMBEDDED_H
#define WORKERS_JOB_EMBEDDED_H
#include <stddef.h>

extern const unsigned char embedded_run_job[];
extern const size_t embedded_run_job_len;
extern const unsigned char embedded_remote[];
extern const size_t embedded_remote_len;
#endif
