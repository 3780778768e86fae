/*
 * why.c - explains tasks and raw files, one function for each state. Checks come in the order in
 * which the scheduler meets the obstacles, so the answer names the first that matters. Every answer
 * ends with the next step, or says that no action is needed.
 */
#include "ops/why.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/human.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "common/task/task.h"

const char *why_reason_name(enum why_reason r)
{
    static const char *const names[] = {
        [WHY_ACQUIRING] = "acquiring",
        [WHY_PLANNING] = "planning",
        [WHY_NO_LEADER] = "no_leader",
        [WHY_LEADER_STUCK] = "leader_stuck",
        [WHY_POOL_FULL] = "pool_full",
        [WHY_POOL_CLOSED] = "pool_closed",
        [WHY_STOPPED] = "stopped",
        [WHY_CAPPED] = "capped",
        [WHY_NOT_BEFORE] = "not_before",
        [WHY_HELD] = "held",
        [WHY_NO_WORKER] = "no_worker",
        [WHY_WORKERS_BUSY] = "workers_busy",
        [WHY_QUEUED] = "queued",
        [WHY_UNCLAIMED] = "unclaimed",
        [WHY_RUNNING] = "running",
        [WHY_CANCELLING] = "cancelling",
        [WHY_PARKED] = "parked",
        [WHY_FAILED] = "failed",
        [WHY_CANCELLED] = "cancelled",
        [WHY_SKIPPED] = "skipped",
        [WHY_IGNORED] = "ignored",
        [WHY_DONE] = "done",
        [WHY_ORIGINAL] = "original_differs",
        [WHY_TASKS_OPEN] = "tasks_open",
        [WHY_FOREIGN] = "foreign",
    };
    static_assert(sizeof names / sizeof *names == WHY_REASON_COUNT, "a word for every reason");
    return names[r];
}

void why_set(struct why *out, enum why_reason reason, const char *fmt, ...)
{
    va_list ap;
    out->reason = reason;
    va_start(ap, fmt);
    vsnprintf(out->what, sizeof out->what, fmt, ap);
    va_end(ap);
}

void why_set_next(struct why *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->next, sizeof out->next, fmt, ap);
    va_end(ap);
}

static const char *id_of(const bson_t *task)
{
    return doc_str(task, "_id", "?");
}

int64_t why_threads(const struct why_facts *f, const char *kind, int64_t *free_threads)
{
    int64_t threads = 0;
    char path[64];
    *free_threads = 0;
    for (size_t i = 0; i < f->workers->n; i++) {
        const bson_t *w = f->workers->items[i];
        if (doc_bool(w, "stopping", false)) {
            continue;
        }
        snprintf(path, sizeof path, "kinds.%s.threads", kind);
        threads += doc_i64(w, path, 0);
        snprintf(path, sizeof path, "kinds.%s.free", kind);
        *free_threads += doc_i64(w, path, 0);
    }
    return threads;
}

bool why_no_worker(const struct why_facts *f, const char *kind, struct why *out)
{
    int64_t free_threads = 0;
    if (why_threads(f, kind, &free_threads) > 0) {
        return false;
    }
    why_set(out, WHY_NO_WORKER, "no worker that runs %s is alive", kind);
    why_set_next(out, "start one: trawl-worker --kinds %s", kind);
    return true;
}

/* Whether the leader does not do what it should: "all" of it, or only "quant". */
static bool has_trouble(const struct why_facts *f, const char *what, struct why *out)
{
    char since[TEXT_SHORT];
    if (f->leader == NULL || strcmp(doc_str(f->leader, "trouble.what", ""), what) != 0) {
        return false;
    }
    why_set(out, WHY_LEADER_STUCK, "the scheduler leads, and has failed to plan for %s: %s",
            text_duration(f->now_ms - doc_i64(f->leader, "trouble.since", f->now_ms), since),
            doc_str(f->leader, "trouble.why", "?"));
    why_set_next(out, "fix that; the scheduler tries again within seconds");
    return true;
}

/* The leader says that it admits nothing. */
static bool is_shadow(const struct why_facts *f, struct why *out)
{
    if (!has_trouble(f, "admit", out)) {
        return false;
    }
    why_set(out, WHY_STOPPED, "%s", doc_str(f->leader, "trouble.why", "?"));
    why_set_next(out, "to compare: trawl shadow; to switch: trawl import alphakraken --switch");
    return true;
}

bool why_no_leader(const struct why_facts *f, struct why *out)
{
    if (has_trouble(f, "all", out) || is_shadow(f, out)) {
        return true;
    }
    if (f->led) {
        return false;
    }
    why_set(out, WHY_NO_LEADER, "no scheduler leads");
    why_set_next(out, "start one: trawl-scheduler");
    return true;
}

