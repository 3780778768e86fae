/*
 * progress.h - readable lines about how far a long read is, for the log of a cluster job.
 * Threads: none; one owner.
 */
#ifndef MSQC_PROGRESS_H
#define MSQC_PROGRESS_H
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct progress {
    FILE *log; /* NULL: silent */
    const char *unit;
    uint64_t total;
    unsigned next_percent;
    struct timespec start;
};

/* Start the clock. log may be NULL; log and unit are borrowed. Cannot fail. */
void progress_start(struct progress *progress, FILE *log, const char *unit)
    __attribute__((nonnull(1, 3)));

/* Say a line each time another 10 % of progress->total is done. */
void progress_at(struct progress *progress, uint64_t done) __attribute__((nonnull));

/* Seconds since progress_start(). */
double progress_seconds(const struct progress *progress) __attribute__((nonnull));

/* One line of text, or nothing when silent. */
void progress_say(const struct progress *progress, const char *fmt, ...)
    __attribute__((nonnull, format(printf, 2, 3)));
#endif
