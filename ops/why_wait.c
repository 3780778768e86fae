/*
 * why_wait.c - what keeps a ready task from running, in the order in which the scheduler meets the
 * obstacles: no leader, its time, its pool, its instrument's cap, no worker, the tasks before it.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/human.h"
#include "common/task/kinds.h"
#include "common/task/task.h"
#include "common/task/turn.h"
#include "ops/pools.h"
#include "ops/why.h"

#define HOLDERS_SHOWN 4
#define HOLD_TRIED_MS 2000 /* a held task whose time has come is still held until it is tried */

/* List the tasks in the pool's slots: "a (4 min), b (2 s) and 4 more"; returns how many there are.
 */
static int64_t list_holders(const struct why_facts *f, const char *pool, char *list, size_t room)
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
            char age[TEXT_SHORT];
            int64_t since = doc_i64(slot, "since", 0);
            text_duration(f->now_ms - since, age);
            int more = snprintf(list + used, room - used, "%s%s%s%s%s", n > 1 ? ", " : "",
                                doc_str(slot, "task", ""), since > 0 ? " (" : "",
                                since > 0 ? age : "", since > 0 ? ")" : "");
            used += more > 0 ? (size_t)more : 0;
        }
    }
    if (n > HOLDERS_SHOWN && used < room) {
        snprintf(list + used, room - used, " and %" PRId64 " more", n - HOLDERS_SHOWN);
    }
    return n;
}

bool why_pool_holds(const struct why_facts *f, const bson_t *pool, struct why *out)
{
    const char *id = doc_str(pool, "_id", "?");
    int64_t slots = doc_i64(pool, "slots", 0);
    char list[500], age[TEXT_SHORT];
    int64_t used = list_holders(f, id, list, sizeof list);
    if (slots == 0 && pool_is_stopped(pool)) {
        why_set(out, WHY_STOPPED, "the pool %s was stopped by %s %s ago, because: %s", id,
                doc_str(pool, "stop.by", "?"),
                text_duration(f->now_ms - doc_i64(pool, "stop.at", f->now_ms), age),
                doc_str(pool, "stop.why", "?"));
        why_set_next(out, "to resume: trawl resume; this pool alone: trawl pool set %s <n>", id);
        return true;
    }
    if (slots == 0) {
        const char *reason = doc_str(pool, "reason", "");
        why_set(out, WHY_POOL_CLOSED, "the pool %s has 0 slots, set by %s%s%s", id,
                doc_str(pool, "by", "the configuration"), reason[0] != '\0' ? ", because: " : "",
                reason);
        why_set_next(out, "to open it: trawl pool set %s <n>", id);
        return true;
    }
    if (used >= slots) {
        why_set(out, WHY_POOL_FULL,
                "the pool %s is full, %" PRId64 " of %" PRId64 " slots are taken: %s", id, used,
                slots, list);
        why_set_next(out,
                     "starts when one of them ends; for more slots: trawl pool set %s %" PRId64, id,
                     used + 1);
        return true;
    }
    return false;
}

/* What holds a task back: a location, or, in its step "submit", the cluster. */
static const char *held_by(const bson_t *task)
{
    bool location = strcmp(doc_str(task, "error.code", ""), "location") == 0;
    bool submits = strcmp(doc_str(task, "kind", ""), "quant") == 0 &&
                   strcmp(doc_str(task, "error.step", ""), "submit") == 0;
    bool database = strcmp(doc_str(task, "error.code", ""), "database") == 0;
    return database ? "the database" : submits && !location ? "the cluster" : "a location";
}

/* What holds it, for how long, and what would help. */
static void explain_held(const struct why_facts *f, const bson_t *task, const char *again_in,
                         struct why *out)
{
    char held[TEXT_SHORT];
    const char *msg = doc_str(task, "error.msg", "");
    bool busy = strcmp(doc_str(task, "error.code", ""), "source_busy") == 0;
    text_duration(f->now_ms - doc_i64(task, "held.since", f->now_ms), held);
    if (busy) {
        why_set(out, WHY_HELD, "its original cannot be used now, held for %s: %s", held, msg);
        why_set_next(
            out,
            "no action needed: the task resumes when the program that has it open closes it "
            "(acquisition software, virus scanner, a copy by hand); next try in %s",
            again_in);
    } else {
        why_set(out, WHY_HELD, "%s cannot be used, held for %s: %s", held_by(task), held, msg);
        why_set_next(out, "fix that; the task tries again in %s, no other action needed", again_in);
    }
}

