/*
 * small.c - files of at most one chunk, many at a time. Flushing each of ten thousand files alone
 * would cost ten thousand waits: they go in batches. Helpers copy files one by one; when a batch is
 * written, one of them flushes the file system once, and its files are read back while the next
 * batch is being written. With only a few files, each is flushed by itself, so that a copy does not
 * wait for what others have left to be written on the same file system.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/copy/engine/small.h"

#define BATCH         1024
#define FEW           16
#define PROVE_THREADS 8 /* beside those that copy: they mostly wait for the disk */

struct small {
    struct copy *copy;
    struct entry **files;
    size_t n, n_batches;
    bool prove_all;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned *left;    /* lock, and all that follows: files of a batch not yet written */
    size_t next_copy;  /* the file to be copied next */
    size_t flushed;    /* all batches before it are flushed */
    size_t next_prove; /* the file to be proven next */
    size_t proven;     /* how many are */
    bool flushing;
};

enum work { WORK_COPY, WORK_FLUSH, WORK_PROVE, WORK_WAIT, WORK_END };

bool small_is(const struct copy *c, const struct entry *e)
{
    return !e->is_dir && e->id.size <= c->plan->chunk_bytes;
}

/* --- what to do next (under the lock) --- */

static size_t first_unwritten(const struct small *s)
{
    size_t b = s->flushed;
    while (b < s->n_batches && s->left[b] == 0) {
        b++;
    }
    return b;
}

static enum work choose(struct small *s, size_t *at)
{
    size_t provable = s->flushed * BATCH < s->n ? s->flushed * BATCH : s->n;
    if (atomic_load(&s->copy->stop) || s->proven == s->n) {
        return WORK_END;
    }
    if (s->next_prove < provable) {
        *at = s->next_prove++;
        return WORK_PROVE;
    }
    if (!s->flushing && first_unwritten(s) > s->flushed) {
        s->flushing = true;
        *at = first_unwritten(s);
        return WORK_FLUSH;
    }
    if (s->next_copy < s->n) {
        *at = s->next_copy++;
        return WORK_COPY;
    }
    return WORK_WAIT;
}

static enum work take_work(struct small *s, size_t *at)
{
    pthread_mutex_lock(&s->lock);
    enum work w;
    while ((w = choose(s, at)) == WORK_WAIT) {
        crew_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return w;
}

/* --- doing it --- */

static int copy_one(struct small *s, struct hand *h, size_t at, struct err *err)
{
    if (hand_copy(h, s->files[at], err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&s->lock);
    if (--s->left[at / BATCH] == 0) {
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int flush_batches(struct small *s, size_t upto, struct err *err)
{
    size_t from = s->flushed * BATCH, to = upto * BATCH < s->n ? upto * BATCH : s->n;
    if (!s->copy->flush_each && flush_files(s->copy, s->files + from, to - from, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&s->lock);
    s->flushing = false;
    s->flushed = upto;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int prove_one(struct small *s, struct hand *h, size_t at, struct err *err)
{
    struct entry *e = s->files[at];
    if ((s->prove_all || e->kept || e->doubt) && hand_prove(h, e, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&s->lock);
    if (++s->proven == s->n) {
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static int help(struct small *s, struct hand *h, struct err *err)
{
    for (;;) {
        size_t at = 0;
        int rc = 0;
        switch (take_work(s, &at)) {
        case WORK_COPY:
            rc = copy_one(s, h, at, err);
            break;
        case WORK_FLUSH:
            rc = flush_batches(s, at, err);
            break;
        case WORK_PROVE:
            rc = prove_one(s, h, at, err);
            break;
        case WORK_WAIT:
        case WORK_END:
            return 0;
        }
        if (rc != 0) {
            return -1;
        }
    }
}

static int small_helper(void *ctx, struct err *err)
{
    struct small *s = ctx;
    struct hand h;
    int rc = hand_init(&h, s->copy, err);
    if (rc == 0) {
        rc = help(s, &h, err);
    }
    hand_fini(&h);
    return rc;
}

/* --- the lot --- */

static int collect(struct small *s, struct err *err)
{
    struct copy *c = s->copy;
    s->files = calloc(c->files.n + 1, sizeof *s->files);
    s->left = calloc(c->files.n / BATCH + 1, sizeof *s->left);
    if (s->files == NULL || s->left == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < c->files.n; i++) {
        struct entry *e = &c->files.entries[i];
        if (small_is(c, e) && !c->members[e->member].there) {
            s->left[s->n / BATCH]++;
            s->files[s->n++] = e;
        }
    }
    s->n_batches = (s->n + BATCH - 1) / BATCH;
    s->prove_all = c->plan->readback != COPY_READBACK_NONE;
    c->flush_each = s->n <= FEW;
    return 0;
}

static int run(struct small *s, struct err *err)
{
    struct copy *c = s->copy;
    size_t threads = c->plan->file_threads + PROVE_THREADS;
    threads = threads < s->n ? threads : s->n;
    threads = threads < COPY_THREADS_MAX ? threads : COPY_THREADS_MAX;
    struct crew_job job = {.run = small_helper, .ctx = s, .threads = (unsigned)threads};
    crew_lock_init(&s->lock, &s->changed);
    int rc = crew_run(c, &job, err);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    return rc;
}

int small_transfer(struct copy *c, struct err *err)
{
    struct small s = {.copy = c};
    int rc = collect(&s, err);
    if (rc == 0 && s.n > 0) {
        rc = run(&s, err);
    }
    free(s.files);
    free(s.left);
    return rc;
}
