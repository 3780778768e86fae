/*
 * acquisition.h - when has an acquisition ended? Pure: rules, what is remembered, what is seen now,
 * in; a verdict out. The rules are reference/ingest.md §1.2 (a), the thresholds the instrument's.
 */
#ifndef SCHEDULER_ACQUISITION_H
#define SCHEDULER_ACQUISITION_H
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"

/* What the raw file's document remembers. Durations, not dates: they are added up on a monotonic
 * clock, so a restart or a clock jump can delay a decision but never change it. */
struct acquisition {
    int64_t size;         /* of the main file when last seen; -1: never seen */
    int64_t quiet_ms;     /* for so long the size has not changed */
    int64_t missing_ms;   /* for so long the main file has been missing */
    int64_t check_ms;     /* since the last size check */
    int64_t checked_size; /* at the last size check; -1: none yet */
};

/* One look at the share. */
struct sighting {
    int64_t since_ms; /* monotonic time since the last look, 0 for the first */
    bool main_present;
    int64_t size;               /* of the main file */
    int64_t scan_size;          /* of <stem>.wiff.scan; -1 when missing; Sciex only */
    bool corrupted_sibling;     /* <stem>_CORRUPTED.raw is there; Thermo only */
    bool successor;             /* a raw file that was born later is there */
    int64_t behind_youngest_ms; /* so much older than the youngest in the folder */
};

enum verdict {
    VERDICT_WAIT,
    VERDICT_DONE,
    VERDICT_RENAMED,      /* it got the name <stem>_CORRUPTED.raw */
    VERDICT_MAIN_MISSING, /* the main file was not created, or is gone */
    VERDICT_REPLACED,     /* another file has taken its name */
    VERDICT_COUNT
};

/* A new acquisition's memory. */
struct acquisition acquisition_new(void);
/* Take the look into account; *rule names the rule that decided ("next file", "size unchanged",
 * "quiet", "old file", "renamed", "main file missing"), or what it waits for. */
enum verdict acquisition_look(const struct instrument *i, struct acquisition *a,
                              const struct sighting *s, const char **rule) __attribute__((nonnull));
#endif
