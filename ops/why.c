/*
 * why.c - one function a state; the order of the checks inside is the order in which the scheduler
 * meets the obstacles, so the answer names the first that counts.
 */
#include "ops/why.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/base/human.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
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
    };
    static_assert(sizeof names / sizeof *names == WHY_REASON_COUNT, "a word for every reason");
    return names[r];
}

void why_say(struct why *out, enum why_reason reason, const char *fmt, ...)
{
    va_list ap;
    out->reason = reason;
    va_start(ap, fmt);
    vsnprintf(out->what, sizeof out->what, fmt, ap);
    va_end(ap);
}

void why_next(struct why *out, const char *fmt, ...)
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

bool why_nobody_runs(const struct why_facts *f, const char *kind, struct why *out)
{
    int64_t free_threads = 0;
    if (why_threads(f, kind, &free_threads) > 0) {
        return false;
    }
    why_say(out, WHY_NO_WORKER, "no worker that runs %s is alive", kind);
    why_next(out, "start one: trawl-worker --kinds %s", kind);
    return true;
}

bool why_nobody_leads(const struct why_facts *f, struct why *out)
{
    if (f->leader != NULL && doc_has(f->leader, "trouble")) {
        char since[TEXT_SHORT];
        why_say(out, WHY_LEADER_STUCK, "the scheduler leads, and has failed to plan for %s: %s",
                text_duration(f->now_ms - doc_i64(f->leader, "trouble.since", f->now_ms), since),
                doc_str(f->leader, "trouble.why", "?"));
        why_next(out, "put that right; the scheduler tries again every second");
        return true;
    }
    if (f->led) {
        return false;
    }
    why_say(out, WHY_NO_LEADER, "no scheduler leads");
    why_next(out, "start one: trawl-scheduler");
    return true;
}

static void why_admitted(const struct why_facts *f, const bson_t *task, struct why *out)
{
    char wait[TEXT_SHORT];
    if (why_nobody_runs(f, doc_str(task, "kind", "?"), out) || why_nobody_leads(f, out)) {
        return;
    }
    text_duration(f->now_ms - doc_i64(task, "admitted_at", f->now_ms), wait);
    int64_t free_threads = 0;
    int64_t threads = why_threads(f, doc_str(task, "kind", "?"), &free_threads);
    if (free_threads <= 0) {
        why_say(out, WHY_WORKERS_BUSY,
                "admitted %s ago; all %" PRId64 " threads that run %s are busy", wait, threads,
                doc_str(task, "kind", "?"));
        why_next(out, "goes on when one is free; another trawl-worker would take it at once");
        return;
    }
    why_say(out, WHY_UNCLAIMED, "admitted %s ago, no worker has claimed it yet", wait);
    why_next(out, "it is published again every second until a worker with a free thread takes it");
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
        why_say(out, WHY_RUNNING, "has run for %s on %s, which %s", since, worker,
                lives ? "has not yet said how far it is" : "gives no sign of life");
        why_next(out, "%s",
                 lives ? "no action needed" : "the scheduler gives it to another worker");
        return;
    }
    const char *done = text_percent(doc_i64(&run, "done", 0), doc_i64(&run, "total", 0), percent);
    why_say(out, WHY_RUNNING, "has run for %s on %s, step %s%s%s", since, worker,
            doc_str(&run, "step", "?"), done[0] != '\0' ? ", " : "", done);
    why_next(out, "no action needed; to stop it: trawl task cancel %s", id_of(task));
}

/* What the job is, and where to look at it oneself. */
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

static bool nobody_watches(const struct why_facts *f, const bson_t *task, struct why *out)
{
    int64_t free_threads = 0;
    if (why_threads(f, doc_str(task, "kind", ""), &free_threads) > 0) {
        return false;
    }
    why_next(out, "no worker watches the job: start trawl-worker --kinds %s",
             doc_str(task, "kind", "?"));
    return true;
}

/* Its worker, the watcher of its job or the scheduler ends it: whoever has it. */
static void why_cancelling(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *state = doc_str(task, "state", "");
    why_say(out, WHY_CANCELLING, "%s asked to stop it; it is still %s",
            doc_str(task, "cancel.by", "somebody"), state);
    bool job_lives = strcmp(state, "parked") == 0 && !doc_has(task, "parked.ended");
    if (job_lives && nobody_watches(f, task, out)) {
        return;
    }
    if (!f->led && strcmp(state, "running") != 0) {
        why_next(out, "no scheduler leads: start trawl-scheduler");
    } else {
        why_next(out, "stops by itself at the next safe point");
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
        why_say(out, WHY_PARKED, "%s %s has ended (%s): the scheduler wakes the task", kind.what,
                name, doc_str(task, "parked.ended.state", "?"));
        if (!f->led) {
            why_next(out, "no scheduler leads: start trawl-scheduler");
        }
        return;
    }
    const char *job_state = doc_str(task, "parked.state", "");
    why_say(out, WHY_PARKED, "waits for %s %s%s%s%s%s", kind.what, name,
            cluster[0] != '\0' ? " on " : "", cluster, job_state[0] != '\0' ? ", which is " : "",
            job_state);
    if (nobody_watches(f, task, out)) {
        return;
    }
    bool on_cluster = strcmp(doc_str(task, "parked.engine", "slurm"), "slurm") == 0;
    if (on_cluster && f->watcher != NULL && doc_has(f->watcher, "silent")) {
        char since[TEXT_SHORT];
        size_t used = strlen(out->what);
        text_duration(f->now_ms - doc_i64(f->watcher, "silent.since", f->now_ms), since);
        snprintf(out->what + used, sizeof out->what - used,
                 " as far as is known: the cluster has not answered for %s: %.300s", since,
                 doc_str(f->watcher, "silent.msg", "?"));
        why_next(out, "no action needed: it goes on when the cluster answers");
    } else {
        why_next(out, "goes on when the job ends (%s %s); to stop it: trawl task cancel %s",
                 kind.look, name, id_of(task));
    }
}

