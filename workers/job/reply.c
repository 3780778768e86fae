/*
 * reply.c - reading what the head node answered (engine_slurm.h, frame.h): lines of fields
 * separated by
 * '|'. The text comes from outside: every number is checked, every length is bounded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "workers/job/engine_slurm.h"

#define FIELDS_MAX 8
#define STRAYS_MAX 256

/* A field is a piece of the reply; not terminated. */
struct field {
    const char *at;
    size_t len;
};
struct line {
    struct field fields[FIELDS_MAX]; /* without "trawl"; the last one holds the rest */
    size_t n;
};

/* The next line of ours that is whole (ends in a newline); false at the end. */
static bool next_line(const char **at, size_t fields_max, struct line *out)
{
    static const char prefix[] = "trawl|";
    for (;;) {
        const char *start = *at;
        const char *end = strchr(start, '\n');
        if (end == NULL) {
            return false;
        }
        *at = end + 1;
        if (strncmp(start, prefix, sizeof prefix - 1) != 0) {
            continue;
        }
        start += sizeof prefix - 1;
        *out = (struct line){0};
        while (out->n < fields_max) {
            const char *bar = memchr(start, '|', (size_t)(end - start));
            bool last = bar == NULL || out->n + 1 == fields_max;
            const char *stop = last ? end : bar;
            out->fields[out->n++] = (struct field){start, (size_t)(stop - start)};
            if (last) {
                break;
            }
            start = bar + 1;
        }
        return true;
    }
}

static bool is(const struct field *f, const char *text)
{
    return f->len == strlen(text) && memcmp(f->at, text, f->len) == 0;
}

static void copy(const struct field *f, char *to, size_t room)
{
    size_t len = f->len < room ? f->len : room - 1;
    memcpy(to, f->at, len);
    to[len] = '\0';
}

/* A whole number of at most 18 digits, or -1. */
static int64_t number(const struct field *f)
{
    if (f->len == 0 || f->len > 18) {
        return -1;
    }
    int64_t value = 0;
    for (size_t i = 0; i < f->len; i++) {
        if (f->at[i] < '0' || f->at[i] > '9') {
            return -1;
        }
        value = value * 10 + (f->at[i] - '0');
    }
    return value;
}

