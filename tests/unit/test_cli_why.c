/* What a raw file or a task waits for, as a table: documents in, reason and words out. */
#include <string.h>

#include "ops/why.h"
#include "test.h"

#define NOW 1000000000LL

static struct docs *list(bson_t *doc)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *own = doc;
    struct docs *d = docs_new(&err);
    if (own != NULL) {
        assert_int_equal(docs_add(d, own, &err), 0);
    }
    return d;
}

static bson_t *worker(int64_t copy_free)
{
    return BCON_NEW("_id", "w1", "kinds", "{", "copy", "{", "threads", BCON_INT64(2), "free",
                    BCON_INT64(copy_free), "}", "}", "running", "[", "{", "task", "a.raw/copy",
                    "step", "transfer", "done", BCON_INT64(45), "total", BCON_INT64(100), "}", "]");
}

static bson_t *pool(int64_t slots)
{
    return BCON_NEW("_id", "file_copy", "slots", BCON_INT64(slots), "by", "anna@h", "reason",
                    "disk swap");
}

struct world {
    bool led, worker;
    int64_t free, slots; /* slots -1: no pool document */
    bool taken;
    const bson_t *watcher;
};
static const struct world fine = {.led = true, .worker = true, .free = 2, .slots = 1};

/* Takes task. */
static struct why explain(const struct world *w, bson_t *task)
{
    struct why out;
    AUTO(bson_destroy) bson_t *own = task;
    AUTO(docs_free) struct docs *workers = list(w->worker ? worker(w->free) : NULL);
    AUTO(docs_free) struct docs *pools = list(w->slots >= 0 ? pool(w->slots) : NULL);
    AUTO(docs_free)
    struct docs *slots =
        list(w->taken ? BCON_NEW("_id", "file_copy/0", "pool", "file_copy", "task", "b.raw/copy")
                      : NULL);
    const struct why_facts f = {.workers = workers,
                                .pools = pools,
                                .slots = slots,
                                .watcher = w->watcher,
                                .led = w->led,
                                .now_ms = NOW};
    why_task(&f, own, &out);
    return out;
}

static bson_t *copy(const char *state)
{
    return BCON_NEW("_id", "a.raw/copy", "kind", "copy", "pool", "file_copy", "raw_file", "a.raw",
                    "state", BCON_UTF8(state), "attempt", BCON_INT64(1));
}

static void expect(const struct why *w, enum why_reason reason, const char *what, const char *next)
{
    assert_string_equal(why_reason_name(w->reason), why_reason_name(reason));
    if (strstr(w->what, what) == NULL || strstr(w->next, next) == NULL) {
        fail_msg("got: %s -> %s", w->what, w->next);
    }
}

