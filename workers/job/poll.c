/*
 * poll.c - one look at all parked jobs: of each engine one question, whatever their number.
 * Level-triggered: everything is read again from MongoDB each time; what is remembered between two
 * looks is only since when a job has been silent.
 *
 * A job that the cluster gave up, or does not know, may run all the same: on a node that nobody
 * reaches, under a controller that forgot it, or because a list is older than the job. Its task
 * ends only once the job is seen to be gone: its wrapper said its end, or it is closed (nothing
 * begins under its name any more, and what has begun stops) and, should it have begun, its beat has
 * not moved for SILENT_MS.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/task/task.h"
#include "workers/job/job.h"
#include "workers/job/strays.h"

#define SILENT_MS 60000 /* sacct may lag behind squeue by seconds; a beat comes every 10 s */
#define SWEEP_MS  60000

struct parked {
    const struct job_engine *engine;
    char *task, *name, *folder, *output;
    char state[JOB_STATE_MAX]; /* as it was noted last */
    int64_t fence, job_id;
    bool cancel;
};

/* A job that may run although the cluster has given it up or does not know it. */
struct silence {
    char name[JOB_NAME_MAX];
    char beat[sizeof((struct job_view *)0)->beat];
    int64_t since; /* mono_ms: unknown and without a new beat; 0: a free place */
    bool close;    /* the engine is asked to close it */
};

struct watch {
    struct silence *silences;
    size_t silences_n;
    /* of one look */
    struct parked *parked;
    size_t n, room;
    int64_t swept; /* mono_ms of the last look for strays */
};

static const struct job_engine *const engines[] = {&engine_slurm, &engine_local, &engine_file};
#define ENGINES (sizeof engines / sizeof *engines)

static void forget_parked(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->parked[i].task);
        free(w->parked[i].name);
        free(w->parked[i].folder);
        free(w->parked[i].output);
    }
    w->n = 0;
}

void job_watch_free(void *keep)
{
    struct watch *w = keep;
    if (w == NULL) {
        return;
    }
    forget_parked(w);
    free(w->parked);
    free(w->silences);
    free(w);
    for (size_t i = 0; i < ENGINES; i++) {
        if (engines[i]->close != NULL) {
            engines[i]->close();
        }
    }
}

static int add_parked(void *ctx, const bson_t *doc, struct err *err)
{
    struct watch *w = ctx;
    int64_t job_id = doc_i64(doc, "parked.job_id", 0);
    const struct job_engine *engine = job_engine(doc_str(doc, "parked.engine", "slurm"));
    if (job_id <= 0 || engine == NULL || doc_has(doc, "parked.ended")) {
        return 0;
    }
    if (w->n == w->room) {
        size_t room = w->room * 2 + 16;
        struct parked *grown = reallocarray(w->parked, room, sizeof *grown);
        if (grown == NULL) {
            return err_no_memory(err);
        }
        w->parked = grown;
        w->room = room;
    }
    struct parked *p = &w->parked[w->n++];
    *p = (struct parked){.engine = engine,
                         .task = strdup(doc_str(doc, "_id", "")),
                         .name = strdup(doc_str(doc, "parked.job_name", "")),
                         .folder = strdup(doc_str(doc, "parked.folder", "")),
                         .output = path_unescape(doc_str(doc, "parked.output", "")),
                         .fence = doc_i64(doc, "fence", 0),
                         .job_id = job_id,
                         .cancel = doc_has(doc, "cancel")};
    snprintf(p->state, sizeof p->state, "%s", doc_str(doc, "parked.state", ""));
    return p->task != NULL && p->name != NULL && p->folder != NULL && p->output != NULL
               ? 0
               : err_no_memory(err);
}

static int by_job_id(const void *a, const void *b)
{
    const struct parked *x = a, *y = b;
    return x->job_id < y->job_id ? -1 : x->job_id > y->job_id;
}

static int load_parked(struct watch *w, const char *kind, struct db *db, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("kind", BCON_UTF8(kind), "state", BCON_UTF8("parked"));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "fence", BCON_INT32(1), "parked", BCON_INT32(1),
                            "cancel", BCON_INT32(1), "}");
    forget_parked(w);
    if (filter == NULL || opts == NULL) {
        return err_no_memory(err);
    }
    if (db_each(db, DB_TASKS, filter, opts, add_parked, w, err) != 0) {
        return -1;
    }
    if (w->n > 0) {
        qsort(w->parked, w->n, sizeof *w->parked, by_job_id);
    }
    return 0;
}

