/*
 * heartbeat.c - one write a beat keeps all of a worker's tasks alive and shows their progress; one
 * read finds those that were cancelled or taken over.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon.h"
#include "common/db/schema.h"
#include "common/health.h"
#include "common/version.h"
#include "workers/runner.h"

#define MAX_PARTITIONS 64
#define CHECK_BEATS    10 /* from one look at the database's version to the next */

static void append_kinds(struct runner *r, bson_t *out)
{
    for (size_t i = 0; i < r->n_kinds; i++) {
        struct kind_threads *k = &r->kinds[i];
        int32_t owned[MAX_PARTITIONS];
        size_t n = bus_owned(k->consumer, owned, MAX_PARTITIONS);
        pthread_mutex_lock(&r->lock);
        size_t free_threads = r->stopping ? 0 : k->free;
        pthread_mutex_unlock(&r->lock);
        bson_t sub, list;
        BSON_APPEND_DOCUMENT_BEGIN(out, k->kind->name, &sub);
        BSON_APPEND_INT64(&sub, "threads", (int64_t)k->threads);
        BSON_APPEND_INT64(&sub, "free", (int64_t)free_threads);
        BSON_APPEND_ARRAY_BEGIN(&sub, "partitions", &list);
        for (size_t p = 0; p < n; p++) {
            char key[24];
            snprintf(key, sizeof key, "%zu", p);
            BSON_APPEND_INT32(&list, key, owned[p]);
        }
        bson_append_array_end(&sub, &list);
        bson_append_document_end(out, &sub);
    }
}

static size_t append_runs(struct runner *r, bson_t *out, bson_t *ids)
{
    size_t n = 0;
    pthread_mutex_lock(&r->lock);
    for (struct run *run = r->runs; run != NULL; run = run->next, n++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", n);
        BCON_APPEND(out, key, "{", "task", BCON_UTF8(run->claim.task), "fence",
                    BCON_INT64(run->claim.fence), "kind", BCON_UTF8(run->kind->name), "step",
                    BCON_UTF8(atomic_load(&run->step)), "done", BCON_INT64(atomic_load(&run->done)),
                    "total", BCON_INT64(atomic_load(&run->total)), "started",
                    BCON_DATE_TIME(run->started_ms), "}");
        BSON_APPEND_UTF8(ids, key, run->claim.task);
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

static int write_beat(struct runner *r, int64_t beat, bson_t *ids, size_t *running, struct err *err)
{
    bson_t kinds = BSON_INITIALIZER, runs = BSON_INITIALIZER, messages = BSON_INITIALIZER;
    append_kinds(r, &kinds);
    messages_append(r, &messages);
    *running = append_runs(r, &runs, ids);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(r->id));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW(
        "$set", "{", "host", BCON_UTF8(r->host), "pid", BCON_INT32((int32_t)getpid()), "version",
        BCON_UTF8(TRAWL_VERSION), "beat", BCON_INT64(beat), "at", BCON_DATE_TIME(wall_ms()),
        "stopping", BCON_BOOL(runner_stopping(r)), "kinds", BCON_DOCUMENT(&kinds), "running",
        BCON_ARRAY(&runs), "messages", BCON_DOCUMENT(&messages), "}");
    bool won;
    int rc = db_upsert(r->db, DB_WORKERS, filter, update, &won, err);
    bson_destroy(&kinds);
    bson_destroy(&runs);
    bson_destroy(&messages);
    return rc;
}

static int look_at_task(void *ctx, const bson_t *doc, struct err *err)
{
    (void)err;
    struct runner *r = ctx;
    pthread_mutex_lock(&r->lock);
    for (struct run *run = r->runs; run != NULL; run = run->next) {
        if (strcmp(run->claim.task, doc_str(doc, "_id", "")) != 0) {
            continue;
        }
        if (doc_has(doc, "cancel")) {
            atomic_store(&run->cancelled, true);
        }
        if (doc_i64(doc, "fence", -1) > run->claim.fence) {
            atomic_store(&run->fenced, true);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return 0;
}

static int look_at_tasks(struct runner *r, const bson_t *ids, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("projection", "{", "fence", BCON_INT32(1), "cancel", BCON_INT32(1), "}");
    return db_each(r->db, DB_TASKS, filter, opts, look_at_task, r, err);
}

bool runner_has_lease(struct runner *r)
{
    int64_t beat_ok_ms = atomic_load(&r->beat_ok_ms);
    return beat_ok_ms != 0 && mono_ms() - beat_ok_ms < r->cfg->worker.lease_ms * 3 / 4;
}

/* Near the end of the lease another worker may soon be given our tasks: stop in time. What was done
 * is handed back when MongoDB answers again, if it is still ours. A run sees by itself that the
 * lease is over (run_check); this is for those that do not look before the next beat. */
static void give_up_tasks(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    for (struct run *run = r->runs; run != NULL; run = run->next) {
        atomic_store(&run->lapsed, true);
    }
    pthread_mutex_unlock(&r->lock);
}

/* Whether the database is newer than this program, or of another environment: then the process
 * ends. */
static bool is_refused(struct runner *r)
{
    struct err err = {0};
    if (!atomic_load(&r->refused) && schema_refuses(r->db, r->cfg->trawl.env, &err)) {
        atomic_store(&r->refused, true);
        start_refuse(&err);
    }
    return atomic_load(&r->refused);
}

/* model: beat. A beat that comes too late does not bring back what the lease has lost. */
static void beat_once(struct runner *r, int64_t beat)
{
    if (beat % CHECK_BEATS == 1 && is_refused(r)) {
        give_up_tasks(r);
        return;
    }
    int64_t asked_ms = mono_ms();
    struct err err = {0};
    bson_t ids = BSON_INITIALIZER;
    size_t running = 0;
    int rc = write_beat(r, beat, &ids, &running, &err);
    if (!runner_has_lease(r)) {
        give_up_tasks(r);
    }
    if (rc == 0) {
        atomic_store(&r->beat_ok_ms, asked_ms);
    }
    if (rc == 0 && running > 0) {
        rc = look_at_tasks(r, &ids, &err);
    }
    bson_destroy(&ids);
    if (rc != 0) {
        log_err_rarely("heartbeat", &err);
    }
}

static bool finished(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    bool over = r->stopping && r->runs == NULL;
    pthread_mutex_unlock(&r->lock);
    return over;
}

static void say_goodbye(struct runner *r)
{
    AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", BCON_UTF8(r->id));
    struct err err = {0};
    if (db_delete(r->db, DB_WORKERS, me, NULL, &err) != 0) {
        log_err("goodbye", &err);
    }
}

void *heartbeat_main(void *arg)
{
    struct runner *r = arg;
    int64_t beat = 0;
    struct health health = {.file = r->cfg->trawl.health_file};
    while (!finished(r)) {
        health_mark(&health);
        if (runner_has_database(r)) {
            beat_once(r, ++beat);
        }
        if (runner_stopping(r)) {
            mono_sleep_ms(100); /* a stopping worker still beats while its tasks end */
        } else {
            runner_pause(r, r->cfg->worker.heartbeat_ms);
        }
    }
    if (beat > 0) {
        say_goodbye(r);
    }
    return NULL;
}
