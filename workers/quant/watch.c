/*
 * watch.c - one look at all parked jobs of the cluster: one script, one round trip, whatever their
 * number. Level-triggered: everything is read again from MongoDB each time; what is remembered
 * between two looks is only since when a job has been unknown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/task.h"
#include "workers/quant/cluster.h"
#include "workers/quant/quant.h"

#include "common/ban.h"

#define UNKNOWN_MS 60000 /* sacct may lag behind squeue by some seconds */

struct parked {
    char *task, *name, *folder;
    char state[SLURM_STATE_MAX]; /* as it was noted last */
    int64_t fence, job_id;
    bool cancel;
};

struct unknown {
    int64_t job_id;
    int64_t since; /* mono_ms; 0: a free place */
};

struct watch {
    struct unknown *unknown;
    size_t unknown_n;
    /* of one look */
    struct parked *parked;
    size_t n, room;
};

static void forget_parked(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->parked[i].task);
        free(w->parked[i].name);
        free(w->parked[i].folder);
    }
    w->n = 0;
}

void quant_watch_free(void *keep)
{
    struct watch *w = keep;
    if (w == NULL) {
        return;
    }
    forget_parked(w);
    free(w->parked);
    free(w->unknown);
    free(w);
    cluster_close();
}

static int add_parked(void *ctx, const bson_t *doc, struct err *err)
{
    struct watch *w = ctx;
    int64_t job_id = doc_i64(doc, "parked.job_id", 0);
    if (job_id <= 0 || doc_has(doc, "parked.ended")) {
        return 0;
    }
    if (w->n == w->room) {
        size_t room = w->room * 2 + 16;
        struct parked *grown = reallocarray(w->parked, room, sizeof *grown);
        if (grown == NULL) {
            return ERR(err, ERR_TRANSIENT, errno, "out of memory");
        }
        w->parked = grown;
        w->room = room;
    }
    struct parked *p = &w->parked[w->n++];
    *p = (struct parked){.task = strdup(doc_str(doc, "_id", "")),
                         .name = strdup(doc_str(doc, "parked.job_name", "")),
                         .folder = strdup(doc_str(doc, "parked.folder", "")),
                         .fence = doc_i64(doc, "fence", 0),
                         .job_id = job_id,
                         .cancel = doc_has(doc, "cancel")};
    snprintf(p->state, sizeof p->state, "%s", doc_str(doc, "parked.state", ""));
    return p->task != NULL && p->name != NULL && p->folder != NULL
               ? 0
               : ERR(err, ERR_TRANSIENT, errno, "out of memory");
}

static int by_job_id(const void *a, const void *b)
{
    const struct parked *x = a, *y = b;
    return x->job_id < y->job_id ? -1 : x->job_id > y->job_id;
}

static int load_parked(struct watch *w, struct db *db, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("kind", "quant", "state", "parked");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "fence", BCON_INT32(1), "parked", BCON_INT32(1),
                            "cancel", BCON_INT32(1), "}");
    forget_parked(w);
    if (filter == NULL || opts == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    if (db_each(db, DB_TASKS, filter, opts, add_parked, w, err) != 0) {
        return -1;
    }
    if (w->n > 0) {
        qsort(w->parked, w->n, sizeof *w->parked, by_job_id);
    }
    return 0;
}

