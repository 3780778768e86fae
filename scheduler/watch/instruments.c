/*
 * instruments.c - one thread for each file in instruments.d, so that a hung share stops only
 * itself.
 *
 * The folder is read once a second. A new or changed file takes effect at once; a broken one is
 * refused with file and line, and the old one stays in force. A thread that does not stop (its
 * share hangs in the kernel) is left behind with its own memory; nothing waits for it.
 */
#include "scheduler/watch/instruments.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "scheduler/watch/watch.h"

#define RELOAD_EVERY_MS 1000
#define STOP_WAIT_S     3

struct instruments {
    struct scheduler *s;
    pthread_mutex_t lock;
    struct watch **at; /* lock: the brain changes it, others read */
    size_t n;          /* lock */
    int64_t looked_ms;
};

/* --- a thread --- */

static void pause_until(struct watch *w, bool led, int64_t until_ms)
{
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->stop) && !atomic_load(&w->recall) &&
           atomic_load(&w->s->leading) == led && mono_wait(&w->nudge, &w->lock, until_ms)) {
    }
    pthread_mutex_unlock(&w->lock);
}

static void nudge(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->nudge);
    pthread_mutex_unlock(&w->lock);
}

static void stop_reading(struct watch *w)
{
    reread_free(w->reread);
    w->reread = NULL;
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    while (!atomic_load(&w->stop)) {
        int64_t next = mono_ms() + w->cfg->poll_s * 1000;
        bool leads = atomic_load(&w->s->leading);
        if (leads) {
            watch_poll(w);
        } else {
            stop_reading(w);
            watch_forget(w);
        }
        pause_until(w, leads, next);
    }
    stop_reading(w);
    watch_forget(w);
    return NULL;
}

static void watch_free(struct watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_WAIT_S;
    atomic_store(&w->stop, true);
    nudge(w);
    if (w->started && pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
        log_warn("instrument_hangs", KV("instrument", w->cfg->id), KV("path", w->cfg->path));
        pthread_detach(w->thread);
        return; /* it still uses its memory */
    }
    pthread_cond_destroy(&w->nudge);
    pthread_mutex_destroy(&w->lock);
    instrument_free(w->cfg);
    free(w->file);
    free(w);
}

static struct watch *watch_new(struct scheduler *s, const char *file, const struct stat *st,
                               struct err *err)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL || (w->file = strdup(file)) == NULL ||
        (w->cfg = instrument_load(s->cfg, file, err)) == NULL) {
        if (w != NULL) {
            free(w->file);
        }
        free(w);
        err_no_memory(err);
        return NULL;
    }
    w->s = s;
    pthread_mutex_init(&w->lock, NULL);
    mono_cond_init(&w->nudge);
    w->file_mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    w->file_size = st->st_size;
    if (pthread_create(&w->thread, NULL, watch_main, w) != 0) {
        ERR(err, ERR_TRANSIENT, 0, "cannot start a thread for %s", file);
        watch_free(w);
        return NULL;
    }
    w->started = true;
    log_info("instrument", KV("instrument", w->cfg->id), KV("path", w->cfg->path),
             KV("type", instrument_type_name(w->cfg->type)));
    return w;
}

/* --- the folder --- */

static void put_watch(struct instruments *all, struct watch *w)
{
    pthread_mutex_lock(&all->lock);
    struct watch **more = realloc(all->at, (all->n + 1) * sizeof(struct watch *));
    if (more != NULL) {
        all->at = more;
        all->at[all->n++] = w;
    }
    pthread_mutex_unlock(&all->lock);
    if (more == NULL) {
        watch_free(w);
    }
}

static void drop_watch(struct instruments *all, size_t i)
{
    pthread_mutex_lock(&all->lock);
    struct watch *w = all->at[i];
    all->at[i] = all->at[--all->n];
    pthread_mutex_unlock(&all->lock);
    watch_free(w);
}

static size_t find_file(const struct instruments *all, const char *file)
{
    size_t i = 0;
    while (i < all->n && strcmp(all->at[i]->file, file) != 0) {
        i++;
    }
    return i;
}

static void refuse_file(struct instruments *all, const char *file, const struct stat *st,
                        struct watch *old, const struct err *err)
{
    (void)all;
    log_err("instrument_refused", err);
    log_warn("instrument_refused", KV("file", file), KV("old_one_stays", old != NULL ? 1 : 0));
    if (old != NULL) { /* log it once for each change of the file */
        old->file_mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
        old->file_size = st->st_size;
    }
}

