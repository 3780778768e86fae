/*
 * publish.c - sends a message for each task that is admitted and not claimed, to a partition of a
 * worker with a free thread. A task that stays unclaimed for [kafka] redispatch_ms is sent again,
 * to another worker; duplicates are harmless, because only one claim wins.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "scheduler/scheduler.h"

static struct published *find_published(struct scheduler *s, const struct open_task *t)
{
    for (size_t i = 0; i < s->dispatch.n_published; i++) {
        if (s->dispatch.published[i].fence == t->fence &&
            strcmp(s->dispatch.published[i].task, t->id) == 0) {
            return &s->dispatch.published[i];
        }
    }
    return NULL;
}

/* worker: the one it was sent to, or NULL. */
static int remember_published(struct scheduler *s, const struct open_task *t, const char *worker,
                              struct err *err)
{
    struct published *p = find_published(s, t);
    if (p == NULL) {
        struct published *more =
            realloc(s->dispatch.published, (s->dispatch.n_published + 1) * sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        s->dispatch.published = more;
        p = &s->dispatch.published[s->dispatch.n_published++];
        *p = (struct published){.task = strdup(t->id), .fence = t->fence};
    }
    p->at_ms = mono_ms();
    p->sent = worker != NULL;
    snprintf(p->worker, sizeof p->worker, "%s", worker != NULL ? worker : "");
    p->current = true;
    return 0;
}

static void forget_claimed(struct scheduler *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->dispatch.n_published; i++) {
        if (s->dispatch.published[i].current) {
            s->dispatch.published[kept++] = s->dispatch.published[i];
        } else {
            free(s->dispatch.published[i].task);
        }
    }
    s->dispatch.n_published = kept;
}

struct address {
    const char *worker; /* NULL: none has a partition and a free thread */
    int32_t partition;
};

/* The owner of a partition with the most free threads. */
static struct address choose_worker(struct scheduler *s, const char *kind, bool even_if_busy)
{
    int64_t most = even_if_busy ? INT64_MIN : 0;
    struct worker_seen *best = NULL;
    size_t best_k = 0;
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        for (size_t k = 0; k < s->dispatch.workers[i].n_kinds; k++) {
            bool fits = strcmp(s->dispatch.workers[i].kinds[k].kind, kind) == 0 &&
                        s->dispatch.workers[i].kinds[k].n_partitions > 0;
            if (fits && s->dispatch.workers[i].kinds[k].free > most) {
                most = s->dispatch.workers[i].kinds[k].free;
                best = &s->dispatch.workers[i];
                best_k = k;
            }
        }
    }
    if (best == NULL) {
        return (struct address){0};
    }
    best->kinds[best_k].free--;
    size_t n = best->kinds[best_k].n_partitions;
    return (struct address){best->id, best->kinds[best_k].partitions[mono_random((int64_t)n)]};
}

/* model: publish */
static int publish(struct scheduler *s, const struct open_task *t, struct address to,
                   struct err *err)
{
    struct task_pointer ptr = {.attempt = t->attempt, .fence = t->fence};
    snprintf(ptr.task, sizeof ptr.task, "%s", t->id);
    snprintf(ptr.kind, sizeof ptr.kind, "%s", t->kind);
    AUTO(free) char *json = task_pointer_encode(&ptr);
    struct err send_err = {0};
    if (bus_send_task(s->bus, t->kind, to.partition, t->raw_file, json, &send_err) != 0) {
        log_err_rarely("publish", &send_err);
    }
    return remember_published(s, t, to.worker, err);
}

/* A task that found no free thread is offered again in every pass, so that it starts as soon as a
 * worker has one. A task that stays unclaimed for redispatch_ms is sent even to a busy worker,
 * because what we know of free threads may be old. The next pass reads whether it has been claimed.
 */
static int dispatch_one(struct scheduler *s, const struct open_task *t, struct err *err)
{
    struct published *p = find_published(s, t);
    bool late = p != NULL && mono_ms() - p->at_ms >= s->cfg->kafka.redispatch_ms;
    if (late && !t->fresh) {
        wake_raise(&s->wake, t->raw_file);
        late = false;
    }
    if (p != NULL) {
        p->current = true;
    }
    if (p != NULL && p->sent && !late) {
        return 0;
    }
    struct address to = choose_worker(s, t->kind, late);
    if (to.worker != NULL) {
        return publish(s, t, to, err);
    }
    s->dispatch.unaddressed |= late;
    return p == NULL || late ? remember_published(s, t, NULL, err) : 0;
}

static void occupy_thread(struct scheduler *s, const char *worker, const char *kind)
{
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        struct worker_seen *w = &s->dispatch.workers[i];
        for (size_t k = 0; k < w->n_kinds && strcmp(w->id, worker) == 0; k++) {
            w->kinds[k].free -= strcmp(w->kinds[k].kind, kind) == 0;
        }
    }
}

/* A thread is taken from the moment that a task is sent to it until the task has ended. */
static void count_free(struct scheduler *s)
{
    for (size_t i = 0; i < s->dispatch.n_workers; i++) {
        for (size_t k = 0; k < s->dispatch.workers[i].n_kinds; k++) {
            s->dispatch.workers[i].kinds[k].free = s->dispatch.workers[i].kinds[k].threads;
        }
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        const struct open_task *t = &s->dispatch.open[i];
        const struct published *p = t->state == TASK_ADMITTED ? find_published(s, t) : NULL;
        if (t->state == TASK_RUNNING || (p != NULL && p->sent)) {
            occupy_thread(s, p != NULL ? p->worker : t->worker, t->kind);
        }
    }
}

int64_t publish_due_ms(const struct scheduler *s)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < s->dispatch.n_published; i++) {
        int64_t late = s->dispatch.published[i].at_ms + s->cfg->kafka.redispatch_ms;
        due = late < due ? late : due;
    }
    return due;
}

int publish_tasks(struct scheduler *s, struct err *err)
{
    for (size_t i = 0; i < s->dispatch.n_published; i++) {
        s->dispatch.published[i].current = false;
    }
    count_free(s);
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        if (s->dispatch.open[i].state == TASK_ADMITTED &&
            dispatch_one(s, &s->dispatch.open[i], err) != 0) {
            return -1;
        }
    }
    forget_claimed(s);
    return 0;
}
