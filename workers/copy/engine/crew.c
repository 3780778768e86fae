/*
 * crew.c - helpers that work while the owner's thread looks at the hooks. The first failure stops
 * the others: they see copy.stop and leave. A helper that hangs in the kernel (a dead mount) cannot
 * be stopped; the owner goes on asking the hooks meanwhile.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "workers/copy/engine/internal.h"

#define CREW_LOOK_MS 200

struct crew {
    struct copy *copy;
    const struct crew_job *job;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned running; /* lock */
    struct err first; /* lock */
};

static void crew_fail(struct crew *crew, const struct err *e)
{
    pthread_mutex_lock(&crew->lock);
    if (crew->first.kind == ERR_NONE) {
        crew->first = *e;
    }
    pthread_mutex_unlock(&crew->lock);
    atomic_store(&crew->copy->stop, true);
}

static void *helper(void *arg)
{
    struct crew *crew = arg;
    struct err e = {0};
    if (crew->job->run(crew->job->ctx, &e) != 0) {
        crew_fail(crew, &e);
    }
    pthread_mutex_lock(&crew->lock);
    crew->running--;
    pthread_cond_signal(&crew->ended);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

static void call_hooks(struct crew *crew)
{
    struct copy *c = crew->copy;
    const struct copy_hooks *h = &c->plan->hooks;
    struct err e = {0};
    if (!atomic_load(&c->stop) && h->check != NULL && h->check(h->ctx, &e) != 0) {
        crew_fail(crew, &e);
    }
    if (h->progress != NULL) {
        int64_t done = atomic_load(&c->read);
        if (c->plan->readback != COPY_READBACK_NONE) {
            done = (done + atomic_load(&c->readback)) / 2;
        }
        h->progress(h->ctx, done < c->total ? done : c->total, c->total);
    }
}

void crew_lock_init(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    pthread_mutex_init(lock, NULL);
    mono_cond_init(cond);
}

void crew_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    mono_wait(cond, lock, mono_ms() + 100);
}

static void wait_for_helpers(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0) {
        int64_t until = mono_ms() + CREW_LOOK_MS;
        while (crew->running > 0 && mono_wait(&crew->ended, &crew->lock, until)) {
        }
        pthread_mutex_unlock(&crew->lock);
        call_hooks(crew);
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
}

static unsigned start_helpers(struct crew *crew, pthread_t *threads, unsigned n)
{
    unsigned started = 0;
    crew->running = n;
    while (started < n) {
        int code = pthread_create(&threads[started], NULL, helper, crew);
        if (code != 0) {
            struct err e = {0};
            ERR(&e, ERR_TRANSIENT, code, "start a thread: %s", strerror(code));
            crew_fail(crew, &e);
            break;
        }
        started++;
    }
    pthread_mutex_lock(&crew->lock);
    crew->running -= n - started;
    pthread_mutex_unlock(&crew->lock);
    return started;
}

int crew_run(struct copy *c, const struct crew_job *job, struct err *err)
{
    pthread_t threads[COPY_THREADS_MAX];
    struct crew crew = {.copy = c, .job = job};
    assert(job->threads > 0 && job->threads <= COPY_THREADS_MAX);
    crew_lock_init(&crew.lock, &crew.ended);
    atomic_store(&c->stop, false);

    unsigned started = start_helpers(&crew, threads, job->threads);
    wait_for_helpers(&crew);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_cond_destroy(&crew.ended);
    pthread_mutex_destroy(&crew.lock);
    if (crew.first.kind != ERR_NONE) {
        *err = crew.first;
        return -1;
    }
    return 0;
}

bool crew_again(struct copy *c, int code, int64_t until_ms)
{
    const struct copy_hooks *h = &c->plan->hooks;
    struct err ignored = {0}; /* the hook asks for the stop again */
    if (!fs_is_held(code) || mono_ms() >= until_ms ||
        (h->check != NULL && h->check(h->ctx, &ignored) != 0)) {
        return false;
    }
    mono_sleep_ms(CREW_LOOK_MS); /* cheaper than reading the source and the part once more */
    return true;
}

void crew_throttle(struct copy *c, size_t bytes)
{
    if (c->plan->limit != NULL) {
        bandwidth_take(c->plan->limit, (int64_t)bytes, &c->stop);
    }
    int64_t rate = c->plan->limit_bytes_per_s;
    if (rate <= 0) {
        return;
    }
    int64_t cost = (int64_t)((double)bytes * 1e9 / (double)rate);
    int64_t now = mono_ns(), turn = atomic_load(&c->limit_next_ns), start;
    do { /* an idle time earns no burst */
        start = turn > now ? turn : now;
    } while (!atomic_compare_exchange_weak(&c->limit_next_ns, &turn, start + cost));
    while (mono_ns() < start && !atomic_load(&c->stop)) {
        int64_t ms = (start - mono_ns()) / 1000000 + 1;
        mono_sleep_ms(ms < 100 ? ms : 100);
    }
}
