/*
 * acquisition.h - when has an acquisition ended? Pure: the rules, the memory and the present look
 * in, a verdict out. The rules are docs/rules.md, "The end of an acquisition", the thresholds the
 * instrument's; above all of them, nothing that belongs to the raw file may have moved for still_s.
 */
#ifndef SCHEDULER_WATCH_ACQUISITION_H
#define SCHEDULER_WATCH_ACQUISITION_H
#include <stdbool.h>
#include <stdint.h>

#include "common/config/config.h"

/* All that belongs to a raw file, in a few numbers: equal numbers, nothing has moved. Sums, so that
 * the order of a folder's names does not matter. Times are only ever compared for being the same:
 * no clock of a server is compared with ours. */
struct signature {
    int64_t n;      /* names of any kind; -1: not known */
    int64_t bytes;  /* of all files */
    int64_t newest; /* ns: the latest time (mtime or ctime) of a file */
    int64_t shape;  /* hash of names, kinds and sizes */
    int64_t stamp;  /* hash of names, kinds, sizes and times */
};

bool signature_known(const struct signature *s) __attribute__((nonnull));
/* Whether nothing at all has moved. */
bool signature_same(const struct signature *a, const struct signature *b) __attribute__((nonnull));
/* Whether at most times have moved. */
bool signature_same_shape(const struct signature *a, const struct signature *b)
    __attribute__((nonnull));

/* What the raw file's document remembers. Durations, not dates: they are added up on a monotonic
 * clock, so a restart or a clock jump can delay a decision but never change it. */
struct acquisition {
    int64_t size;         /* of the main file when last seen; -1: never seen */
    int64_t quiet_ms;     /* how long nothing that belongs to it has moved */
    int64_t missing_ms;   /* how long the main file has been missing */
    int64_t check_ms;     /* since the last size check */
    int64_t checked_size; /* at the last size check; -1: none yet */
    struct signature sig; /* of all of it when last seen */
};

/* What one look at the share shows. */
struct sighting {
    int64_t since_ms; /* monotonic time since the last look, 0 for the first */
    bool main_present;
    bool unreadable;            /* a part of it could not be read */
    int64_t size;               /* of the main file; of all of it when no file is the main one */
    struct signature sig;       /* of all of it */
    int64_t scan_size;          /* of <stem>.wiff.scan; -1 when missing; Sciex only */
    bool corrupted_sibling;     /* <stem>_CORRUPTED.raw is there; Thermo only */
    bool successor;             /* a raw file that was born later is there */
    int64_t behind_youngest_ms; /* how much older than the youngest in the folder */
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
/* Add the look to the memory and decide; *rule names the rule that decided ("next file", "size
 * unchanged", "quiet", "old file", RAW_RULE_RENAMED, "main file missing"), or what it waits for
 * (RAW_WAITS_…). */
enum verdict acquisition_add_look(const struct instrument *i, struct acquisition *a,
                                  const struct sighting *s, const char **rule)
    __attribute__((nonnull));
#endif
