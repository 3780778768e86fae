#include "scheduler/chore.h"

#include "common/base/clock.h"
#include "scheduler/scheduler.h"

#define LOOK_MS 1000 /* whether this scheduler leads */

struct chore {
    struct scheduler *s;
    chore_fn *round;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* lock */
};

static bool rest_until(struct chore *c, int64_t until_ms)
{
    pthread_mutex_lock(&c->lock);
    while (!c->stop && mono_wait(&c->wake, &c->lock, until_ms)) {
    }
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return !stop;
}

bool chore_continues(struct chore *c, int64_t rest_ms)
{
    return rest_until(c, rest_ms > 0 ? mono_ms() + rest_ms : 0) && atomic_load(&c->s->leading);
}

static void *chore_main(void *arg)
{
    struct chore *c = arg;
    int64_t next = 0;
    while (rest_until(c, mono_ms() + LOOK_MS)) {
        if (!atomic_load(&c->s->leading)) {
            next = 0;
        } else if (mono_ms() >= next) {
            next = mono_ms() + c->round(c, c->s);
        }
    }
    return NULL;
}

struct chore *chore_new(struct scheduler *s, chore_fn *round, struct err *err)
{
    struct chore *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_no_memory(err);
        return NULL;
    }
    c->s = s;
    c->round = round;
    pthread_mutex_init(&c->lock, NULL);
    mono_cond_init(&c->wake);
    if (pthread_create(&c->thread, NULL, chore_main, c) != 0) {
        ERR(err, ERR_FATAL, 0, "cannot start a thread");
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
    }
    return c;
}

void chore_free(struct chore *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
