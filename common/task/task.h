/*
 * task.h - the task document, its states, and every transition as one guarded update.
 *
 * docs/data-model.md describes the document. A task that is admitted, running or parked holds
 * exactly one slot. The fence grows with every admission and every wake-up; all writes of an
 * attempt carry it (and the worker that claimed), so an attempt that is no longer the newest
 * changes nothing. Any thread.
 */
#ifndef COMMON_TASK_TASK_H
#define COMMON_TASK_TASK_H
#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/db/db.h"

enum task_state {
    TASK_READY,
    TASK_ADMITTED,
    TASK_RUNNING,
    TASK_PARKED,
    TASK_DONE,
    TASK_FAILED,
    TASK_DEAD,
    TASK_CANCELLED,
    TASK_SKIPPED, /* not done: an operator skipped it, or the task above it */
    TASK_IGNORED, /* it failed, and an operator accepts that */
    TASK_STATE_COUNT
};

/* "ready", "admitted", ... */
const char *task_state_name(enum task_state s) __attribute__((returns_nonnull));
/* -1 for an unknown name. */
int task_state_parse(const char *name, enum task_state *out) __attribute__((nonnull));
/* Whether the table allows it. */
bool task_may(enum task_state from, enum task_state to);
/* Every change of a task that was read passes here: 0 when it keeps its state or the table allows
 * the next one; else FATAL, because only a bug of ours asks for it. */