/* The one script of this look. */
static int ask(const struct watch *w, const struct config *c, char **reply, struct err *err)
{
    AUTO(text_fini) struct text script = {0};
    if (slurm_begin(&script, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < w->n; i++) {
        const struct parked *p = &w->parked[i];
        if (p->cancel) {
            slurm_put_cancel(&script, p->job_id, p->name);
        }
        slurm_put_watch(&script, p->job_id, p->name, p->folder);
    }
    slurm_put_poll(&script);
    return slurm_end(&script, err) == 0 ? cluster_ask(c, &script, reply, err) : -1;
}

/* Whether nobody has known this job for UNKNOWN_MS. */
static bool unknown_for_long(struct watch *w, int64_t job_id)
{
    struct unknown *place = NULL;
    for (size_t i = 0; i < w->unknown_n; i++) {
        if (w->unknown[i].since != 0 && w->unknown[i].job_id == job_id) {
            return mono_ms() - w->unknown[i].since >= UNKNOWN_MS;
        }
        if (w->unknown[i].since == 0) {
            place = &w->unknown[i];
        }
    }
    if (place == NULL) {
        struct unknown *grown = reallocarray(w->unknown, w->unknown_n + 1, sizeof *grown);
        if (grown == NULL) {
            return false; /* remembered at the next look */
        }
        w->unknown = grown;
        place = &w->unknown[w->unknown_n++];
    }
    *place = (struct unknown){.job_id = job_id, .since = mono_ms()};
    return false;
}

static void is_known(struct watch *w, int64_t job_id)
{
    for (size_t i = 0; i < w->unknown_n; i++) {
        if (w->unknown[i].job_id == job_id) {
            w->unknown[i] = (struct unknown){0};
        }
    }
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
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    if (task_ended(db, p->task, p->fence, ended, &won, err) != 0) {
        return -1;
    }
    log_info("job_ended", KV("task_id", p->task), KV("job_id", p->job_id), KV("state", o->state),
             KV("exit_code", o->exit_code), KV("elapsed_s", o->elapsed_s), KV("source", o->source));
    return 0;
}

/* Written when it changes. */
static int note_state(const struct parked *p, const struct job_view *view, struct db *db,
                      struct err *err)
{
    const char *state = view->squeue.state;
    return state[0] == '\0' || strcmp(state, p->state) == 0
               ? 0
               : task_note_wait(db, p->task, p->fence, state, err);
}

/* One job: still waiting, ended, or unknown; the first only when somebody can tell. */
static int settle(struct watch *w, size_t i, const struct job_view *view,
                  const struct slurm_poll *poll, struct db *db, struct err *err)
{
    struct job_outcome outcome = {0};
    enum job_fate fate = states_decide(view, &outcome);
    bool silent = fate == JOB_UNKNOWN;
    if (fate == JOB_WAITS || (silent && !(poll->squeue_ok && poll->accounting_ok))) {
        is_known(w, view->id);
        return note_state(&w->parked[i], view, db, err);
    }
    if (silent && !unknown_for_long(w, view->id)) {
        return 0;
    }
    if (silent && w->parked[i].cancel) {
        snprintf(outcome.state, sizeof outcome.state, "CANCELLED");
    }
    is_known(w, view->id);
    return note_end(&w->parked[i], &outcome, db, err);
}

/* When squeue did not answer, its silence about a job is no sign that the job has left the queue:
 * only the wrapper's own word and sacct count. */
static int settle_all(struct watch *w, const char *reply, const struct job_base *base,
                      struct err *err)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    struct slurm_poll poll = {0};
    AUTO(free) struct job_view *views = calloc(w->n, sizeof *views);
    if (views == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    for (size_t i = 0; i < w->n; i++) {
        views[i].id = w->parked[i].job_id;
        views[i].name = w->parked[i].name;
    }
    slurm_read_poll(reply, views, w->n, &poll);
    if (poll.message[0] != '\0' && log_gate_open(&gate, &missed)) {
        log_warn("cluster_silent", KV("msg", poll.message), KV("missed", missed));
    }
    struct err first = {0};
    for (size_t i = 0; i < w->n; i++) {
        struct err why = {0};
        if (settle(w, i, &views[i], &poll, base->db, &why) != 0) {
            err_set(&first, why.kind, why.code, why.where, "%s", why.msg);
        }
    }
    if (first.kind != ERR_NONE) {
        *err = first;
        return -1;
    }
    return 0;
}

int quant_watch(void **keep, const struct job_base *base, struct err *err)
{
    AUTO(free) char *reply = NULL;
    if (*keep == NULL) {
        *keep = calloc(1, sizeof(struct watch));
    }
    struct watch *w = *keep;
    if (w == NULL) {
        return ERR(err, ERR_TRANSIENT, errno, "out of memory");
    }
    if (load_parked(w, base->db, err) != 0) {
        return -1;
    }
    if (w->n == 0) {
        return 0;
    }
    if (ask(w, base->cfg, &reply, err) != 0) {
        return err_context(err, "watching jobs");
    }
    return settle_all(w, reply, base, err);
}