static void ready_tasks_name_the_first_obstacle(void **state)
{
    (void)state;
    static const struct {
        struct world w;
        enum why_reason reason;
        const char *what, *next;
    } cases[] = {
        {{.led = false, .worker = true, .slots = 1},
         WHY_NO_LEADER,
         "no scheduler leads",
         "trawl-scheduler"},
        {{.led = true, .worker = true, .free = 2, .slots = 0},
         WHY_POOL_CLOSED,
         "set by anna@h, because: disk swap",
         "trawl pool set file_copy <n>"},
        {{.led = true, .worker = true, .free = 2, .slots = 1, .taken = true},
         WHY_POOL_FULL,
         "1 of 1 slots are taken: b.raw/copy",
         "trawl pool set file_copy 2"},
        {{.led = true, .worker = false, .slots = 1},
         WHY_NO_WORKER,
         "no worker that runs copy",
         "trawl-worker --kinds copy"},
        {{.led = true, .worker = true, .free = 0, .slots = 1},
         WHY_WORKERS_BUSY,
         "all 2 threads that run copy are busy",
         "another trawl-worker"},
        {{.led = true, .worker = true, .free = 1, .slots = -1}, WHY_QUEUED, "next round", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct why out = explain(&cases[i].w, copy("ready"));
        expect(&out, cases[i].reason, cases[i].what, cases[i].next);
    }
}

/* Its document and one other of the same pool; takes pool and other. */
static struct why explain_beside(bson_t *pool_doc, bson_t *other)
{
    struct why out;
    AUTO(bson_destroy) bson_t *own = copy("ready");
    AUTO(bson_destroy) bson_t *beside = other;
    BCON_APPEND(own, "instrument_id", "gen1", "priority", BCON_INT64(50));
    AUTO(docs_free) struct docs *workers = list(worker(2));
    AUTO(docs_free) struct docs *pools = list(pool_doc);
    AUTO(docs_free) struct docs *none = list(NULL);
    AUTO(docs_free) struct docs *open = list(bson_copy(own));
    struct err err = {0};
    assert_int_equal(docs_add(open, beside, &err), 0);
    const struct queue_cap caps[] = {{"gen1", 1}};
    const struct why_facts f = {
        .workers = workers,
        .pools = pools,
        .slots = none,
        .queue = {.open = open, .caps = caps, .n_caps = 1, .now_ms = NOW},
        .led = true,
        .now_ms = NOW,
    };
    why_task(&f, own, &out);
    return out;
}

static bson_t *beside(const char *state, const char *instrument)
{
    return BCON_NEW("_id", "b.raw/copy", "kind", "copy", "pool", "file_copy", "state",
                    BCON_UTF8(state), "instrument_id", BCON_UTF8(instrument), "priority",
                    BCON_INT64(100));
}

static void ready_tasks_wait_for_their_instrument_for_others_and_for_resume(void **state)
{
    (void)state;
    struct why out = explain_beside(pool(3), beside("running", "gen1"));
    expect(&out, WHY_CAPPED, "gen1 has 1 copy under way, its limit is 1", "max_copies");
    out = explain_beside(pool(3), beside("running", "gen2"));
    expect(&out, WHY_QUEUED, "next round admits it", "");
    assert_null(strstr(out.what, "first"));
    out = explain_beside(pool(3), beside("ready", "gen2"));
    expect(&out, WHY_QUEUED, "; 1 other goes first, 1 by higher priority", "");
    bson_t *stopped = pool(0);
    BCON_APPEND(stopped, "saved_slots", BCON_INT64(3), "stop", "{", "by", "kim@lab", "why", "smoke",
                "at", BCON_DATE_TIME(NOW - 60000), "}");
    out = explain_beside(stopped, beside("ready", "gen2"));
    expect(&out, WHY_STOPPED, "by kim@lab 1 min ago, because: smoke", "trawl resume");
}

static void ready_tasks_wait_their_time(void **state)
{
    (void)state;
    bson_t *failed = copy("ready");
    BCON_APPEND(failed, "not_before", BCON_DATE_TIME(NOW + 65000), "error", "{", "kind",
                "transient", "msg", "read: Input/output error", "attempt", BCON_INT64(2), "}");
    struct why out = explain(&fine, failed);
    expect(&out, WHY_NOT_BEFORE, "try 2 failed, the next is in 1 min 5 s: read", "task cancel");
    bson_t *held = copy("ready");
    BCON_APPEND(held, "not_before", BCON_DATE_TIME(NOW + 5000), "error", "{", "kind", "hold", "msg",
                "backup is full", "}");
    out = explain(&fine, held);
    expect(&out, WHY_HELD, "backup is full", "in 5 s");
    bson_t *busy = copy("ready");
    BCON_APPEND(busy, "not_before", BCON_DATE_TIME(NOW + 40000), "held", "{", "since",
                BCON_DATE_TIME(NOW - 300000), "}", "error", "{", "kind", "hold", "code",
                "source_busy", "msg", "source: open a.raw: Permission denied", "}");
    out = explain(&fine, busy);
    expect(&out, WHY_HELD, "held for 5 min: source: open a.raw: Permission denied",
           "the program that has it open closes it");
    expect(&out, WHY_HELD, "its original cannot be used now", "next try in 40 s");
    bson_t *over = copy("ready");
    BCON_APPEND(over, "not_before", BCON_DATE_TIME(NOW - 1));
    out = explain(&fine, over);
    expect(&out, WHY_QUEUED, "free slot", "");
}

static void running_tasks_show_where_they_are(void **state)
{
    (void)state;
    bson_t *task = copy("running");
    BCON_APPEND(task, "worker", "w1", "started_at", BCON_DATE_TIME(NOW - 5000));
    struct why out = explain(&fine, task);
    expect(&out, WHY_RUNNING, "has been running on w1 for 5 s, step transfer, 45 %",
           "cancel a.raw/copy");
    bson_t *lost = copy("running");
    BCON_APPEND(lost, "worker", "w0", "started_at", BCON_DATE_TIME(NOW - 5000));
    out = explain(&(struct world){.led = true, .slots = 1}, lost);
    expect(&out, WHY_RUNNING, "on w0 for 5 s; the worker gives no sign of life", "another worker");
}

static void admitted_tasks_wait_to_be_claimed(void **state)
{
    (void)state;
    bson_t *task = copy("admitted");
    BCON_APPEND(task, "admitted_at", BCON_DATE_TIME(NOW - 3000));
    struct why out = explain(&fine, task);
    expect(&out, WHY_UNCLAIMED, "admitted 3 s ago", "published again");
    out = explain(&(struct world){.led = true, .slots = 1}, copy("admitted"));
    expect(&out, WHY_NO_WORKER, "copy", "--kinds copy");
}

static void parked_tasks_name_their_job(void **state)
{
    (void)state;
    bson_t *task = copy("parked");
    BCON_APPEND(task, "parked", "{", "cluster", "hpc", "job_id", BCON_INT64(17), "}");
    struct why out = explain(&fine, task);
    expect(&out, WHY_PARKED, "waits for SLURM job 17 on hpc", "squeue -j 17");
    bson_t *unwatched = copy("parked");
    BCON_APPEND(unwatched, "parked", "{", "job_id", "17_3", "}");
    out = explain(&(struct world){.led = true, .slots = 1}, unwatched);
    expect(&out, WHY_PARKED, "SLURM job 17_3", "no worker watches the job");
    bson_t *ended = copy("parked");
    BCON_APPEND(ended, "parked", "{", "job_id", BCON_INT64(17), "ended", "{", "state", "COMPLETED",
                "}", "}");
    out = explain(&fine, ended);
    expect(&out, WHY_PARKED, "has ended (COMPLETED)", "");
}

static void parked_tasks_tell_of_a_cluster_that_is_silent(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *watcher = BCON_NEW("silent", "{", "since", BCON_DATE_TIME(NOW - 240000), "msg",
                               "no route to head1", "}");
    struct world silent = fine;
    silent.watcher = watcher;
    bson_t *job = copy("parked");
    BCON_APPEND(job, "parked", "{", "job_id", BCON_INT64(17), "state", "RUNNING", "}");
    struct why out = explain(&silent, job);
    expect(&out, WHY_PARKED, "has not answered for 4 min: no route to head1", "no action needed");
    bson_t *process = copy("parked");
    BCON_APPEND(process, "parked", "{", "engine", "local", "job_id", BCON_INT64(17), "}");
    out = explain(&silent, process);
    assert_null(strstr(out.what, "has not answered"));
}

static void tasks_that_are_to_stop_say_who_is_missing(void **state)
{
    (void)state;
    bson_t *job = copy("parked");
    BCON_APPEND(job, "parked", "{", "job_id", BCON_INT64(17), "}", "cancel", "{", "by", "kim", "}");
    struct why out = explain(&(struct world){.led = true, .slots = 1}, job);
    expect(&out, WHY_CANCELLING, "kim asked to stop it", "no worker watches the job");
    bson_t *waits = copy("admitted");
    BCON_APPEND(waits, "cancel", "{", "by", "kim", "}");
    out = explain(&(struct world){.worker = true, .slots = 1}, waits);
    expect(&out, WHY_CANCELLING, "still admitted", "no scheduler leads");
}

static void ended_tasks_say_how_to_go_on(void **state)
{
    (void)state;
    bson_t *dead = copy("dead");
    BCON_APPEND(dead, "error", "{", "step", "verify", "msg", "hashes differ", "}");
    struct why out = explain(&fine, dead);
    expect(&out, WHY_FAILED, "dead in step verify: hashes differ", "trawl task retry a.raw/copy");
    out = explain(&fine, copy("failed"));
    expect(&out, WHY_FAILED, "no error was recorded", "retry");
    bson_t *stopped = copy("cancelled");
    BCON_APPEND(stopped, "cancel", "{", "by", "bob@h", "}");
    out = explain(&fine, stopped);
    expect(&out, WHY_CANCELLED, "by bob@h", "retry");
    bson_t *skipped = copy("skipped");
    BCON_APPEND(skipped, "skipped", "{", "by", "kim@lab", "why", "a blank", "because", "a.raw/x",
                "}");
    out = explain(&fine, skipped);
    expect(&out, WHY_SKIPPED, "skipped with a.raw/x by kim@lab: a blank",
           "trawl task retry a.raw/x --tree");
    bson_t *ignored = copy("ignored");
    BCON_APPEND(ignored, "error", "{", "msg", "no room", "}", "ignored", "{", "by", "kim@lab",
                "why", "too few spectra", "}");
    out = explain(&fine, ignored);
    expect(&out, WHY_IGNORED, "no room", "task retry");
    expect(&out, WHY_IGNORED, "kim@lab accepted: too few spectra", "task retry");
    out = explain(&fine, copy("done"));
    expect(&out, WHY_DONE, "done", "");
    bson_t *stopping = copy("running");
    BCON_APPEND(stopping, "cancel", "{", "by", "bob@h", "}");
    out = explain(&fine, stopping);
    expect(&out, WHY_CANCELLING, "bob@h asked to stop it; it is still running", "safe point");
    out = explain(&fine, copy("levitating"));
    expect(&out, WHY_FAILED, "unknown to this version", "");
}

static struct why explain_raw(const struct why_facts *f, bson_t *raw, bson_t *task)
{
    struct why out;
    AUTO(bson_destroy) bson_t *own = raw;
    AUTO(docs_free) struct docs *tasks = list(task);
    why_raw_file(f, own, tasks, &out);
    return out;
}

static void raw_files_that_grow_name_rule_and_time(void **state)
{
    (void)state;
    char id[] = "test1";
    const struct instrument quiet = {.id = id, .quiet_s = 30, .size_check_s = 3600};
    const struct instrument checks = {.id = id, .size_check_s = 3600, .missing_main_s = 7200};
    AUTO(docs_free) struct docs *none = list(NULL);
    struct why_facts f = {.workers = none,
                          .pools = none,
                          .slots = none,
                          .instrument = &quiet,
                          .led = true,
                          .now_ms = NOW};
#define RAW(...)                                                                                   \
    BCON_NEW("_id", "a.raw", "rev", BCON_INT64(1), "status", "monitoring_acquisition", __VA_ARGS__)
    struct why out = explain_raw(
        &f, RAW("watch", "{", "size", BCON_INT64(1024), "quiet_ms", BCON_INT64(5000), "}"), NULL);
    expect(&out, WHY_ACQUIRING, "1.0 KiB, unchanged for 5 s",
           "after another 25 s without a change");
    f.instrument = &checks;
    out = explain_raw(&f,
                      RAW("watch", "{", "size", BCON_INT64(9), "checked_size", BCON_INT64(9),
                          "check_ms", BCON_INT64(600000), "}"),
                      NULL);
    expect(&out, WHY_ACQUIRING, "may still be writing it", "same size at the size check in 50 min");
    out = explain_raw(&f, RAW("watch", "{", "missing_ms", BCON_INT64(3600000), "}"), NULL);
    expect(&out, WHY_ACQUIRING, "main file has been missing for 1 h", "failed in 1 h");
    out = explain_raw(&f, RAW("watch", "{", "size", BCON_INT64(0), "}"), NULL);
    expect(&out, WHY_ACQUIRING, "0 B", "an empty file never counts as done");
    const struct instrument gated = {.id = id, .still_s = 10, .size_check_s = 3600};
    f.instrument = &gated;
    out = explain_raw(&f,
                      RAW("watch", "{", "size", BCON_INT64(9), "quiet_ms", BCON_INT64(3000),
                          "newest", "a.d/analysis.tdf", "}"),
                      NULL);
    expect(&out, WHY_ACQUIRING, "changed last: a.d/analysis.tdf",
           "must not change for another 7 s, then ends with the next acquisition");
    out = explain_raw(&f,
                      RAW("original_name", "a.wiff", "watch", "{", "size", BCON_INT64(9),
                          "quiet_ms", BCON_INT64(3600000), "waits_for",
                          "waits for .wiff.scan to be written", "}"),
                      NULL);
    expect(&out, WHY_ACQUIRING, ".wiff.scan is missing", "a.wiff.scan; if it does not");
    out = explain_raw(&f, RAW("watch", "{", "trouble", "a.d/1.m: Permission denied", "}"), NULL);
    expect(&out, WHY_ACQUIRING, "a.d/1.m: Permission denied", "share of test1");
    out = explain_raw(&f, RAW("watch", "{", "error", "stale handle", "}"), NULL);
    expect(&out, WHY_ACQUIRING, "stale handle", "share of test1");
    f.instrument = NULL;
    out = explain_raw(&f, RAW("instrument_id", "x"), NULL);
    expect(&out, WHY_ACQUIRING, "instrument x", "config check --instruments");
    f.led = false;
    out = explain_raw(&f, RAW("instrument_id", "x"), NULL);
    expect(&out, WHY_NO_LEADER, "acquisition is not watched", "trawl-scheduler");
#undef RAW
}

static void raw_files_say_what_none_of_their_tasks_says(void **state)
{
    (void)state;
    AUTO(docs_free) struct docs *none = list(NULL);
    struct why_facts f = {
        .workers = none, .pools = none, .slots = none, .led = true, .now_ms = NOW};
#define RAW(status)                                                                                \
    BCON_NEW("_id", "a.raw", "rev", BCON_INT64(1), "status", status, "status_details", "because")
    struct why out = explain_raw(&f, RAW("copying_done"), NULL);
    expect(&out, WHY_PLANNING, "has not planned", "no action needed");
    out = explain_raw(&f, RAW("copying"), copy("ready"));
    expect(&out, WHY_TASKS_OPEN, "1 task is open", "");
    out = explain_raw(&f, RAW("done"), copy("done"));
    expect(&out, WHY_DONE, "nothing is left", "");
    out = explain_raw(&f, RAW("ignored"), NULL);
    expect(&out, WHY_IGNORED, "because", "");
    out = explain_raw(&f, RAW("error"), copy("failed"));
    expect(&out, WHY_FAILED, "error: because", "retry the task that failed");
    out = explain_raw(&f, RAW("acquisition_failed"), NULL);
    expect(&out, WHY_FAILED, "because", "on the instrument");
    bson_t *differs = RAW("done"), *moved = RAW("done"), *same = RAW("done");
    BCON_APPEND(differs, "original", "{", "state", "differs", "why", "x is new", "}");
    out = explain_raw(&f, differs, copy("done"));
    expect(&out, WHY_ORIGINAL, "not what was backed up: x is new", "has it copied again");
    BCON_APPEND(moved, "instrument_file_status", "moved", "original", "{", "state", "differs", "}");
    out = explain_raw(&f, moved, copy("ready")); /* whatever else is done with it */
    expect(&out, WHY_ORIGINAL, "not what was backed up", "trawl verify --source a.raw");
    BCON_APPEND(same, "original", "{", "state", "same", "}");
    out = explain_raw(&f, same, copy("done"));
    expect(&out, WHY_DONE, "nothing is left", "");
    out = explain_raw(&f, BCON_NEW("_id", "a.raw", "status", "copying"), NULL);
    expect(&out, WHY_FOREIGN, "copying: AlphaKraken made it, and Trawl leaves it alone",
           "trawl import alphakraken");
    out = explain_raw(&f, BCON_NEW("_id", "a.raw", "status", "done"), NULL);
    expect(&out, WHY_DONE, "nothing is left", "");
    f.led = false;
    out = explain_raw(&f, RAW("copying_done"), NULL);
    expect(&out, WHY_NO_LEADER, "no scheduler leads", "trawl-scheduler");
    AUTO(bson_destroy)
    bson_t *stuck = BCON_NEW("trouble", "{", "what", "all", "since",
                             BCON_DATE_TIME(f.now_ms - 60000), "why", "an id that is no text", "}");
    f.led = true;
    f.leader = stuck;
    out = explain_raw(&f, RAW("copying_done"), NULL);
    expect(&out, WHY_LEADER_STUCK, "failed to plan for 1 min: an id that is no text",
           "within seconds");
#undef RAW
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_tasks_name_the_first_obstacle),
        cmocka_unit_test(ready_tasks_wait_for_their_instrument_for_others_and_for_resume),
        cmocka_unit_test(ready_tasks_wait_their_time),
        cmocka_unit_test(running_tasks_show_where_they_are),
        cmocka_unit_test(admitted_tasks_wait_to_be_claimed),
        cmocka_unit_test(parked_tasks_name_their_job),
        cmocka_unit_test(parked_tasks_tell_of_a_cluster_that_is_silent),
        cmocka_unit_test(tasks_that_are_to_stop_say_who_is_missing),
        cmocka_unit_test(ended_tasks_say_how_to_go_on),
        cmocka_unit_test(raw_files_that_grow_name_rule_and_time),
        cmocka_unit_test(raw_files_say_what_none_of_their_tasks_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
