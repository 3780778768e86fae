/*
 * why.c - one function a state; the order of the checks inside is the order in which the scheduler
 * meets the obstacles, so the answer names the first that counts.
 */
#include "cli/why.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/text.h"
#include "common/task.h"

#define HOLDERS_SHOWN 4
#define HOLD_TRIED_MS 2000 /* a held task whose time has come is still held until it is tried */

const char *why_reason_name(enum why_reason r)
{
    static const char *const names[] = {
        [WHY_ACQUIRING] = "acquiring",
        [WHY_PLANNING] = "planning",
        [WHY_NO_LEADER] = "no_leader",
        [WHY_POOL_FULL] = "pool_full",
        [WHY_POOL_CLOSED] = "pool_closed",
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
        [WHY_TASKS_OPEN] = "tasks_open",
    };
    static_assert(sizeof names / sizeof *names == WHY_REASON_COUNT, "a word for every reason");
    return names[r];
}

static void say(struct why *out, enum why_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct why *out, enum why_reason reason, const char *fmt, ...)
{
    va_list ap;
    out->reason = reason;
    va_start(ap, fmt);
    vsnprintf(out->what, sizeof out->what, fmt, ap);
    va_end(ap);
}

static void next(struct why *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void next(struct why *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->next, sizeof out->next, fmt, ap);
    va_end(ap);
}

static const char *pool_of(const bson_t *task)
{
    return doc_str(task, "pool", task_pool(doc_str(task, "kind", "")));
}

static const char *id_of(const bson_t *task)
{
    return doc_str(task, "_id", "?");
}

/* "a, b, c and 4 more": the tasks in the pool's slots; returns how many. */
static int64_t holders(const struct why_facts *f, const char *pool, char *list, size_t room)
{
    int64_t n = 0;
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < f->slots->n; i++) {
        const bson_t *slot = f->slots->items[i];
        if (strcmp(doc_str(slot, "pool", ""), pool) != 0 || doc_str(slot, "task", "")[0] == '\0') {
            continue;
        }
        if (n++ < HOLDERS_SHOWN && used < room) {
            int more = snprintf(list + used, room - used, "%s%s", n > 1 ? ", " : "",
                                doc_str(slot, "task", ""));
            used += more > 0 ? (size_t)more : 0;
        }
    }
    if (n > HOLDERS_SHOWN && used < room) {
        snprintf(list + used, room - used, " and %" PRId64 " more", n - HOLDERS_SHOWN);
    }
    return n;
}

/* A pool that is closed or full holds the task back; false when it has room. */
static bool pool_holds(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *pool = pool_of(task);
    const bson_t *doc = docs_by_id(f->pools, pool);
    int64_t slots = doc != NULL ? doc_i64(doc, "slots", 0) : -1;
    char list[400];
    int64_t used = holders(f, pool, list, sizeof list);
    if (slots == 0) {
        const char *reason = doc_str(doc, "reason", "");
        say(out, WHY_POOL_CLOSED, "the pool %s has 0 slots: set by %s%s%s", pool,
            doc_str(doc, "by", "the configuration"), reason[0] != '\0' ? ", because: " : "",
            reason);
        next(out, "trawl pool set %s <n>", pool);
        return true;
    }
    if (slots > 0 && used >= slots) {
        say(out, WHY_POOL_FULL,
            "the pool %s is full, %" PRId64 " of %" PRId64 " slots are taken: %s", pool, used,
            slots, list);
        next(out, "goes on when one of them ends; more slots: trawl pool set %s %" PRId64, pool,
             used + 1);
        return true;
    }
    return false;
}

/* Threads of this kind over all living workers; *free_threads of them have nothing to do. */
static int64_t threads_of(const struct why_facts *f, const char *kind, int64_t *free_threads)
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

static bool nobody_runs(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *kind = doc_str(task, "kind", "?");
    int64_t free_threads = 0;
    if (threads_of(f, kind, &free_threads) > 0) {
        return false;
    }
    say(out, WHY_NO_WORKER, "no worker that runs %s is alive", kind);
    next(out, "start one: trawl-worker --kinds %s", kind);
    return true;
}