static int read_file(void *ctx, const char *name, struct err *err)
{
    struct instruments *all = ctx;
    struct stat st;
    if (name[0] == '.' || !path_ends_with(name, ".ini", false)) {
        return 0;
    }
    AUTO(free) char *file = path_join(all->s->cfg->scheduler.instruments_dir, name, err);
    if (file == NULL) {
        return -1;
    }
    if (stat(file, &st) != 0) {
        return 0;
    }
    size_t i = find_file(all, file);
    struct watch *old = i < all->n ? all->at[i] : NULL;
    int64_t mtime = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    if (old != NULL && old->file_mtime_ns == mtime && old->file_size == st.st_size) {
        return 0;
    }
    struct err why = {0};
    struct watch *fresh = watch_new(all->s, file, &st, &why);
    if (fresh == NULL) {
        static struct log_gate gate;
        uint64_t missed = 0;
        if (old != NULL || log_gate_open(&gate, &missed)) {
            refuse_file(all, file, &st, old, &why);
        }
        return 0;
    }
    if (old != NULL) {
        drop_watch(all, i);
    }
    put_watch(all, fresh);
    return 0;
}

/* Delete the instrument's document in "watches". */
static void remove_status(struct instruments *all, const char *id)
{
    struct err err = {0};
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    if (db_delete(all->s->db, DB_WATCHES, filter, NULL, &err) != 0) {
        log_err("watch_not_removed", &err);
    }
}

static void drop_removed(struct instruments *all)
{
    for (size_t i = all->n; i-- > 0;) {
        struct stat st;
        if (stat(all->at[i]->file, &st) != 0) {
            AUTO(free) char *id = strdup(all->at[i]->cfg->id);
            log_info("instrument_removed", KV("instrument", all->at[i]->cfg->id));
            drop_watch(all, i);
            if (id != NULL) {
                remove_status(all, id);
            }
        }
    }
}

void instruments_reload(struct instruments *all)
{
    if (all->looked_ms != 0 && mono_ms() - all->looked_ms < RELOAD_EVERY_MS) {
        return;
    }
    all->looked_ms = mono_ms();
    for (size_t i = 0; i < all->n; i++) {
        watch_report_hung(all->at[i]);
    }
    struct err err = {0};
    static struct log_gate gate;
    uint64_t missed = 0;
    if (fs_each_name(all->s->cfg->scheduler.instruments_dir, read_file, all, &err) != 0) {
        if (log_gate_open(&gate, &missed)) {
            log_err("instruments_dir", &err);
        }
        return; /* a folder that cannot be read removes nothing */
    }
    drop_removed(all);
}

struct instruments *instruments_new(struct scheduler *s, struct err *err)
{
    struct instruments *all = calloc(1, sizeof *all);
    if (all == NULL) {
        ERR(err, ERR_FATAL, 0, "out of memory");
        return NULL;
    }
    all->s = s;
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

void instruments_free(struct instruments *all)
{
    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < all->n; i++) {
        atomic_store(&all->at[i]->stop, true);
        nudge(all->at[i]);
    }
    for (size_t i = 0; i < all->n; i++) {
        watch_free(all->at[i]);
    }
    free(all->at);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

struct instrument_facts instruments_facts(struct instruments *all, const char *id)
{
    struct instrument_facts f = {.known = false};
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n && !f.known; i++) {
        const struct instrument *c = all->at[i]->cfg;
        if (strcmp(c->id, id) == 0) {
            f = (struct instrument_facts){.known = true,
                                          .skip_processing = c->skip_processing,
                                          .skip_quanting = c->skip_quanting,
                                          .type = c->type,
                                          .max_copies = c->max_copies,
                                          .file_move_delay_m = c->file_move_delay_m,
                                          .min_free_space_gb = c->min_free_space_gb,
                                          .min_file_age_days = c->min_file_age_days};
            snprintf(f.path, sizeof f.path, "%s", c->path);
        }
    }
    pthread_mutex_unlock(&all->lock);
    return f;
}

void instruments_recall(struct instruments *all, const char *id)
{
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->at[i]->cfg->id, id) == 0) {
            atomic_store(&all->at[i]->recall, true);
            nudge(all->at[i]);
        }
    }
    pthread_mutex_unlock(&all->lock);
}

void instruments_nudge(struct instruments *all)
{
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n; i++) {
        nudge(all->at[i]);
    }
    pthread_mutex_unlock(&all->lock);
}