static void why_failed(const bson_t *task, struct why *out)
{
    const char *step = doc_str(task, "error.step", "");
    why_say(out, WHY_FAILED, "%s%s%s: %s", doc_str(task, "state", "failed"),
            step[0] != '\0' ? " in step " : "", step,
            doc_str(task, "error.msg", "no error is noted"));
    why_next(out, "put that right, then: trawl task retry %s", id_of(task));
}

/* ": too few spectra", or nothing. */
static const char *reason_of(const bson_t *task, const char *path, char buf[static 420])
{
    const char *why = doc_str(task, path, "");
    snprintf(buf, 420, "%s%.400s", why[0] != '\0' ? ": " : "", why);
    return buf;
}

static void why_ended(const bson_t *task, enum task_state state, struct why *out)
{
    char why[420];
    if (state == TASK_DONE) {
        why_say(out, WHY_DONE, "done");
        return;
    }
    why_next(out, "trawl task retry %s", id_of(task));
    if (state == TASK_CANCELLED) {
        why_say(out, WHY_CANCELLED, "cancelled by %s%s", doc_str(task, "cancel.by", "somebody"),
                reason_of(task, "cancel.why", why));
    } else if (state == TASK_SKIPPED && doc_has(task, "skipped.because")) {
        why_say(out, WHY_SKIPPED, "skipped with %s by %s%s", doc_str(task, "skipped.because", "?"),
                doc_str(task, "skipped.by", "?"), reason_of(task, "skipped.why", why));
        why_next(out, "trawl task retry %s --tree", doc_str(task, "skipped.because", "?"));
    } else if (state == TASK_SKIPPED) {
        why_say(out, WHY_SKIPPED, "skipped by %s%s", doc_str(task, "skipped.by", "somebody"),
                reason_of(task, "skipped.why", why));
    } else if (state == TASK_IGNORED) {
        why_say(out, WHY_IGNORED, "failed (%s), which %s accepted%s",
                doc_str(task, "error.msg", "no error is noted"),
                doc_str(task, "ignored.by", "somebody"), reason_of(task, "ignored.why", why));
    } else {
        why_failed(task, out);
    }
}

void why_task(const struct why_facts *f, const bson_t *task, struct why *out)
{
    enum task_state state;
    *out = (struct why){.reason = WHY_PLANNING};
    if (task_state_parse(doc_str(task, "state", ""), &state) != 0) {
        why_say(out, WHY_FAILED, "its state '%s' is unknown to this version",
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

static void why_ended_raw_file(const bson_t *raw, const struct docs *tasks, struct why *out)
{
    const char *status = doc_str(raw, "status", "?");
    const char *details = doc_str(raw, "status_details", "");
    if (raw_file_status(raw) == RAW_IGNORED) {
        why_say(out, WHY_IGNORED, "ignored%s%s", details[0] != '\0' ? ": " : "", details);
    } else if (raw_status_is_error(raw_file_status(raw))) {
        why_say(out, WHY_FAILED, "%s%s%s", status, details[0] != '\0' ? ": " : "", details);
        why_next(out, "%s",
                 count_tasks(tasks, false) > 0 ? "retry the task that failed or was cancelled"
                                               : "look at the file on the instrument");
    } else {
        why_say(out, WHY_DONE, "%s: nothing is left to do", status);
    }
}

/* Whatever else is done with it: it must not be taken for safe. */
static void why_original(const struct why_facts *f, const bson_t *raw, struct why *out)
{
    char says[ORIGINAL_SAID], since[TEXT_SHORT];
    const char *id = doc_str(raw, "_id", "?");
    bool moved = strcmp(doc_str(raw, "instrument_file_status", ""), "moved") == 0;
    text_duration(f->now_ms - doc_i64(raw, "original.at", f->now_ms), since);
    why_say(out, WHY_ORIGINAL, "%s, %s (seen %s ago)", doc_str(raw, "status", "?"),
            original_says(raw, says), since);
    if (moved) {
        why_next(out,
                 "it is in Backup of %s, and is not removed: where it is the right one, move it "
                 "from there into the instrument's folder, and it is acquired as a new raw file; "
                 "where its backup is, delete it; then: trawl verify --source %s",
                 doc_str(raw, "instrument_id", "?"), id);
    } else {
        why_next(out, "%s",
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
    if (raw_status_is_open(s)) {
        why_acquiring(f, raw, out);
    } else if (!original_is_safe(raw)) {
        why_original(f, raw, out);
    } else if (open > 0) {
        why_say(out, WHY_TASKS_OPEN, "%s: %zu task%s open", status, open,
                open > 1 ? "s are" : " is");
    } else if (done || raw_status_is_error(s)) {
        why_ended_raw_file(raw, tasks, out);
    } else if (!why_nobody_leads(f, out)) {
        why_say(out, WHY_PLANNING, "%s: the scheduler has not planned what comes next", status);
        why_next(out, "no action needed: it goes on within seconds");
    }
}