static void why_admitted(const struct why_facts *f, const bson_t *task, struct why *out)
{
    char wait[TEXT_SHORT];
    if (why_no_worker(f, doc_str(task, "kind", "?"), out) || why_no_leader(f, out)) {
        return;
    }
    text_duration(f->now_ms - doc_i64(task, "admitted_at", f->now_ms), wait);
    int64_t free_threads = 0;
    int64_t threads = why_threads(f, doc_str(task, "kind", "?"), &free_threads);
    if (free_threads <= 0) {
        why_set(out, WHY_WORKERS_BUSY,
                "admitted %s ago; all %" PRId64 " threads that run %s are busy", wait, threads,
                doc_str(task, "kind", "?"));
        why_set_next(out, "starts when one is free; to start it now, add another trawl-worker");
        return;
    }
    why_set(out, WHY_UNCLAIMED, "admitted %s ago, no worker has claimed it yet", wait);
    why_set_next(
        out, "no action needed: it is published again until a worker with a free thread takes it");
}

bool why_run_of(const struct docs *workers, const char *task, const char **worker, bson_t *view)
{
    for (size_t i = 0; i < workers->n; i++) {
        bson_t runs;
        bson_iter_t at;
        if (!doc_sub(workers->items[i], "running", &runs) || !bson_iter_init(&at, &runs)) {
            continue;
        }
        while (bson_iter_next(&at)) {
            if (doc_sub(&runs, bson_iter_key(&at), view) &&
                strcmp(doc_str(view, "task", ""), task) == 0) {
                *worker = doc_str(workers->items[i], "_id", "?");
                return true;
            }
        }
    }
    return false;
}

static void why_running(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *worker = doc_str(task, "worker", "?");
    char since[TEXT_SHORT];
    char percent[TEXT_SHORT];
    bson_t run;
    text_duration(f->now_ms - doc_i64(task, "started_at", f->now_ms), since);
    if (!why_run_of(f->workers, id_of(task), &worker, &run)) {
        bool lives = docs_by_id(f->workers, worker) != NULL;
        why_set(out, WHY_RUNNING, "has been running on %s for %s; the worker %s", worker, since,
                lives ? "has not reported its progress yet" : "gives no sign of life");
        why_set_next(out, "%s",
                     lives ? "no action needed"
                           : "no action needed: the scheduler gives it to another worker");
        return;
    }
    const char *done = text_percent(doc_i64(&run, "done", 0), doc_i64(&run, "total", 0), percent);
    why_set(out, WHY_RUNNING, "has been running on %s for %s, step %s%s%s", worker, since,
            doc_str(&run, "step", "?"), done[0] != '\0' ? ", " : "", done);
    why_set_next(out, "no action needed; to stop it: trawl task cancel %s", id_of(task));
}

/* What the job is called, and the command that shows it. */
struct parked_job {
    const char *what, *look;
};

static struct parked_job job_of(const bson_t *task)
{
    const char *engine = doc_str(task, "parked.engine", "slurm");
    if (strcmp(engine, "local") == 0) {
        return (struct parked_job){"the process", "ps -p"};
    }
    if (strcmp(engine, "file") == 0) {
        return (struct parked_job){"job file", "in job_queue of the output:"};
    }
    return (struct parked_job){"SLURM job", "squeue -j"};
}

static bool no_watcher(const struct why_facts *f, const bson_t *task, struct why *out)
{
    int64_t free_threads = 0;
    if (why_threads(f, doc_str(task, "kind", ""), &free_threads) > 0) {
        return false;
    }
    why_set_next(out, "no worker watches the job: start trawl-worker --kinds %s",
                 doc_str(task, "kind", "?"));
    return true;
}

/* Its worker, the watcher of its job or the scheduler ends it, whichever has it. */
static void why_cancelling(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *state = doc_str(task, "state", "");
    why_set(out, WHY_CANCELLING, "%s asked to stop it; it is still %s",
            doc_str(task, "cancel.by", "somebody"), state);
    bool job_lives = strcmp(state, "parked") == 0 && !doc_has(task, "parked.ended");
    if (job_lives && no_watcher(f, task, out)) {
        return;
    }
    if (!f->led && strcmp(state, "running") != 0) {
        why_set_next(out, "no scheduler leads: start trawl-scheduler");
    } else {
        why_set_next(out, "no action needed: it stops at the next safe point");
    }
}

