/*
 * cmd_verify_print.h - what trawl verify prints: a moving line on a terminal, else one line a raw
 * file, one JSON value for scripts.
 */
#ifndef CLI_CMD_VERIFY_PRINT_H
#define CLI_CMD_VERIFY_PRINT_H
#include "cli/cli.h"
#include "common/db/doc_json.h"
#include "ops/verify.h"

struct verify_show {
    struct cli *c;
    bool many;      /* more than one raw file was asked for */
    bool originals; /* originals are compared, instead of backups read */
    struct verify_one *one;
    json_t *results;             /* of many; NULL without --json */
    int64_t total, done, passed; /* bytes: of all, read, of raw files that are done */
    int64_t n_total, n_done;     /* raw files, or the files of the one */
    int64_t start_ms, drawn_ms;
    int64_t good, bad, skipped;
};

void verify_show_read(struct verify_show *s, int64_t bytes) __attribute__((nonnull));
/* For verify_watch.file; ctx is a struct verify_show. */
void verify_show_file(void *ctx, const struct verify_file *f);
/* The raw file s->one is done; size: what it was expected to read. */
void verify_show_one(struct verify_show *s, int64_t size) __attribute__((nonnull));
/* It was skipped because of one->why. */
void verify_show_skipped(struct verify_show *s, int64_t size) __attribute__((nonnull));
/* Print the result; returns the exit code. */
enum cli_exit verify_show_end(struct verify_show *s, struct err *err) __attribute__((nonnull));
/* Remove the moving line before something else is written. */
void verify_show_clear(const struct verify_show *s) __attribute__((nonnull));
#endif
