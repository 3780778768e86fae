/* wake.c - flags that wake the brain. A lost event costs nothing: the sweep recomputes. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/bus/event.h"
#include "scheduler/scheduler.h"

void wake_init(struct wake *w)
{
    pthread_mutex_init(&w->lock, NULL);
    mono_cond_init(&w->raised);
    bson_init(&w->touched);
}

void wake_fini(struct wake *w)
{
    bson_destroy(&w->touched);
    pthread_cond_destroy(&w->raised);
    pthread_mutex_destroy(&w->lock);
}

static void raise_locked(struct wake *w, const char *raw_file)
{
    w->any = true;
    if (raw_file == NULL || raw_file[0] == '\0' || bson_count_keys(&w->touched) > 1000) {
        w->everything = true;
    } else if (!db_has_key(&w->touched, raw_file)) {
        BSON_APPEND_BOOL(&w->touched, raw_file, true);
    }
    pthread_cond_signal(&w->raised);
}

void wake_raise(struct wake *w, const char *raw_file)
{
    pthread_mutex_lock(&w->lock);
    raise_locked(w, raw_file);
    pthread_mutex_unlock(&w->lock);
}

void wake_stop(struct wake *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->raised);
    pthread_mutex_unlock(&w->lock);
}

bool wake_is_stopping(struct wake *w)
{
    pthread_mutex_lock(&w->lock);
    bool stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop;
}

bool wake_take(struct wake *w, int64_t timeout_ms, struct wake_news *news)
{
    int64_t until = mono_ms() + timeout_ms;
    pthread_mutex_lock(&w->lock);
    while (!w->any && !w->stop && mono_wait(&w->raised, &w->lock, until)) {
    }
    bson_copy_to(&w->touched, &news->touched);
    bson_reinit(&w->touched);
    news->everything = w->everything;
    w->any = w->everything = false;
    bool go_on = !w->stop;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void log_bad_event(const struct err *why)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    if (log_gate_open(&gate, &missed)) {
        log_warn("bad_event", KV("why", why->msg), KV("missed", missed));
    }
}

void wake_on_event(void *ctx, struct bus_msg *msg)
{
    struct scheduler *s = ctx;
    struct err err = {0};
    struct event event;
    bool good = event_decode(msg->data, msg->len, &event, &err) == 0;
    if (!good) {
        log_bad_event(&err);
    }
    pthread_mutex_lock(&s->wake.lock); /* held while s->events is being set */
    if (good) {
        raise_locked(&s->wake, event.raw_file);
    }
    struct bus_consumer *events = s->events;
    pthread_mutex_unlock(&s->wake.lock);
    bus_done(events, msg);
}