static void why_parked(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const bool ended = doc_has(task, "parked.ended");
    const char *cluster = doc_str(task, "parked.cluster", "");
    const struct parked_job kind = job_of(task);
    char job[TEXT_SHORT];
    snprintf(job, sizeof job, "%" PRId64, doc_i64(task, "parked.job_id", 0));
    const char *name = doc_str(task, "parked.job_id", job);
    if (ended) {
        why_set(out, WHY_PARKED, "%s %s has ended (%s): the scheduler wakes the task", kind.what,
                name, doc_str(task, "parked.ended.state", "?"));
        if (!f->led) {
            why_set_next(out, "no scheduler leads: start trawl-scheduler");
        }
        return;
    }
    const char *job_state = doc_str(task, "parked.state", "");
    why_set(out, WHY_PARKED, "waits for %s %s%s%s%s%s", kind.what, name,
            cluster[0] != '\0' ? " on " : "", cluster, job_state[0] != '\0' ? ", which is " : "",
            job_state);
    if (no_watcher(f, task, out)) {
        return;
    }
    bool on_cluster = strcmp(doc_str(task, "parked.engine", "slurm"), "slurm") == 0;
    if (on_cluster && f->watcher != NULL && doc_has(f->watcher, "silent")) {
        char since[TEXT_SHORT];
        size_t used = strlen(out->what);
        text_duration(f->now_ms - doc_i64(f->watcher, "silent.since", f->now_ms), since);
        snprintf(out->what + used, sizeof out->what - used,
                 ", as last known: the cluster has not answered for %s: %.300s", since,
                 doc_str(f->watcher, "silent.msg", "?"));
        why_set_next(out, "no action needed: it resumes when the cluster answers");
    } else {
        why_set_next(out,
                     "no action needed: it resumes when the job ends (%s %s); to stop it: trawl "
                     "task cancel %s",
                     kind.look, name, id_of(task));
    }
}

static void why_failed(const bson_t *task, struct why *out)
{
    const char *step = doc_str(task, "error.step", "");
    why_set(out, WHY_FAILED, "%s%s%s: %s", doc_str(task, "state", "failed"),
            step[0] != '\0' ? " in step " : "", step,
            doc_str(task, "error.msg", "no error was recorded"));
    why_set_next(out, "fix the cause, then: trawl task retry %s", id_of(task));
}

/* ": too few spectra", or nothing. */
static const char *append_reason(const bson_t *task, const char *path, char buf[static 420])
{
    const char *why = doc_str(task, path, "");
    snprintf(buf, 420, "%s%.400s", why[0] != '\0' ? ": " : "", why);
    return buf;
}

static void why_ended(const bson_t *task, enum task_state state, struct why *out)
{
    char why[420];
    if (state == TASK_DONE) {
        why_set(out, WHY_DONE, "done");
        return;
    }
    why_set_next(out, "to run it again: trawl task retry %s", id_of(task));
    if (state == TASK_CANCELLED) {
        why_set(out, WHY_CANCELLED, "cancelled by %s%s", doc_str(task, "cancel.by", "somebody"),
                append_reason(task, "cancel.why", why));
    } else if (state == TASK_SKIPPED && doc_has(task, "skipped.because")) {
        why_set(out, WHY_SKIPPED, "skipped with %s by %s%s", doc_str(task, "skipped.because", "?"),
                doc_str(task, "skipped.by", "?"), append_reason(task, "skipped.why", why));
        why_set_next(out, "to run them again: trawl task retry %s --tree",
                     doc_str(task, "skipped.because", "?"));
    } else if (state == TASK_SKIPPED) {
        why_set(out, WHY_SKIPPED, "skipped by %s%s", doc_str(task, "skipped.by", "somebody"),
                append_reason(task, "skipped.why", why));
    } else if (state == TASK_IGNORED) {
        why_set(out, WHY_IGNORED, "failed (%s), which %s accepted%s",
                doc_str(task, "error.msg", "no error was recorded"),
                doc_str(task, "ignored.by", "somebody"), append_reason(task, "ignored.why", why));
    } else {
        why_failed(task, out);
    }
}

void why_task(const struct why_facts *f, const bson_t *task, struct why *out)
{
    enum task_state state;
    *out = (struct why){.reason = WHY_PLANNING};
    if (task_state_parse(doc_str(task, "state", ""), &state) != 0) {
        why_set(out, WHY_FAILED, "its state '%s' is unknown to this version of trawl",
                doc_str(task, "state", ""));
        return;
    }
    if (task_is_terminal(state)) {
        why_ended(task, state, out);
    } else if (doc_has(task, "cancel")) {
        why_cancelling(f, task, out);
    } else if (state == TASK_READY) {
        why_ready(f, task, out);
    } else if (state == TASK_ADMITTED) {
        why_admitted(f, task, out);
    } else if (state == TASK_RUNNING) {
        why_running(f, task, out);
    } else {
        why_parked(f, task, out);
    }
}

