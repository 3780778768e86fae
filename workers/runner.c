/*
 * runner.c - a worker's threads, and the way of a message to one of them. runner_new checks the
 * list of kinds, starts each kind's threads and watcher, then its consumer, then heartbeat and
 * mounts thread. A consumer thread hands each message over to the threads of its kind (on_message);
 * a message that is no pointer to a task, or comes when all are busy, is given back unclaimed, and
 * the scheduler publishes it again. A thread takes the next hand-over and runs it (run.c), or gives
 * it back when the runner is stopping.
 *
 * runner_free wakes every thread. Short steps get two seconds to end, long ones then hand their
 * task back at their next check; heartbeat and mounts thread follow, and the consumers leave their
 * groups last.
 */
#include "workers/runner.h"
#include "common/db/schema.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/raw/database_owner.h"
#include "common/task/kinds.h"

#define OWNER_MS 1000 /* how often to look whose the database is */

bool runner_stopping(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    bool stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return stopping;
}

void runner_pause(struct runner *r, int64_t ms)
{
    int64_t until = mono_ms() + ms;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping && mono_wait(&r->wake, &r->lock, until)) {
    }
    pthread_mutex_unlock(&r->lock);
}

bool runner_has_database(struct runner *r)
{
    struct err err = {0};
    bool shadow;
    if (!atomic_load(&r->owns)) {
        if (database_is_ours(r->db, r->cfg->mongo.database, &shadow, &err) == 0) {
            atomic_store(&r->owns, true);
        } else {
            log_err_rarely("database", &err);
        }
    }
    return atomic_load(&r->owns);
}

void runner_await_database(struct runner *r)
{
    while (!runner_stopping(r) && !runner_has_database(r)) {
        runner_pause(r, OWNER_MS);
    }
}

/* --- from the consumer to a thread --- */

static struct kind_threads *find_kind(struct runner *r, const char *name)
{
    for (size_t i = 0; i < r->n_kinds; i++) {
        if (strcmp(r->kinds[i].kind->name, name) == 0) {
            return &r->kinds[i];
        }
    }
    return NULL;
}

static int read_pointer(const struct kind_threads *k, const struct bus_msg *msg, struct handover *h,
                        struct err *err)
{
    if (task_pointer_decode(msg->data, msg->len, &h->ptr, err) != 0) {
        return -1;
    }
    return strcmp(h->ptr.kind, k->kind->name) == 0
               ? 0
               : ERR(err, ERR_INVALID, 0, "kind '%s' in the topic of another", h->ptr.kind);
}

static struct handover *decode(struct kind_threads *k, struct bus_msg *msg)
{
    struct runner *r = k->runner;
    struct err err = {0};
    struct handover *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return NULL; /* it is published again */
    }
    if (read_pointer(k, msg, h, &err) != 0) {
        messages_bad(r, msg, err.msg);
        free(h);
        return NULL;
    }
    h->kind = k;
    h->msg = msg;
    return h;
}

/* Under the lock. A task that comes while all threads are busy waits for the first that is not, as
 * one for each thread may; should it be sent to another worker meanwhile, only one claim wins. */
static bool hand_over(struct handover *h)
{
    struct kind_threads *k = h->kind;
    struct handover **tail = &k->head;
    size_t waiting = 0;
    while (*tail != NULL) {
        tail = &(*tail)->next;
        waiting++;
    }
    if (waiting >= k->free + k->threads || k->runner->stopping) {
        return false;
    }
    *tail = h;
    pthread_cond_signal(&k->work);
    return true;
}

/* On the consumer's thread (run_handover goes on from here). What is not taken stays unclaimed: the
 * scheduler publishes it again for another worker. */
static void on_message(void *ctx, struct bus_msg *msg)
{
    struct kind_threads *k = ctx;
    struct handover *h = decode(k, msg);
    pthread_mutex_lock(&k->runner->lock);
    bool taken = h != NULL && hand_over(h);
    struct bus_consumer *consumer = k->consumer;
    pthread_mutex_unlock(&k->runner->lock);
    if (!taken) {
        free(h);
        bus_done(consumer, msg);
    }
}