static bool explain_time(const struct why_facts *f, const bson_t *task, struct why *out)
{
    int64_t left = task_not_before_ms(task, f->now_ms) - f->now_ms;
    char wait[TEXT_SHORT];
    const char *msg = doc_str(task, "error.msg", "");
    bool held = strcmp(doc_str(task, "error.kind", ""), "hold") == 0;
    if (left <= (held ? -HOLD_TRIED_MS : 0)) {
        return false;
    }
    text_duration(left > 0 ? left : 0, wait);
    if (held) {
        explain_held(f, task, wait, out);
    } else if (msg[0] == '\0' && task_kind(doc_str(task, "kind", ""))->retires) {
        why_set(out, WHY_NOT_BEFORE, "it is due in %s", wait);
        why_set_next(out, "no action needed");
    } else {
        why_set(out, WHY_NOT_BEFORE, "try %" PRId64 " failed, the next is in %s: %s",
                doc_i64(task, "error.attempt", doc_i64(task, "attempt", 0)), wait,
                msg[0] != '\0' ? msg : "no error was recorded");
        why_set_next(out, "no action needed; to stop it: trawl task cancel %s",
                     doc_str(task, "_id", "?"));
    }
    return true;
}

static bool cap_holds(const struct queue_place *place, const bson_t *task, struct why *out)
{
    const char *kind = doc_str(task, "kind", "?");
    const char *instrument = doc_str(task, "instrument_id", "?");
    if (place->held < place->cap) {
        return false;
    }
    if (task_kind(kind)->retires) {
        why_set(out, WHY_CAPPED, "another %s of %s is under way, and only one runs at a time", kind,
                instrument);
        why_set_next(out, "no action needed: starts when that one has ended");
        return true;
    }
    why_set(out, WHY_CAPPED, "%s has %" PRId64 " %s under way, its limit is %" PRId64, instrument,
            place->held, place->held == 1 ? "copy" : "copies", place->cap);
    why_set_next(out, "starts when one of them ends; for more at a time: max_copies in %s.ini",
                 instrument);
    return true;
}

/* "; 12 others go first, 3 of them by priority". */
static void append_place(const struct queue_place *place, struct why *out)
{
    size_t used = strlen(out->what);
    if (place->ahead == 0) {
        return;
    }
    int n = snprintf(out->what + used, sizeof out->what - used, "; %" PRId64 "%s other%s first",
                     place->ahead, place->ahead >= QUEUE_LOOK_MAX ? " or more" : "",
                     place->ahead == 1 ? " goes" : "s go");
    used += n > 0 ? (size_t)n : 0;
    if (place->higher > 0 && used < sizeof out->what) {
        snprintf(out->what + used, sizeof out->what - used, ", %" PRId64 " by higher priority",
                 place->higher);
    }
}

void why_ready(const struct why_facts *f, const bson_t *task, struct why *out)
{
    const char *kind = doc_str(task, "kind", "?");
    const char *name = doc_str(task, "pool", task_kind(kind)->pool);
    const bson_t *pool = docs_by_id(f->pools, name);
    struct queue_place place;
    if (why_no_leader(f, out) || explain_time(f, task, out)) {
        return;
    }
    bool placed = queue_place(&f->queue, task, &place);
    if (pool != NULL && why_pool_holds(f, pool, out)) {
        append_place(&place, out);
        if (placed && place.held >= place.cap) { /* a larger pool alone does not help */
            size_t used = strlen(out->what);
            snprintf(out->what + used, sizeof out->what - used,
                     "; also, %s is at its limit of %" PRId64, doc_str(task, "instrument_id", "?"),
                     place.cap);
        }
        return;
    }
    if ((placed && cap_holds(&place, task, out)) || why_no_worker(f, kind, out)) {
        return;
    }
    int64_t free_threads = 0;
    int64_t threads = why_threads(f, kind, &free_threads);
    if (free_threads <= 0) {
        why_set(out, WHY_WORKERS_BUSY, "all %" PRId64 " threads that run %s are busy", threads,
                kind);
        why_set_next(out, "starts when one is free; to start it now, add another trawl-worker");
    } else {
        why_set(out, WHY_QUEUED,
                "the pool %s has a free slot: the scheduler's next round admits it", name);
    }
    append_place(&place, out);
}