static struct silence *find_silence(const struct watch *w, const char *name)
{
    for (size_t i = 0; i < w->silences_n; i++) {
        if (w->silences[i].since != 0 && strcmp(w->silences[i].name, name) == 0) {
            return &w->silences[i];
        }
    }
    return NULL;
}

/* NULL when memory is short. */
static struct silence *add_silence(struct watch *w, const char *name)
{
    struct silence *place = NULL;
    for (size_t i = 0; i < w->silences_n && place == NULL; i++) {
        place = w->silences[i].since == 0 ? &w->silences[i] : NULL;
    }
    if (place == NULL) {
        struct silence *grown = reallocarray(w->silences, w->silences_n + 1, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        w->silences = grown;
        place = &w->silences[w->silences_n++];
    }
    *place = (struct silence){.since = mono_ms()};
    snprintf(place->name, sizeof place->name, "%s", name);
    return place;
}

/* What is known of the job's silence, up to this look. NULL: remembered at the next one. */
static struct silence *update_silence(struct watch *w, const struct job_view *view)
{
    struct silence *s = find_silence(w, view->name);
    if (s == NULL) {
        s = add_silence(w, view->name);
    }
    if (s != NULL && strcmp(s->beat, view->beat) != 0) {
        snprintf(s->beat, sizeof s->beat, "%s", view->beat);
        s->since = mono_ms();
    }
    return s;
}

static void forget_silence(struct watch *w, const char *name)
{
    struct silence *s = find_silence(w, name);
    if (s != NULL) {
        *s = (struct silence){0};
    }
}

static bool is_closing(const struct watch *w, const char *name)
{
    const struct silence *s = find_silence(w, name);
    return s != NULL && s->close;
}

/* Whether the job is surely gone; asks for it to be closed when it is silent. */
static bool is_gone(struct watch *w, const struct job_view *view, enum job_fate fate)
{
    bool begun = view->claimed || view->wrapper.state[0] != '\0';
    if (fate != JOB_UNKNOWN && !states_may_run(view, fate)) {
        return true;
    }
    struct silence *s = update_silence(w, view);
    if (s == NULL || ((begun || fate == JOB_UNKNOWN) && mono_ms() - s->since < SILENT_MS)) {
        return false;
    }
    s->close = true;
    return view->gone || view->closed || !states_may_run(view, fate);
}

static int note_end(const struct parked *p, const struct job_outcome *o, struct db *db,
                    struct err *err)
{
    bool won = false;
    AUTO(bson_destroy)
    bson_t *ended = BCON_NEW("state", BCON_UTF8(o->state), "exit_code", BCON_INT32(o->exit_code),
                             "elapsed_s", BCON_INT64(o->elapsed_s), "peak_memory_mib",
                             BCON_INT64(o->peak_mib), "source", BCON_UTF8(o->source));
    if (ended == NULL) {
        return err_no_memory(err);
    }
    if (task_ended(db, p->task, p->fence, ended, &won, err) != 0) {
        return -1;
    }
    log_info("job_ended", KV("task_id", p->task), KV("job_id", p->job_id), KV("state", o->state),
             KV("exit_code", o->exit_code), KV("elapsed_s", o->elapsed_s), KV("source", o->source));
    return 0;
}

/* Written when it changes. Where the queue does not list the job, the wrapper's word counts. */
static int note_state(const struct parked *p, const struct job_view *view, struct db *db,
                      struct err *err)
{
    const char *state = view->squeue.state;
    state = state[0] != '\0' ? state : view->own.state;
    state = state[0] != '\0' ? state : view->wrapper.state;
    return state[0] == '\0' || strcmp(state, p->state) == 0
               ? 0
               : task_note_wait(db, p->task, p->fence, state, err);
}

/* Of these another job may come in the place of this one. */
static bool is_loss(enum job_fate fate)
{
    return fate == JOB_UNKNOWN || fate == JOB_LOST || fate == JOB_CANCELLED;
}

/* One job: still waiting, ended, or unknown; the last only when a witness answers. */
static int settle(struct watch *w, const struct parked *p, const struct job_view *view,
                  const struct job_poll *poll, struct db *db, struct err *err)
{
    struct job_outcome outcome = {0};
    enum job_fate fate = states_decide(view, &outcome);
    bool unknown = fate == JOB_UNKNOWN;
    if (fate == JOB_WAITS || (unknown && !(poll->queue_ok && poll->accounting_ok))) {
        forget_silence(w, view->name);
        return note_state(p, view, db, err);
    }
    if (is_loss(fate) && !is_gone(w, view, fate)) {
        return note_state(p, view, db, err);
    }
    if (unknown && p->cancel) {
        snprintf(outcome.state, sizeof outcome.state, "CANCELLED");
    }
    forget_silence(w, view->name);
    return note_end(p, &outcome, db, err);
}

/* The jobs of one engine in one look. The words borrow from w. */
struct view_set {
    const struct job_engine *engine;
    struct job_watched *jobs; /* as in parked */
    const struct parked **parked;
    size_t n;
};

static void auto_view_set_fini(struct view_set *v)
{
    free(v->jobs);
    free(v->parked);
}

static int collect(const struct watch *w, struct view_set *v, struct err *err)
{
    v->jobs = calloc(w->n + 1, sizeof *v->jobs);
    v->parked = calloc(w->n + 1, sizeof *v->parked);
    if (v->jobs == NULL || v->parked == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < w->n; i++) {
        const struct parked *p = &w->parked[i];
        if (p->engine != v->engine) {
            continue;
        }
        v->jobs[v->n] = (struct job_watched){.view = {.id = p->job_id, .name = p->name},
                                             .folder = p->folder,
                                             .worker_output = p->output,
                                             .cancel = p->cancel,
                                             .close = is_closing(w, p->name)};
        v->parked[v->n++] = p;
    }
    return 0;
}

/* Of the accounting alone: jobs are seen all the same. */
static void tell_silence(const struct job_poll *poll)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    if (poll->message[0] != '\0' && log_gate_open(&gate, &missed)) {
        log_warn("accounting_silent", KV("msg", poll->message), KV("missed", missed));
    }
}

