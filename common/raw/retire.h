/*
 * retire.h - which raw files leave the instrument, decided from their documents alone: when one is
 * moved into the instrument's Backup, and which are removed from there. Pure; the scheduler and
 * `trawl remove --dry-run` decide alike. retire_check.h checks the bytes.
 */
#ifndef COMMON_RAW_RETIRE_H
#define COMMON_RAW_RETIRE_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#define RETIRE_FOLDER       "Backup"    /* below the instrument's folder */
#define RETIRE_DUPLICATE    ".deleteme" /* the suffix of a source whose copy is in Backup already */
#define RETIRE_MAX_AGE_DAYS 600         /* older files are for people to decide about */
#define RETIRE_RECHECK_MS   (12 * 3600 * INT64_C(1000)) /* how long a refused file is left alone */
#define RETIRE_ENV          "production" /* nothing is moved or removed in any other environment */

/* Whether its copy was made and not taken back. AlphaKraken's upload_* say so, too: they are about
 * what it did with the backup afterwards. */
bool retire_backup_is_complete(const bson_t *raw) __attribute__((nonnull));
/* The values of backup_status for which it holds, as the array of an $in. */
void retire_append_complete(bson_t *filter) __attribute__((nonnull));
/* Why the backup cannot replace the original: not complete, or damaged; NULL when it can. */
const char *retire_backup_problem(const bson_t *raw) __attribute__((nonnull));

/* The wall time from which it may be moved; -1: not in its present state (delay_m is negative, it
 * was moved, its backup is not complete). */
int64_t retire_move_due_ms(const bson_t *raw, int64_t delay_m) __attribute__((nonnull));

enum retire_verdict {
    RETIRE_GO,
    RETIRE_PURGED,
    RETIRE_NOT_MOVED,
    RETIRE_NO_BACKUP,
    RETIRE_TOO_YOUNG,
    RETIRE_TOO_OLD,
    RETIRE_REFUSED, /* its files were checked not long ago and did not allow it */
    RETIRE_ENOUGH,  /* older files free enough */
    RETIRE_VERDICT_COUNT
};
const char *retire_verdict_name(enum retire_verdict v) __attribute__((returns_nonnull));

struct retire_rule {
    int64_t now_ms;
    double min_age_days;
    int64_t wanted_bytes; /* to be freed; 0: nothing */
    int64_t recheck_ms;   /* 0: check refused files again at once */
};
/* How much to free so that min_free_gb are free; 0 for min_free_gb <= 0 or an unknown free_gb (-1).
 */
int64_t retire_wanted_bytes(int64_t min_free_gb, int64_t free_gb);
/* Ask oldest first; chosen_bytes: of those chosen so far. */
enum retire_verdict retire_verdict_of(const struct retire_rule *r, const bson_t *raw,
                                      int64_t chosen_bytes) __attribute__((nonnull));
#endif