static size_t count_tasks(const struct docs *tasks, bool open)
{
    size_t n = 0;
    for (size_t i = 0; i < tasks->n; i++) {
        enum task_state s;
        if (task_state_parse(doc_str(tasks->items[i], "state", ""), &s) == 0) {
            bool failed = s == TASK_FAILED || s == TASK_DEAD || s == TASK_CANCELLED;
            n += open ? !task_is_terminal(s) : failed;
        }
    }
    return n;
}

/* Nothing copies what another program has ended without a backup. */
static bool was_never_copied(const bson_t *raw)
{
    return doc_has(raw, "imported") && !doc_has(raw, "watch.rule") &&
           !retire_backup_is_complete(raw);
}

static void why_ended_raw_file(const bson_t *raw, const struct docs *tasks, struct why *out)
{
    const char *status = doc_str(raw, "status", "?");
    const char *details = doc_str(raw, "status_details", "");
    const char *colon = details[0] != '\0' ? ": " : "";
    if (raw_file_status(raw) == RAW_IGNORED) {
        why_set(out, WHY_IGNORED, "ignored%s%s", colon, details);
    } else if (was_never_copied(raw)) {
        why_set(out, WHY_FAILED, "%s%s%s; AlphaKraken made no complete backup of it", status, colon,
                details);
        why_set_next(out, "if its file is at the instrument, give it another name there: it is "
                          "acquired as a new raw file");
    } else if (raw_status_is_error(raw_file_status(raw))) {
        why_set(out, WHY_FAILED, "%s%s%s", status, colon, details);
        why_set_next(out, "%s",
                     count_tasks(tasks, false) > 0
                         ? "retry the task that failed or was cancelled (trawl task retry <task>)"
                         : "check the file on the instrument");
    } else if (raw_file_status(raw) == RAW_DONE_NOT_QUANTED && details[0] != '\0') {
        why_set(out, WHY_DONE, "%s: %s", status, details);
        why_set_next(out,
                     "%s; which settings would apply, and by which rule: trawl settings resolve %s",
                     doc_has(raw, "imported") ? "to quantify it: trawl rerun" : "no action needed",
                     doc_str(raw, "_id", "?"));
    } else {
        why_set(out, WHY_DONE, "%s: nothing is left to do", status);
    }
}

/* Comes before everything else, because nobody must take it for safe. */
static void why_original(const struct why_facts *f, const bson_t *raw, struct why *out)
{
    char says[ORIGINAL_PROBLEM], since[TEXT_SHORT];
    const char *id = doc_str(raw, "_id", "?");
    bool moved = strcmp(doc_str(raw, "instrument_file_status", ""), "moved") == 0;
    text_duration(f->now_ms - doc_i64(raw, "original.at", f->now_ms), since);
    why_set(out, WHY_ORIGINAL, "%s, %s (seen %s ago)", doc_str(raw, "status", "?"),
            original_problem(raw, says), since);
    if (moved) {
        why_set_next(
            out,
            "it is in Backup of %s and will not be removed. If it is the right one, move it "
            "into the instrument's folder: it is acquired as a new raw file. If its backup is "
            "the right one, delete it. Then: trawl verify --source %s",
            doc_str(raw, "instrument_id", "?"), id);
    } else {
        why_set_next(out, "%s",
                     f->led ? "no action needed: the scheduler compares it, or has it copied again"
                            : "no scheduler leads: start trawl-scheduler");
    }
}

void why_raw_file(const struct why_facts *f, const bson_t *raw, const struct docs *tasks,
                  struct why *out)
{
    const char *status = doc_str(raw, "status", "?");
    enum raw_status s = raw_file_status(raw);
    *out = (struct why){.reason = WHY_PLANNING};
    bool done = s == RAW_DONE || s == RAW_DONE_NOT_QUANTED || s == RAW_IGNORED;
    size_t open = count_tasks(tasks, true);
    bool ended = done || raw_status_is_error(s);
    if (!raw_file_is_ours(raw) && !ended && open == 0) {
        why_set(out, WHY_FOREIGN, "%s: AlphaKraken made it, and Trawl leaves it alone", status);
        why_set_next(out, "to have Trawl take it over: trawl import alphakraken --dry-run");
    } else if (raw_status_is_open(s)) {
        why_acquiring(f, raw, out);
    } else if (!original_is_safe(raw)) {
        why_original(f, raw, out);
    } else if (open > 0) {
        why_set(out, WHY_TASKS_OPEN, "%s: %zu task%s open", status, open,
                open > 1 ? "s are" : " is");
    } else if (ended) {
        why_ended_raw_file(raw, tasks, out);
    } else if (!why_no_leader(f, out) &&
               !(s == RAW_QUEUED_FOR_QUANTING && has_trouble(f, "quant", out))) {
        why_set(out, WHY_PLANNING, "%s: the scheduler has not planned what comes next", status);
        why_set_next(out, "no action needed: that takes seconds");
    }
}