/* When the queue did not answer, its silence about a job is no sign that the job has left it: only
 * the wrapper's own word and the accounting count. */
static int settle_all(struct watch *w, const struct view_set *v, const struct job_poll *poll,
                      struct db *db, struct err *err)
{
    struct err first = {0};
    for (size_t i = 0; i < v->n; i++) {
        struct err why = {0};
        if (settle(w, v->parked[i], &v->jobs[i].view, poll, db, &why) != 0) {
            err_set(&first, why.kind, why.code, why.where, "%s", why.msg);
        }
    }
    if (first.kind != ERR_NONE) {
        *err = first;
        return -1;
    }
    return 0;
}

/* Once a minute a cluster is asked although no task waits for it: jobs of ours may be there that
 * nobody knows. */
static bool sweep_is_due(struct watch *w, const struct job_engine *e, const struct config *c)
{
    if (e != &engine_slurm || c->ssh.hosts[0] == '\0' ||
        (w->swept != 0 && mono_ms() - w->swept < SWEEP_MS)) {
        return false;
    }
    w->swept = mono_ms();
    return true;
}

static int look_at_engine(struct watch *w, const struct job_engine *e, const struct job_base *base,
                          struct err *err)
{
    AUTO(view_set_fini) struct view_set v = {.engine = e};
    struct job_poll poll = {0};
    if (collect(w, &v, err) != 0) {
        return -1;
    }
    bool sweep = sweep_is_due(w, e, base->cfg);
    if (v.n == 0 && !sweep) {
        return 0;
    }
    int rc = e->look(base->cfg, v.jobs, v.n, &poll, err);
    rc = rc == 0 ? settle_all(w, &v, &poll, base->db, err) : err_context(err, "watching jobs");
    rc = rc == 0 && e == &engine_slurm ? strays_note(base->cfg, base->db, &poll, err) : rc;
    if (rc == 0 && !poll.queue_ok && poll.message[0] != '\0') {
        rc = ERR(err, ERR_HOLD, 0, "%s", poll.message);
    } else if (rc == 0) {
        tell_silence(&poll);
    }
    job_poll_fini(&poll);
    return rc;
}

int job_watch(const char *kind, void **keep, const struct job_base *base, struct err *err)
{
    if (*keep == NULL) {
        *keep = calloc(1, sizeof(struct watch));
    }
    struct watch *w = *keep;
    if (w == NULL) {
        return err_no_memory(err);
    }
    if (load_parked(w, kind, base->db, err) != 0) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < ENGINES; i++) { /* one that is away does not stop the others */
        struct err why = {0};
        if (look_at_engine(w, engines[i], base, &why) != 0 && rc == 0) {
            *err = why;
            rc = -1;
        }
    }
    return rc;
}