/* What sbatch says when no later try would help. */
static bool is_refusal(const char *message)
{
    static const char *const refusals[] = {
        "nvalid partition",
        "nvalid account",
        "nvalid qos",
        "nvalid time limit",
        "nvalid --mem",
        "nvalid number",
        "time limit is invalid",
        "nvalid job credential",
        "configuration is not available",
        "specification can not",
        "more processors requested",
        "unrecognized option",
        "nvalid generic resource",
        "ob violates accounting",
        "not permitted",
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcasestr(message, refusals[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* What sbatch says when the cluster, not the job, is the trouble. */
static bool is_away(const char *message)
{
    static const char *const signs[] = {"nable to contact",  "ocket timed out",
                                        "onnection refused", "munge",
                                        "ero Bytes",         "rotocol authentication"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (strcasestr(message, signs[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static enum job_answer submit_answer(const struct line *line, struct job_result *out)
{
    const struct field *verdict = &line->fields[2];
    if (is(verdict, "ok")) {
        out->id = number(&line->fields[3]);
        return out->id > 0 ? JOB_FOUND : JOB_UNCERTAIN;
    }
    copy(&line->fields[4], out->message, sizeof out->message);
    out->away = is_away(out->message);
    if (is(verdict, "sbatch")) {
        return is_refusal(out->message) ? JOB_REFUSED : JOB_UNCERTAIN;
    }
    if (is(verdict, "closed")) {
        return JOB_NONE;
    }
    return is(verdict, "exists") ? JOB_TAKEN : JOB_UNUSABLE;
}

/* The line "<verb>|<name>|<verdict>|<value>|<text>" of a name; false when there is none. The
 * message is what the script could not do at all, until a line says better. */
static bool find_answer(const char *reply, const char *verb, const char *name,
                        struct job_result *out, struct line *line)
{
    *out = (struct job_result){.answer = JOB_CUT};
    while (next_line(&reply, 5, line)) {
        if (is(&line->fields[0], "error") && line->n >= 4) {
            copy(&line->fields[3], out->message, sizeof out->message);
        }
        if (line->n == 5 && is(&line->fields[0], verb) && is(&line->fields[1], name)) {
            return true;
        }
    }
    return false;
}

void slurm_read_submit(const char *reply, const char *name, struct job_result *out)
{
    struct line line;
    if (find_answer(reply, "submit", name, out, &line)) {
        out->answer = submit_answer(&line, out);
    }
}

void slurm_read_find(const char *reply, const char *name, struct job_result *out)
{
    struct line line;
    if (!find_answer(reply, "find", name, out, &line)) {
        return;
    }
    out->id = is(&line.fields[2], "ok") ? number(&line.fields[3]) : -1;
    out->answer = out->id > 0 ? JOB_FOUND : out->id == 0 ? JOB_NONE : JOB_UNCERTAIN;
    if (out->id < 0) {
        copy(&line.fields[4], out->message, sizeof out->message);
    }
}

static int compare_views(const void *a, const void *b)
{
    const struct job_watched *x = a, *y = b;
    return x->view.id < y->view.id ? -1 : x->view.id > y->view.id;
}

/* The view of this id and exactly this name: ids come round again, and two jobs may have one. */
static struct job_view *find_view(struct job_watched *jobs, size_t n, const struct field *id,
                                  const struct field *name)
{
    if (n == 0) {
        return NULL;
    }
    struct job_watched key = {.view = {.id = number(id)}};
    struct job_watched *job = bsearch(&key, jobs, n, sizeof *jobs, compare_views);
    while (job != NULL && job > jobs && job[-1].view.id == key.view.id) {
        job--;
    }
    for (; job != NULL && job < jobs + n && job->view.id == key.view.id; job++) {
        if (is(name, job->view.name)) {
            return &job->view;
        }
    }
    return NULL;
}

/* "3:0" -> exit code and signal. */
static void read_codes(const struct field *f, struct job_word *word)
{
    char text[24];
    copy(f, text, sizeof text);
    char *end = NULL;
    long code = strtol(text, &end, 10);
    long signal = *end == ':' ? strtol(end + 1, NULL, 10) : 0;
    word->exit_code = code >= 0 && code < 65536 ? (int)code : -1;
    word->signal = signal >= 0 && signal < 128 ? (int)signal : 0;
}

static void read_sacct(struct job_watched *jobs, size_t n, const struct line *line)
{
    struct job_view *view =
        line->n >= 6 ? find_view(jobs, n, &line->fields[1], &line->fields[2]) : NULL;
    if (view == NULL) {
        return;
    }
    struct job_word *word = &view->sacct;
    copy(&line->fields[3], word->state, sizeof word->state);
    read_codes(&line->fields[4], word);
    word->elapsed_s = number(&line->fields[5]);
}

/* " Key=value" in a line of scontrol -o; an empty field when there is none. */
static struct field scontrol_value(const struct field *text, const char *key)
{
    const char *at = memmem(text->at, text->len, key, strlen(key));
    if (at == NULL) {
        return (struct field){text->at, 0};
    }
    at += strlen(key);
    const char *end = memchr(at, ' ', (size_t)(text->at + text->len - at));
    return (struct field){at, (size_t)((end != NULL ? end : text->at + text->len) - at)};
}

static void read_scontrol(struct job_watched *jobs, size_t n, const struct line *line)
{
    if (line->n < 2) {
        return;
    }
    /* The rest of the line, bars and all. JobState, ExitCode and RunTime come before everything
     * that a user may name. */
    struct field rest = line->fields[1];
    struct field id = scontrol_value(&rest, "JobId=");
    struct field name = scontrol_value(&rest, " JobName=");
    struct job_view *view = find_view(jobs, n, &id, &name);
    if (view == NULL) {
        return;
    }
    struct field state = scontrol_value(&rest, " JobState=");
    struct field codes = scontrol_value(&rest, " ExitCode=");
    struct field ran = scontrol_value(&rest, " RunTime=");
    char elapsed[32];
    copy(&state, view->scontrol.state, sizeof view->scontrol.state);
    read_codes(&codes, &view->scontrol);
    copy(&ran, elapsed, sizeof elapsed);
    view->scontrol.elapsed_s = elapsed_s(elapsed);
}

static void read_status(struct job_watched *jobs, size_t n, const struct line *line)
{
    struct job_view *view =
        line->n == 4 ? find_view(jobs, n, &line->fields[1], &line->fields[2]) : NULL;
    if (view != NULL) {
        job_status_read(line->fields[3].at, line->fields[3].len, view);
    }
}

/* "mark|<id>|<name>|<closed>|<claimed>|<beat>" */
static void read_mark(struct job_watched *jobs, size_t n, const struct line *line)
{
    struct job_view *view =
        line->n >= 6 ? find_view(jobs, n, &line->fields[1], &line->fields[2]) : NULL;
    if (view != NULL) {
        view->closed = is(&line->fields[3], "1");
        view->claimed = is(&line->fields[4], "1");
        copy(&line->fields[5], view->beat, sizeof view->beat);
    }
}

static void read_stray(const struct line *line, struct job_poll *out)
{
    if (line->n < 4 || out->n_strays == STRAYS_MAX || number(&line->fields[1]) <= 0 ||
        line->fields[2].len >= JOB_NAME_MAX) {
        return;
    }
    if (out->strays == NULL) {
        out->strays = calloc(STRAYS_MAX, sizeof *out->strays);
    }
    if (out->strays == NULL) {
        return; /* shown at the next look */
    }
    struct job_stray *stray = &out->strays[out->n_strays++];
    stray->id = number(&line->fields[1]);
    copy(&line->fields[2], stray->name, sizeof stray->name);
    copy(&line->fields[3], stray->state, sizeof stray->state);
}

static void read_error(const struct line *line, struct job_poll *out)
{
    char message[200];
    if (line->n < 4) {
        return;
    }
    copy(&line->fields[3], message, sizeof message);
    bool accounting = is(&line->fields[1], "sacct");
    if (accounting && strcasestr(message, "accounting storage is disabled") != NULL) {
        return;
    }
    if (accounting) {
        out->accounting_ok = false;
    } else {
        out->queue_ok = false;
    }
    snprintf(out->message, sizeof out->message, "%s", message);
}

static size_t fields_of(const char *reply)
{
    /* Only these lines end in free text; all others are split to the end. */
    if (strncmp(reply, "trawl|status|", 13) == 0) {
        return 4;
    }
    return strncmp(reply, "trawl|scontrol|", 15) == 0 ? 2 : FIELDS_MAX;
}

static void read_line(struct job_watched *jobs, size_t n, const struct line *line,
                      struct job_poll *out)
{
    const struct field *verb = &line->fields[0];
    if (is(verb, "squeue") && line->n >= 4) {
        struct job_view *view = find_view(jobs, n, &line->fields[1], &line->fields[2]);
        if (view != NULL) {
            copy(&line->fields[3], view->squeue.state, sizeof view->squeue.state);
            view->squeue.elapsed_s = -1;
        }
    } else if (is(verb, "sacct")) {
        read_sacct(jobs, n, line);
    } else if (is(verb, "scontrol")) {
        read_scontrol(jobs, n, line);
    } else if (is(verb, "status")) {
        read_status(jobs, n, line);
    } else if (is(verb, "memory") && line->n >= 3) {
        struct job_view *view = find_view(jobs, n, &line->fields[1], &line->fields[2]);
        if (view != NULL) {
            view->over_memory = true;
        }
    } else if (is(verb, "mark")) {
        read_mark(jobs, n, line);
    } else if (is(verb, "stray")) {
        read_stray(line, out);
    } else if (is(verb, "error")) {
        read_error(line, out);
    }
}

void slurm_read_poll(const char *reply, struct job_watched *jobs, size_t n, struct job_poll *out)
{
    *out = (struct job_poll){.queue_ok = true, .accounting_ok = true};
    for (const char *at = reply; *at != '\0';) {
        const char *end = strchr(at, '\n');
        struct line line;
        const char *from = at;
        if (end == NULL) {
            return;
        }
        if (strncmp(at, "trawl|", 6) == 0 && next_line(&from, fields_of(at), &line)) {
            read_line(jobs, n, &line, out);
        }
        at = end + 1;
    }
}
