/*
 * run.c - one task in the runner's hands: claim, decode, steps, settle.
 *
 * A claim or a settlement that MongoDB does not answer is tried again until it is answered, the
 * attempt turns out to be fenced, or the worker stops: work that was done is not thrown away
 * because the database was restarted. What stays unsettled when the worker ends is reaped by the
 * scheduler.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/bus/event.h"
#include "workers/runner.h"

#define ASK_AGAIN_MS 500

/* model: give up */
int run_check(struct run *run, struct err *err)
{
    if (atomic_load(&run->fenced)) {
        return ERR(err, ERR_FENCED, 0, "a newer attempt has taken over");
    }
    if (atomic_load(&run->lapsed) || !runner_has_lease(run->runner)) {
        return ERR(err, ERR_YIELD, 0, "MongoDB was away for so long that the lease may have ended");
    }
    if (atomic_load(&run->cancelled)) {
        return ERR(err, ERR_CANCELLED, 0, "cancelled by an operator");
    }
    if (atomic_load(&run->runner->yield)) {
        return ERR(err, ERR_YIELD, 0, "the worker stops; another one goes on");
    }
    return 0;
}

void run_progress(struct run *run, int64_t done, int64_t total)
{
    atomic_store(&run->done, done);
    atomic_store(&run->total, total);
}

int run_keep(struct run *run, const bson_t *fields, struct err *err)
{
    bool won;
    if (task_keep(run->runner->db, &run->claim, fields, &won, err) != 0) {
        return -1;
    }
    if (!won) {
        atomic_store(&run->fenced, true);
        return ERR(err, ERR_FENCED, 0, "a newer attempt has taken over");
    }
    return 0;
}

/* --- the list that the heartbeat reports --- */

/* False when this attempt is in the hands of another thread already: a message that was published
 * twice. Its claim would not fail, because it carries the same worker and fence. */
static bool enlist(struct run *run)
{
    struct runner *r = run->runner;
    bool known = false;
    pthread_mutex_lock(&r->lock);
    for (const struct run *other = r->runs; other != NULL && !known; other = other->next) {
        known = other->claim.fence == run->claim.fence &&
                strcmp(other->claim.task, run->claim.task) == 0;
    }
    if (!known) {
        run->next = r->runs;
        r->runs = run;
    }
    pthread_mutex_unlock(&r->lock);
    return !known;
}

static void delist(struct run *run)
{
    struct runner *r = run->runner;
    pthread_mutex_lock(&r->lock);
    struct run **at = &r->runs;
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
    pthread_mutex_unlock(&r->lock);
}

/* --- talking to the database until it answers --- */

/* Whether to ask again after a failure: not when the answer would not change, nor while stopping.
 */
static bool ask_again(struct runner *r, const char *what, struct err *err)
{
    if (atomic_load(&r->yield)) {
        log_err(what, err);
        return false;
    }
    log_err_rarely(what, err);
    *err = (struct err){0};
    mono_sleep_ms(ASK_AGAIN_MS);
    return true;
}

/* model: claim. It may land after the lease has ended; then the run ends at its first run_check. */
static bson_t *claim(struct runner *r, const struct task_claim *c)
{
    for (struct err err = {0};;) {
        bson_t *doc;
        if (task_claim(r->db, c, &doc, &err) == 0) {
            return doc;
        }
        if (!ask_again(r, "claim", &err)) {
            return NULL;
        }
    }
}

enum outcome { OUTCOME_DONE, OUTCOME_PARKED, OUTCOME_FAILED };

struct settlement {
    enum outcome outcome;
    bson_t doc;            /* the result or what it is parked for */
    struct err why;        /* OUTCOME_FAILED */
    enum task_state state; /* what it became */
};

static int settle_once(struct run *run, struct settlement *s, bool *won, struct err *err)
{
    struct db *db = run->runner->db;
    switch (s->outcome) {
    case OUTCOME_DONE:
        s->state = TASK_DONE;
        return task_done(db, &run->claim, &s->doc, won, err);
    case OUTCOME_PARKED:
        s->state = TASK_PARKED;
        return task_park(db, &run->claim, &s->doc, won, err);
    case OUTCOME_FAILED:
        break;
    }
    return task_fail(db, &run->claim, run->task, &s->why, run->runner->cfg, &s->state, won, err);
}

static void send_event(struct run *run)
{
    struct err err = {0};
    AUTO(free)
    char *json = event_encode("task", run->claim.task, doc_str(run->task, "raw_file", ""));
    if (json != NULL && bus_send_event(run->runner->bus, run->claim.task, json, &err) != 0) {
        log_debug("event_not_sent", KV("why", err.msg)); /* the scheduler's sweep finds it */
    }
}