/* NULL means stopping and nothing left, the only way out. */
static struct handover *next_handover(struct kind_threads *k)
{
    struct runner *r = k->runner;
    pthread_mutex_lock(&r->lock);
    while (k->head == NULL && !r->stopping) {
        pthread_cond_wait(&k->work, &r->lock);
    }
    struct handover *h = k->head;
    if (h != NULL) {
        k->head = h->next;
        k->free--;
    }
    pthread_mutex_unlock(&r->lock);
    return h;
}

static void *thread_main(void *arg)
{
    struct kind_threads *k = arg;
    struct handover *h;
    while ((h = next_handover(k)) != NULL) {
        if (runner_stopping(k->runner)) {
            bus_done(k->consumer, h->msg); /* for another worker */
        } else {
            run_handover(h);
        }
        free(h);
        pthread_mutex_lock(&k->runner->lock);
        k->free++;
        pthread_mutex_unlock(&k->runner->lock);
    }
    return NULL;
}

/* --- start and stop --- */

void runner_list_kinds(bool retiring, const char *separator, char *buf, size_t room)
{
    size_t used = 0;
    buf[0] = '\0';
    for (size_t i = 0; worker_kinds[i] != NULL && used < room; i++) {
        const char *name = worker_kinds[i]->name;
        if (task_kind(name)->retires == retiring) {
            used +=
                (size_t)snprintf(buf + used, room - used, "%s%s", used > 0 ? separator : "", name);
        }
    }
}

static int unknown_kind(const char *name, struct err *err)
{
    char usual[100], more[100];
    runner_list_kinds(false, ", ", usual, sizeof usual);
    runner_list_kinds(true, ", ", more, sizeof more);
    return ERR(err, ERR_INVALID, 0, "--kinds: '%s' is no kind of task (%s, %s)", name, usual, more);
}

static int add_kinds(struct runner *r, const char *list, struct err *err)
{
    AUTO(free) char *copy = strdup(list);
    char *rest = copy;
    for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
        const struct worker_kind *found = NULL;
        for (size_t i = 0; worker_kinds[i] != NULL; i++) {
            if (strcmp(worker_kinds[i]->name, name) == 0) {
                found = worker_kinds[i];
            }
        }
        if (found == NULL) {
            return unknown_kind(name, err);
        }
        if (find_kind(r, name) != NULL || r->n_kinds == RUNNER_MAX_KINDS) {
            return ERR(err, ERR_INVALID, 0, "--kinds: '%s' is named twice", name);
        }
        int64_t n = found->threads(r->cfg);
        struct kind_threads *k = &r->kinds[r->n_kinds++];
        *k = (struct kind_threads){.runner = r, .kind = found, .threads = (size_t)n};
        pthread_cond_init(&k->work, NULL);
        k->threads = k->threads > RUNNER_MAX_THREADS ? RUNNER_MAX_THREADS : k->threads;
        if (found->open != NULL && (k->shared = found->open(r->cfg, err)) == NULL) {
            return -1;
        }
    }
    return 0;
}

static int start_kind(struct kind_threads *k, struct err *err)
{
    while (k->started < k->threads) {
        if (pthread_create(&k->ids[k->started], NULL, thread_main, k) != 0) {
            return ERR(err, ERR_FATAL, 0, "cannot start a thread for %s", k->kind->name);
        }
        k->started++;
    }
    pthread_mutex_lock(&k->runner->lock);
    k->free = k->threads;
    pthread_mutex_unlock(&k->runner->lock);
    if (k->kind->watch != NULL) {
        if (pthread_create(&k->watcher, NULL, watcher_main, k) != 0) {
            return ERR(err, ERR_FATAL, 0, "cannot start the watcher of %s", k->kind->name);
        }
        k->watching = true;
    }
    return 0;
}

static int consume(struct kind_threads *k, struct err *err)
{
    struct runner *r = k->runner;
    pthread_mutex_lock(&r->lock); /* on_message waits here until the consumer is known */
    k->consumer = bus_consume_tasks(r->bus, k->kind->name, on_message, k, err);
    pthread_mutex_unlock(&r->lock);
    return k->consumer != NULL ? 0 : -1;
}