int task_check(const char *task, enum task_state from, enum task_state to, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* done, failed, dead, cancelled, skipped or ignored. */
bool task_is_terminal(enum task_state s);
/* admitted, running or parked. */
bool task_holds_slot(enum task_state s);

/* What Kafka carries: {"v":1,"task":"…","attempt":3,"fence":17,"kind":"copy"}. */
struct task_pointer {
    char task[1024]; /* 800 of a raw file, "/quant/", its settings */
    char kind[32];
    int64_t attempt;
    int64_t fence;
};
int task_pointer_decode(const void *data, size_t len, struct task_pointer *out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
char *task_pointer_encode(const struct task_pointer *p) OWNED __attribute__((nonnull)); /* free() */

/* "<raw file id>/<kind>" or "<raw file id>/<kind>/<settings>"; free(). */
char *task_id(const char *raw_file, const char *kind, const char *settings) OWNED
    __attribute__((nonnull(1, 2)));

/* When a ready task may be admitted, as a wall time; 0: at once. A back-off whose end the leader
 * has not set yet counts from now. */
int64_t task_not_before_ms(const bson_t *task, int64_t now_ms) __attribute__((nonnull));

struct task_new {
    const char *raw_file, *kind, *settings /* or NULL */, *instrument, *project;
    int64_t priority;      /* higher goes first: 100 acquisition, 50 reprocessing */
    const bson_t *input;   /* or NULL */
    int64_t not_before_ms; /* wall; 0: at once */
    int64_t round;         /* which acquisition of the raw file it belongs to */
};
/* In state ready; bson_destroy. */
bson_t *task_new_document(const struct task_new *t) OWNED __attribute__((nonnull, returns_nonnull));
/* Insert in state ready; *made = false when the task is already there. */
int task_create(struct db *db, const struct task_new *t, bool *made, struct err *err)
    __attribute__((nonnull, warn_unused_result));

/* Which ended tasks may run again. */
enum task_reopen {
    TASK_REOPEN_DONE, /* done: an index task of a changed raw file; a failed one is not repeated for
                         ever */
    TASK_REOPEN_ENDED,   /* ended in any way: an operator's rerun, a move or a removal */
    TASK_REOPEN_EARLIER, /* ended in an earlier round, so that planning twice opens nothing twice */
    TASK_REOPEN_COUNT
};
/* Make the task ready again, from the beginning, with this input and priority. */
struct db_change task_reopening(const struct task_new *t, enum task_reopen from)
    __attribute__((nonnull));
/* *won = false: it has not ended in that way, or there is no such task. */
int task_reopen(struct db *db, const struct task_new *t, enum task_reopen from, bool *won,
                struct err *err) __attribute__((nonnull, warn_unused_result));

/* Whether its error has this code (ERR_CODE_…). ERR_CODE_SOURCE_CHANGED of a copy or a move: the
 * original is not what was listed or backed up and will be acquired again, so no operator need act.
 */
bool task_failed_with(const bson_t *task, int code) __attribute__((nonnull));
/* The wait before attempt n+1, random in [0, min(max_ms, base_ms * 2^(n-1))): full jitter spreads
 * tasks that failed together. */
int64_t task_back_off_ms(const struct config *cfg, int64_t attempt) __attribute__((nonnull));

/* --- the worker's side: each is one guarded update; *won = false: the attempt is fenced. --- */
struct task_claim {
    const char *task;
    const char *kind;
    const char *worker;
    int64_t fence;
};
/* admitted -> running; *out = the claimed document or NULL when lost. */
int task_claim(struct db *db, const struct task_claim *c, bson_t **out, struct err *err)
    __attribute__((nonnull, warn_unused_result));
int task_done(struct db *db, const struct task_claim *c, const bson_t *result, bool *won,
              struct err *err) __attribute__((nonnull, warn_unused_result));
/* running -> parked; "parked" = the kind's document of what it waits for. */
int task_park(struct db *db, const struct task_claim *c, const bson_t *parked, bool *won,
              struct err *err) __attribute__((nonnull, warn_unused_result));
/* Settle a failed attempt by its error's kind: INVALID -> failed; TRANSIENT -> ready with back-off,
 * or dead when max_attempts are used up; HOLD, LOST, YIELD -> ready without counting the attempt;
 * CANCELLED -> cancelled. *to = the new state. */
int task_fail(struct db *db, const struct task_claim *c, const bson_t *task, const struct err *why,
              const struct config *cfg, enum task_state *to, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Nothing holds the attempt: remove "held". */
int task_goes_on(struct db *db, const struct task_claim *c, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* Keep facts that must survive this attempt (a resumable copy, a job id) below "kept" in the task;
 * fields is {"kept.x": …}. */
int task_keep(struct db *db, const struct task_claim *c, const bson_t *fields, bool *won,
              struct err *err) __attribute__((nonnull, warn_unused_result));
/* parked: record that what it waited for has ended, so that the scheduler wakes it. "ended" is the
 * kind's. */
int task_ended(struct db *db, const char *task, int64_t fence, const bson_t *ended, bool *won,
               struct err *err) __attribute__((nonnull, warn_unused_result));
/* parked: record the state of what it waits for ("PENDING") as parked.state, for people only. Does
 * nothing when the task has moved on. */
int task_note_wait(struct db *db, const char *task, int64_t fence, const char *state,
                   struct err *err) __attribute__((nonnull, warn_unused_result));

/* --- the operator's side --- */
/* Whether a raw file's tasks of kind come after those of kind above. */
bool task_is_below(const char *kind, const char *above) __attribute__((nonnull));

struct task_order {
    const char *task;
    const char *by;
    const char *why;     /* "" for no reason */
    const char *because; /* task_skip: the task above it that was skipped; or NULL */
};
/* ready -> cancelled at once; otherwise sets "cancel" and the worker or the scheduler ends it.
 * *won = false when it has ended already. */
int task_cancel(struct db *db, const struct task_order *o, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* failed, dead, cancelled, skipped or ignored -> ready with attempts at 0. */
int task_retry(struct db *db, const struct task_order *o, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* ready, failed, dead or cancelled -> skipped. */
int task_skip(struct db *db, const struct task_order *o, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
/* failed, dead or cancelled -> ignored; the error stays. */
int task_ignore(struct db *db, const struct task_order *o, bool *won, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