static bool nobody_leads(const struct why_facts *f, struct why *out)
{
    if (f->led) {
        return false;
    }
    say(out, WHY_NO_LEADER, "no scheduler leads");
    next(out, "start one: trawl-scheduler");
    return true;
}

static bool waits_its_time(const struct why_facts *f, const bson_t *task, struct why *out)
{
    int64_t left = doc_i64(task, "not_before", 0) - f->now_ms;
    char wait[TEXT_SHORT];
    const char *msg = doc_str(task, "error.msg", "");
    bool held = strcmp(doc_str(task, "error.kind", ""), "hold") == 0;
    if (left <= (held ? -HOLD_TRIED_MS : 0)) {
        return false;
    }
    text_duration(left > 0 ? left : 0, wait);
    if (held) {
        say(out, WHY_HELD, "a location cannot be used: %s", msg);
        next(out, "put that right; it is tried again by itself in %s", wait);
    } else {
        say(out, WHY_NOT_BEFORE, "try %" PRId64 " failed, the next is in %s: %s",
            doc_i64(task, "error.attempt", doc_i64(task, "attempt", 0)), wait,
            msg[0] != '\0' ? msg : "no error is noted");
        next(out, "goes on by itself; to stop it: trawl task cancel %s", id_of(task));
    }
    return true;
}

static void why_ready(const struct why_facts *f, const bson_t *task, struct why *out)
{
    if (nobody_leads(f, out) || waits_its_time(f, task, out) || pool_holds(f, task, out) ||
        nobody_runs(f, task, out)) {
        return;
    }
    int64_t free_threads = 0;
    int64_t threads = threads_of(f, doc_str(task, "kind", ""), &free_threads);
    if (free_threads <= 0) {
        say(out, WHY_WORKERS_BUSY, "all %" PRId64 " threads that run %s are busy", threads,
            doc_str(task, "kind", "?"));
        next(out, "goes on when one is free; another trawl-worker would take it at once");
        return;
    }
    say(out, WHY_QUEUED, "the pool %s has a free slot: the scheduler's next round admits it",
        pool_of(task));
}

static void why_admitted(const struct why_facts *f, const bson_t *task, struct why *out)
{
    char wait[TEXT_SHORT];
    if (nobody_runs(f, task, out) || nobody_leads(f, out)) {
        return;
    }
    text_duration(f->now_ms - doc_i64(task, "admitted_at", f->now_ms), wait);
    say(out, WHY_UNCLAIMED, "admitted %s ago, no worker has claimed it yet", wait);
    next(out, "it is published again every second until a worker with a free thread takes it");
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
        say(out, WHY_RUNNING, "runs since %s on %s, which %s", since, worker,
            lives ? "has not yet said how far it is" : "gives no sign of life");
        next(out, "%s", lives ? "goes on by itself" : "the scheduler gives it to another worker");
        return;
    }
    const char *done = text_percent(doc_i64(&run, "done", 0), doc_i64(&run, "total", 0), percent);
    say(out, WHY_RUNNING, "runs since %s on %s, step %s%s%s", since, worker,
        doc_str(&run, "step", "?"), done[0] != '\0' ? ", " : "", done);
    next(out, "goes on by itself; to stop it: trawl task cancel %s", id_of(task));
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

static void why_parked(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const bool ended = doc_has(task, "parked.ended");
    const char *cluster = doc_str(task, "parked.cluster", "");
    const struct parked_job kind = job_of(task);
    char job[TEXT_SHORT];
    snprintf(job, sizeof job, "%" PRId64, doc_i64(task, "parked.job_id", 0));
    const char *name = doc_str(task, "parked.job_id", job);
    if (ended) {
        say(out, WHY_PARKED, "%s %s has ended (%s): the scheduler wakes the task", kind.what, name,
            doc_str(task, "parked.ended.state", "?"));
        if (!f->led) {
            next(out, "no scheduler leads: start trawl-scheduler");
        }
        return;
    }
    say(out, WHY_PARKED, "waits for %s %s%s%s", kind.what, name, cluster[0] != '\0' ? " on " : "",
        cluster);
    int64_t free_threads = 0;
    if (threads_of(f, doc_str(task, "kind", ""), &free_threads) == 0) {
        next(out, "nobody watches the job: start trawl-worker --kinds %s",
             doc_str(task, "kind", "?"));
    } else {
        next(out, "goes on when the job ends (%s %s); to stop it: trawl task cancel %s", kind.look,
             name, id_of(task));
    }
}