/* model: settle; hand back, when the run was given up */
static void settle(struct run *run, struct settlement *s)
{
    for (struct err err = {0};;) {
        bool won = false;
        if (settle_once(run, s, &won, &err) == 0) {
            if (!won) {
                log_warn("task_fenced", KV("task_id", run->claim.task),
                         KV("fence", run->claim.fence));
                return;
            }
            break;
        }
        if (err.code == ERR_CODE_DATABASE_REFUSED && err.kind == ERR_INVALID &&
            s->outcome != OUTCOME_FAILED) {
            s->outcome = OUTCOME_FAILED; /* its result cannot be stored: a person must know */
            s->why = err;
            err = (struct err){0};
        } else if (!ask_again(run->runner, "settle", &err)) {
            return;
        }
    }
    send_event(run);
    log_info("task_ended", KV("task_id", run->claim.task), KV("kind", run->kind->name),
             KV("state", task_state_name(s->state)),
             KV("attempt", doc_i64(run->task, "attempt", 0)), KV("ms", mono_ms() - run->began_ms),
             KV("why", s->why.msg));
}

/* --- the steps --- */

/* A share that goes away in the middle of a step makes any error ("vanished", "is not there", "host
 * is down"): what counts then is that it is away, which is no fault of the task's or of a file. */
static void blame_share(struct run *run, struct err *err)
{
    struct err away = {0};
    bool doubtful =
        err->kind == ERR_INVALID || err->kind == ERR_TRANSIENT || err->code == ERR_CODE_SOURCE_BUSY;
    if (doubtful && !err_is_of_database(err) && locations_prove(run, &away) != 0 &&
        away.kind == ERR_HOLD) {
        *err = away;
    }
}

/* The step that held it has passed. Only for people: its end takes "held" away as well. */
static void note_going_on(struct run *run, const struct worker_step *passed)
{
    bool won;
    struct err err = {0};
    if (strcmp(doc_str(run->task, "held.step", ""), passed->name) == 0 &&
        task_goes_on(run->runner->db, &run->claim, &won, &err) != 0) {
        log_debug("going_on_not_noted", KV("why", err.msg));
    }
}

static int run_steps(struct run *run, void *job, struct err *err)
{
    for (const struct worker_step *s = run->kind->steps; s->name != NULL; s++) {
        atomic_store(&run->step, s->name);
        if (run_check(run, err) != 0 || locations_prove(run, err) != 0) {
            return -1;
        }
        int rc = s->run(job, err);
        if (rc < 0) {
            blame_share(run, err);
        }
        if (rc != 0) {
            err->where = s->name;
            return rc;
        }
        note_going_on(run, s);
    }
    return 0;
}

static void carry_out(struct run *run, void *job, struct settlement *s)
{
    const struct worker_kind *kind = run->kind;
    struct job_base *base = job;
    *base = (struct job_base){
        .cfg = run->runner->cfg,
        .db = run->runner->db,
        .run = run,
        .task_id = run->claim.task,
        .worker = run->claim.worker,
        .attempt = doc_i64(run->task, "attempt", 0),
        .fence = run->claim.fence,
        .shared = run->shared,
    };
    int rc = kind->decode(job, run->task, &s->why);
    if (rc == 0) {
        rc = run_steps(run, job, &s->why);
    }
    if (rc < 0) {
        s->outcome = OUTCOME_FAILED;
    } else if (rc == STEP_PARK) {
        s->outcome = OUTCOME_PARKED;
        kind->parked(job, &s->doc);
    } else {
        s->outcome = OUTCOME_DONE;
        kind->result(job, &s->doc);
    }
}

static void run_claimed(struct run *run)
{
    struct settlement s = {.outcome = OUTCOME_FAILED, .doc = BSON_INITIALIZER};
    void *job = calloc(1, run->kind->job_size);
    if (job == NULL) {
        err_no_memory(&s.why);
    } else {
        carry_out(run, job, &s);
        run->kind->destroy(job);
        free(job);
    }
    locations_release(run);
    settle(run, &s);
    bson_destroy(&s.doc);
}

/* Without a lease the task is left to others, or to the next message. */
static bson_t *claim_pointed(struct run *run, const struct handover *h)
{
    struct runner *r = run->runner;
    if (!runner_has_lease(r)) {
        return NULL;
    }
    bson_t *task = claim(r, &run->claim);
    if (task == NULL && !atomic_load(&r->yield)) {
        messages_unclaimed(r, h);
    }
    return task;
}

/* model: hand over. Enlisted before the lease is looked at, so that a late beat finds the run. */
void run_handover(struct handover *h)
{
    struct kind_threads *k = h->kind;
    struct runner *r = k->runner;
    struct run run = {
        .runner = r,
        .kind = k->kind,
        .shared = k->shared,
        .step = "claim",
        .started_ms = wall_ms(),
        .began_ms = mono_ms(),
        .claim = {.task = h->ptr.task, .kind = h->ptr.kind, .worker = r->id, .fence = h->ptr.fence},
    };
    bool first = enlist(&run);
    AUTO(bson_destroy) bson_t *task = first ? claim_pointed(&run, h) : NULL;
    bus_done(k->consumer, TAKE(h->msg));
    if (task != NULL) {
        run.task = task;
        run_claimed(&run);
    }
    if (first) {
        delist(&run);
    }
}
