/*
 * cmd_verify_print.c - prints what trawl verify finds, while it reads and at the end.
 *
 * On a terminal one moving line shows the progress over all raw files. Each file that is not as
 * recorded is printed at once, each raw file when it is done, and the last lines count them. With
 * --json the results are collected into one value. The exit code and the one error line follow from
 * the counts.
 */
#include "cli/cmd_verify_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/human.h"
#include "common/base/path.h"
#include "common/db/doc_json.h"

#define REDRAW_MS  200
#define BAR        20
#define NOTED_MAX  100 /* damaged files named in a document */
#define REASON_MAX 200

/* --- the moving line --- */

static void draw_progress(struct verify_show *s)
{
    int64_t now = mono_ms();
    if (!s->c->progress || s->c->json || now - s->drawn_ms < REDRAW_MS) {
        return;
    }
    char done[TEXT_SHORT], rate[TEXT_SHORT], left[TEXT_SHORT] = "?", percent[TEXT_SHORT];
    int64_t took_ms = now - s->start_ms > 0 ? now - s->start_ms : 1;
    int64_t at = s->passed + (s->one != NULL ? s->one->bytes : 0);
    double per_s = (double)s->done * 1000 / (double)took_ms;
    if (per_s >= 1) {
        text_duration((int64_t)((double)(s->total - at) * 1000 / per_s), left);
    }
    int full = s->total > 0 ? (int)((double)BAR * (double)at / (double)s->total) : BAR;
    full = full > BAR ? BAR : full;
    fprintf(stderr, "\r[%.*s%.*s] %s  %" PRId64 "/%" PRId64 " files  %s  %s/s  %s left\033[K", full,
            "####################", BAR - full, "....................",
            text_percent(at, s->total, percent), s->n_done, s->n_total, text_size(s->done, done),
            text_size((int64_t)per_s, rate), left);
    fflush(stderr);
    s->drawn_ms = now;
}

void verify_show_clear(const struct verify_show *s)
{
    if (s->drawn_ms > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void verify_show_read(struct verify_show *s, int64_t bytes)
{
    s->done += bytes;
    s->one->bytes += bytes;
    draw_progress(s);
}

/* --- a file --- */

static void keep_json(struct verify_show *s, const struct verify_file *f, const char *path)
{
    if (s->many && f->state == VERIFY_OK) {
        return;
    }
    const struct record_file *r = f->record;
    json_array_append_new(s->one->list,
                          json_pack("{s:o, s:s, s:I, s:o, s:o, s:o}", "path", json_text(path),
                                    "state", verify_state_name(f->state), "size",
                                    (json_int_t)r->size, "xxh3", json_text(r->hex.xxh3), "found",
                                    json_text(f->found), "detail", json_text(f->detail)));
}

static void keep_damage(struct verify_one *one, const struct verify_file *f, const char *path)
{
    char reason[REASON_MAX + 40], key[24];
    snprintf(reason, sizeof reason, "%s%s%.190s", verify_state_name(f->state),
             f->detail[0] != '\0' ? ": " : "", f->detail);
    AUTO(free) char *text = path_escape(reason); /* may name the file */
    one->damaged++;
    if (one->first[0] == '\0') {
        snprintf(one->first, sizeof one->first, "%.170s: %.210s", path, reason);
    }
    if (one->damaged <= NOTED_MAX && text != NULL) {
        snprintf(key, sizeof key, "%" PRId64, one->damaged - 1);
        BCON_APPEND(&one->files, key, "{", "path", BCON_UTF8(path), "reason", BCON_UTF8(text), "}");
    }
}

static void print_bad(const struct verify_show *s, const struct verify_file *f, const char *path)
{
    const struct cli *c = s->c;
    verify_show_clear(s);
    style_put(c->out, STYLE_BAD, c->color, verify_state_name(f->state));
    fputs("  ", c->out);
    text_put(c->out, path);
    if (f->detail[0] != '\0') {
        fputs(": ", c->out);
        text_put(c->out, f->detail);
    }
    fputc('\n', c->out);
    fflush(c->out);
}

void verify_show_file(void *ctx, const struct verify_file *f)
{
    struct verify_show *s = ctx;
    AUTO(free) char *escaped = path_escape(f->record->path);
    const char *path = escaped != NULL ? escaped : "?";
    s->one->n++;
    s->n_done += !s->many;
    if (f->state != VERIFY_OK) {
        s->one->bad++;
    }
    if (f->state != VERIFY_OK && f->state != VERIFY_DENIED) {
        keep_damage(s->one, f, path);
    }
    if (s->one->list != NULL) {
        keep_json(s, f, path);
    } else if (f->state != VERIFY_OK) {
        print_bad(s, f, path);
    }
    draw_progress(s);
}

/* --- a raw file --- */

static const char *state_of(const struct verify_one *one)
{
    return one->state != NULL    ? one->state
           : one->damaged > 0    ? "damaged"
           : one->bad > 0        ? "unreadable"
           : one->why[0] == '\0' ? "ok"
                                 : "manifest";
}

static bool is_good(const struct verify_one *one)
{
    return one->bad == 0 && (one->state != NULL || one->why[0] == '\0');
}

static json_t *json_of_one(const struct verify_one *one, bool skipped)
{
    const char *state = skipped ? "skipped" : state_of(one);
    bool reason = skipped || one->state != NULL;
    return json_pack("{s:o, s:b, s:s, s:I, s:I, s:I, s:I, s:o, s:O}", "id", json_text(one->id),
                     "ok", (int)(!skipped && is_good(one)), "state", state, "n", (json_int_t)one->n,
                     "bad", (json_int_t)one->bad, "bytes", (json_int_t)one->bytes, "ms",
                     (json_int_t)(mono_ms() - one->start_ms), reason ? "why" : "manifest",
                     json_text(one->why), "files", one->list);
}

static void print_one(const struct verify_show *s, const char *state, enum style look)
{
    const struct cli *c = s->c;
    const struct verify_one *one = s->one;
    char size[TEXT_SHORT], took[TEXT_SHORT];
    verify_show_clear(s);
    style_put(c->out, look, c->color, state);
    fputs("  ", c->out);
    text_put(c->out, one->id);
    fprintf(c->out, "  %" PRId64 " file%s, %s read in %s", one->n, one->n == 1 ? "" : "s",
            text_size(one->bytes, size), text_duration(mono_ms() - one->start_ms, took));
    if (one->why[0] != '\0') {
        fputs(": ", c->out);
        text_put(c->out, one->why);
    }
    fputc('\n', c->out);
    fflush(c->out);
}

static void count_passed(struct verify_show *s, int64_t size)
{
    s->passed += size;
    s->n_done += s->many;
    draw_progress(s);
}

void verify_show_one(struct verify_show *s, int64_t size)
{
    const char *state = state_of(s->one);
    bool good = is_good(s->one);
    *(good ? &s->good : &s->bad) += 1;
    if (s->results != NULL) {
        json_array_append_new(s->results, json_of_one(s->one, false));
    } else if (!s->c->json && (!good || (s->many && !s->c->progress && !s->c->quiet))) {
        print_one(s, state, good ? STYLE_GOOD : STYLE_BAD);
    }
    count_passed(s, size);
}

void verify_show_skipped(struct verify_show *s, int64_t size)
{
    s->skipped++;
    if (s->results != NULL) {
        json_array_append_new(s->results, json_of_one(s->one, true));
    } else if (!s->c->json && !s->c->quiet) {
        print_one(s, "skipped", STYLE_WAIT);
    }
    count_passed(s, size);
}

/* --- the end --- */

static json_t *json_of_all(const struct verify_show *s)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:O}", "ok", (int)(s->bad == 0), "good",
                     (json_int_t)s->good, "bad", (json_int_t)s->bad, "skipped",
                     (json_int_t)s->skipped, "bytes", (json_int_t)s->done, "ms",
                     (json_int_t)(mono_ms() - s->start_ms), "results", s->results);
}