static int start(struct runner *r, struct err *err)
{
    for (size_t i = 0; i < r->n_kinds; i++) {
        if (start_kind(&r->kinds[i], err) != 0 || consume(&r->kinds[i], err) != 0) {
            return -1;
        }
    }
    if (pthread_create(&r->beat_thread, NULL, heartbeat_main, r) != 0) {
        return ERR(err, ERR_FATAL, 0, "cannot start the heartbeat");
    }
    r->beating = true;
    if (pthread_create(&r->mounts_thread, NULL, locations_main, r) != 0) {
        return ERR(err, ERR_FATAL, 0, "cannot start the watch over the locations");
    }
    r->looking = true;
    return 0;
}

static void name_yourself(struct runner *r)
{
    if (gethostname(r->host, sizeof r->host - 1) != 0) {
        snprintf(r->host, sizeof r->host, "unknown");
    }
    snprintf(r->id, sizeof r->id, "%.60s-%d-%06llx", r->host, (int)getpid(),
             (unsigned long long)mono_random(1 << 24));
}

struct runner *runner_new(const struct config *cfg, const char *list, struct err *err)
{
    AUTO(runner_free) struct runner *r = calloc(1, sizeof *r);
    if (r == NULL) {
        ERR(err, ERR_FATAL, 0, "out of memory");
        return NULL;
    }
    r->cfg = cfg;
    pthread_mutex_init(&r->lock, NULL);
    mono_cond_init(&r->wake);
    name_yourself(r);
    if (add_kinds(r, list, err) != 0 || (r->db = db_new(cfg, "trawl-worker", err)) == NULL ||
        schema_refuses(r->db, cfg->trawl.env, err) || (r->bus = bus_new(cfg, r->id, err)) == NULL ||
        (r->mounts = mounts_new(cfg, r->db, err)) == NULL || start(r, err) != 0) {
        return NULL;
    }
    log_info("worker_started", KV("worker", r->id), KV("kinds", list));
    return TAKE(r);
}

#define SHORT_STEP_MS                                                                              \
    2000 /* what is nearly finished may finish before long steps are handed back */

static void let_short_steps_end(struct runner *r)
{
    for (int64_t until = mono_ms() + SHORT_STEP_MS; mono_ms() < until; mono_sleep_ms(20)) {
        pthread_mutex_lock(&r->lock);
        bool busy = r->runs != NULL;
        pthread_mutex_unlock(&r->lock);
        if (!busy) {
            break;
        }
    }
    atomic_store(&r->yield, true);
}

/* All at once: each may wait for a broker that is away. */
static void leave_groups(struct runner *r)
{
    for (size_t i = 0; i < r->n_kinds; i++) {
        if (r->kinds[i].consumer != NULL) {
            bus_consumer_stop(r->kinds[i].consumer);
        }
    }
    for (size_t i = 0; i < r->n_kinds; i++) {
        bus_consumer_free(r->kinds[i].consumer);
    }
}

void runner_free(struct runner *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_broadcast(&r->wake);
    for (size_t i = 0; i < r->n_kinds; i++) {
        pthread_cond_broadcast(&r->kinds[i].work);
    }
    pthread_mutex_unlock(&r->lock);
    let_short_steps_end(r);
    for (size_t i = 0; i < r->n_kinds; i++) {
        struct kind_threads *k = &r->kinds[i];
        for (size_t t = 0; t < k->started; t++) {
            pthread_join(k->ids[t], NULL);
        }
        if (k->watching) {
            pthread_join(k->watcher, NULL);
        }
        if (k->shared != NULL) {
            k->kind->close(k->shared);
        }
        pthread_cond_destroy(&k->work);
    }
    if (r->beating) { /* it asks the consumer for its partitions */
        pthread_join(r->beat_thread, NULL);
    }
    if (r->looking) {
        pthread_join(r->mounts_thread, NULL);
    }
    leave_groups(r);
    mounts_free(r->mounts);
    bus_free(r->bus);
    db_free(r->db);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