static void why_failed(const bson_t *task, struct why *out)
{
    const char *step = doc_str(task, "error.step", "");
    say(out, WHY_FAILED, "%s%s%s: %s", doc_str(task, "state", "failed"),
        step[0] != '\0' ? " in step " : "", step, doc_str(task, "error.msg", "no error is noted"));
    next(out, "put that right, then: trawl task retry %s", id_of(task));
}

static void why_ended(const bson_t *task, enum task_state state, struct why *out)
{
    const char *by = doc_str(task, "cancel.by", "somebody");
    if (state == TASK_DONE) {
        say(out, WHY_DONE, "done");
    } else if (state == TASK_CANCELLED) {
        say(out, WHY_CANCELLED, "cancelled by %s", by);
        next(out, "trawl task retry %s", id_of(task));
    } else if (state == TASK_SKIPPED) {
        say(out, WHY_SKIPPED, "skipped: a task that it needs did not end well");
        next(out, "retry that one first, then: trawl task retry %s", id_of(task));
    } else {
        why_failed(task, out);
    }
}

void why_task(const struct why_facts *f, const bson_t *task, struct why *out)
{
    enum task_state state;
    *out = (struct why){.reason = WHY_PLANNING};
    if (task_state_parse(doc_str(task, "state", ""), &state) != 0) {
        say(out, WHY_FAILED, "its state '%s' is unknown to this version",
            doc_str(task, "state", ""));
        return;
    }
    if (task_is_terminal(state)) {
        why_ended(task, state, out);
    } else if (doc_has(task, "cancel")) {
        say(out, WHY_CANCELLING, "%s asked to stop it; it is still %s",
            doc_str(task, "cancel.by", "somebody"), doc_str(task, "state", ""));
        next(out, "stops by itself at the next safe point");
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
            bool failed = s == TASK_FAILED || s == TASK_DEAD;
            n += open ? !task_is_terminal(s) : failed;
        }
    }
    return n;
}

static bool is_acquiring(const char *status)
{
    return strcmp(status, "queued_for_monitoring") == 0 ||
           strcmp(status, "monitoring_acquisition") == 0;
}

static bool is_error(const char *status)
{
    return strcmp(status, "error") == 0 || strcmp(status, "acquisition_failed") == 0 ||
           strcmp(status, "quanting_failed") == 0;
}

static void why_ended_raw_file(const bson_t *raw, const struct docs *tasks, struct why *out)
{
    const char *status = doc_str(raw, "status", "?");
    const char *details = doc_str(raw, "status_details", "");
    if (strcmp(status, "ignored") == 0) {
        say(out, WHY_IGNORED, "ignored%s%s", details[0] != '\0' ? ": " : "", details);
    } else if (is_error(status)) {
        say(out, WHY_FAILED, "%s%s%s", status, details[0] != '\0' ? ": " : "", details);
        next(out, "%s",
             count_tasks(tasks, false) > 0 ? "retry the failed task"
                                           : "look at the file on the instrument");
    } else {
        say(out, WHY_DONE, "%s: nothing is left to do", status);
    }
}

void why_raw_file(const struct why_facts *f, const bson_t *raw, const struct docs *tasks,
                  struct why *out)
{
    const char *status = doc_str(raw, "status", "?");
    *out = (struct why){.reason = WHY_PLANNING};
    bool done = strncmp(status, "done", 4) == 0;
    size_t open = count_tasks(tasks, true);
    if (is_acquiring(status)) {
        why_acquiring(f, raw, out);
    } else if (open > 0) {
        say(out, WHY_TASKS_OPEN, "%s: %zu task%s open", status, open, open > 1 ? "s are" : " is");
    } else if (done || is_error(status) || strcmp(status, "ignored") == 0) {
        why_ended_raw_file(raw, tasks, out);
    } else if (!nobody_leads(f, out)) {
        say(out, WHY_PLANNING, "%s: the scheduler has not planned what comes next", status);
        next(out, "goes on by itself within seconds");
    }
}
