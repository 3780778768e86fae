/* wake.c - flags that wake the brain. A lost event costs nothing: the sweep recomputes. */
#include <string.h>

#include "common/mono.h"
#include "scheduler/scheduler.h"

#define MESSAGE_MAX 4096

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

void wake_on_event(void *ctx, struct bus_msg *msg)
{
    struct scheduler *s = ctx;
    bson_error_t e;
    AUTO(bson_destroy)
    bson_t *doc = msg->len > 0 && msg->len < MESSAGE_MAX
                      ? bson_new_from_json(msg->data, (ssize_t)msg->len, &e)
                      : NULL;
    pthread_mutex_lock(&s->wake.lock); /* held while s->events is being set */
    if (doc != NULL) {
        raise_locked(&s->wake, doc_str(doc, "raw_file", NULL));
    }
    struct bus_consumer *events = s->events;
    pthread_mutex_unlock(&s->wake.lock);
    bus_done(events, msg);
}