static const char *good_word(const struct verify_one *one)
{
    return one->state == NULL                 ? "all as recorded"
           : strcmp(one->state, "same") == 0  ? "the original is what was backed up"
           : strcmp(one->state, "fewer") == 0 ? "what is left of the original is what was backed up"
                                              : "the original is gone";
}

static enum cli_exit fail_for_original(const struct verify_show *s, struct err *err)
{
    if (s->many) {
        return cli_fail(err, CLI_NO,
                        "%" PRId64 " of %" PRId64
                        " originals are not what was backed up, or could not "
                        "be read; Trawl copies those that differ again, or trawl status lists them",
                        s->bad, s->bad + s->good);
    }
    const struct verify_one *one = s->one;
    return strcmp(one->state, "differs") == 0
               ? cli_fail(err, CLI_NO,
                          "%s: its original is not what was backed up: %s; see trawl "
                          "why %s",
                          one->id, one->why, one->id)
               : cli_fail(err, CLI_NO, "%s: its original cannot be read now: %s", one->id,
                          one->why);
}

static void print_end(const struct verify_show *s)
{
    char size[TEXT_SHORT], took[TEXT_SHORT];
    FILE *out = s->c->out;
    text_size(s->done, size);
    text_duration(mono_ms() - s->start_ms, took);
    if (!s->many) {
        text_put(out, s->one->id);
        fprintf(out, ": %" PRId64 " file%s, %s read in %s: ", s->one->n, s->one->n == 1 ? "" : "s",
                size, took);
        text_put(out, good_word(s->one));
        fputc('\n', out);
        return;
    }
    fprintf(out, "%" PRId64 " %s%s as %s, %" PRId64 " not", s->good,
            s->originals ? "original" : "backup", s->good == 1 ? "" : "s",
            s->originals ? "backed up" : "recorded", s->bad);
    if (s->skipped > 0) {
        fprintf(out, ", %" PRId64 " skipped", s->skipped);
    }
    fprintf(out, "; %s read in %s\n", size, took);
}

static enum cli_exit fail_for_backup(const struct verify_show *s, struct err *err)
{
    if (s->originals) {
        return fail_for_original(s, err);
    }
    if (s->many) {
        return cli_fail(err, CLI_NO,
                        "%" PRId64 " of %" PRId64 " backups are not as recorded; the damaged ones "
                        "are marked, and trawl status lists them",
                        s->bad, s->bad + s->good);
    }
    const struct verify_one *one = s->one;
    if (one->bad == 0) {
        return cli_fail(err, CLI_NO, "%s: its files are as recorded, but not its manifest: %s",
                        one->id, one->why);
    }
    return cli_fail(err, CLI_NO,
                    "%s: %" PRId64 " of %" PRId64 " files of the backup are not as recorded; %s",
                    one->id, one->bad, one->n,
                    one->damaged > 0 ? "copy them again while the instrument still has them"
                                     : "run trawl verify as a user that may read them");
}

enum cli_exit verify_show_end(struct verify_show *s, struct err *err)
{
    verify_show_clear(s);
    if (s->c->json) {
        json_t *answer = s->many ? json_of_all(s) : json_of_one(s->one, s->skipped > 0);
        if (json_print(answer, s->c->out, err) != 0) {
            return cli_exit_of(err);
        }
    } else if (!s->c->quiet && (s->many || s->good == 1)) {
        print_end(s);
    }
    return s->bad == 0 ? CLI_OK : fail_for_backup(s, err);
}
