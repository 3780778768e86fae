/*
 * mount_probe.c - one thread and one remembered result a location.
 *
 * Looks are numbered: a caller asks for one (asked), the thread answers all that were asked for
 * before it began (answered). A caller whose number is not answered in time says "hangs".
 */
#include "common/mount/mount_probe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/mount/location.h"

#define WRITE_PROBE_MS 60000 /* a probe file is made at most so often, while all is well */
#define JOIN_MS        1000
#define MIB            ((int64_t)1 << 20)

struct place {
    char location[MOUNT_LOCATION_MAX], path[MOUNT_PATH_MAX];
    struct mounts_options o; /* a copy: a thread that is left behind must not miss it */
    pthread_t thread;
    struct place *next; /* of struct mounts, under its lock */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct mount_expect expect; /* lock: for the next look */
    bool write;                 /* lock: somebody has asked to write */
    bool stop, ended;           /* lock */
    bool abandoned;             /* lock: nobody will join the thread */
    uint64_t asked, answered;   /* lock: numbers of looks */
    int64_t began_ms;           /* lock: of the look that goes on; 0: none does */
    int64_t answered_ms;        /* lock */
    int64_t probed_ms;          /* lock: the last write probe; 0: it must be made again */
    struct mount_proof proof;   /* lock: of the last look */
    enum mount_status status;   /* lock: for the strictest need */
    char detail[200];           /* lock: of status */
    int64_t since_ms;           /* lock: wall clock, of status; 0: not looked at yet */
};

struct mounts {
    struct mounts_options o;
    pthread_mutex_t lock;
    struct place *places; /* lock; a place lives as long as m */
    char host[64];
    struct db *db;
    atomic_bool changed;
};

/* --- the thread of a location --- */

/* Under the lock. */
static bool is_stuck(const struct place *p, int64_t now)
{
    return p->began_ms != 0 && now - p->began_ms >= p->o.deadline_ms;
}

static bool probe_is_due(const struct place *p, int64_t now)
{
    return p->write &&
           (p->probed_ms == 0 || p->proof.write_errno != 0 || now - p->probed_ms >= WRITE_PROBE_MS);
}

/* Under the lock, which is open while the file system is asked. */
static void look_once(struct place *p)
{
    struct mount_expect expect = p->expect;
    struct mount_proof proof;
    uint64_t number = p->asked;
    p->began_ms = mono_ms();
    bool probe = probe_is_due(p, p->began_ms);
    pthread_mutex_unlock(&p->lock);
    p->o.prove(&expect, probe, &proof);
    pthread_mutex_lock(&p->lock);
    p->proof = proof;
    p->probed_ms = proof.status != MOUNT_OK ? 0 : probe ? mono_ms() : p->probed_ms;
    p->answered = number;
    p->answered_ms = p->began_ms; /* what was seen is at least as old as the look's beginning */
    p->began_ms = 0;
    pthread_cond_broadcast(&p->wake);
}

static void place_release(struct place *p)
{
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void *place_main(void *arg)
{
    struct place *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->answered == p->asked) {
            pthread_cond_wait(&p->wake, &p->lock);
        }
        if (p->stop) {
            break;
        }
        look_once(p);
    }
    bool mine = p->abandoned;
    p->ended = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (mine) {
        place_release(p);
    }
    return NULL;
}

static struct place *place_new(const struct mounts *m, const struct mount_need *need)
{
    struct place *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->o = m->o;
    snprintf(p->location, sizeof p->location, "%s", need->location);
    snprintf(p->path, sizeof p->path, "%s", need->path);
    pthread_mutex_init(&p->lock, NULL);
    mono_cond_init(&p->wake);
    if (pthread_create(&p->thread, NULL, place_main, p) != 0) {
        place_release(p);
        return NULL;
    }
    return p;
}

static void place_stop(struct place *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* A thread that is stuck in the kernel gets its place for its own, to free when it comes back. */
static void place_free(struct place *p)
{
    int64_t end = mono_ms() + JOIN_MS;
    pthread_mutex_lock(&p->lock);
    while (!p->ended && !is_stuck(p, mono_ms()) && mono_wait(&p->wake, &p->lock, end)) {
    }
    pthread_t thread = p->thread;
    bool left_behind = p->abandoned = !p->ended;
    if (left_behind) {
        log_warn("location_hangs", KV("location", p->location), KV("path", p->path));
    }
    pthread_mutex_unlock(&p->lock);
    if (left_behind) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    place_release(p);
}

static struct place *place_of(struct mounts *m, const struct mount_need *need, struct err *err)
{
    pthread_mutex_lock(&m->lock);
    struct place *p = m->places;
    while (p != NULL && (strcmp(p->location, need->location) != 0 ||
                         strncmp(p->path, need->path, sizeof p->path - 1) != 0)) {
        p = p->next;
    }
    if (p == NULL && (p = place_new(m, need)) != NULL) {
        p->next = m->places;
        m->places = p;
    }
    pthread_mutex_unlock(&m->lock);
    if (p == NULL) {
        err_no_memory(err);
    }
    return p;
}

/* --- a caller --- */

struct answer {
    struct mount_proof proof;
    enum mount_status status;
    char detail[200];
    int64_t since_ms;
};

/* All under the place's lock. */
static bool is_good_enough(const struct place *p, const struct mount_need *need, int64_t now)
{
    return p->answered > 0 && now - p->answered_ms <= need->max_age_ms && need->max_age_ms > 0 &&
           (!need->write || p->probed_ms != 0 || p->proof.status != MOUNT_OK);
}

static uint64_t ask(struct place *p, const struct mount_expect *expect, bool write)
{
    p->expect = *expect;
    p->write |= write;
    pthread_cond_broadcast(&p->wake);
    return ++p->asked;
}

static void wait_for(struct place *p, uint64_t number)
{
    int64_t end = mono_ms() + p->o.deadline_ms;
    while (p->answered < number && !p->stop && !is_stuck(p, mono_ms()) &&
           mono_wait(&p->wake, &p->lock, end)) {
    }
}

static void hangs(const struct place *p, int64_t now, struct answer *a)
{
    int64_t s = p->began_ms != 0 ? (now - p->began_ms) / 1000 : p->o.deadline_ms / 1000;
    a->proof.free_bytes = a->proof.total_bytes = -1;
    a->status = MOUNT_HANGS;
    snprintf(a->detail, sizeof a->detail, "it has not answered for %lld s", (long long)s);
}

static enum mount_status judge_place(const struct place *p, const struct mount_need *need,
                                     char detail[static 200])
{
    struct mount_need n = *need;
    n.bytes = n.bytes > p->o.min_free_bytes ? n.bytes : p->o.min_free_bytes;
    return mount_judge(&p->proof, &n, p->o.require, detail);
}

/* What is shown of the place does not depend on who asked last. */
static void remember(struct mounts *m, struct place *p, const struct answer *a)
{
    const struct mount_need most = {.write = p->write};
    enum mount_status s = a->status;
    memcpy(p->detail, a->detail, sizeof p->detail);
    if (s != MOUNT_HANGS) {
        s = judge_place(p, &most, p->detail);
    }
    if (p->since_ms == 0 || p->status != s) {
        p->since_ms = wall_ms();
        atomic_store(&m->changed, true);
    }
    p->status = s;
}

/* -1 when what is expected cannot be learned. */
static int look_at_place(struct mounts *m, struct place *p, const struct mount_need *need,
                         struct answer *a, struct err *err)
{
    struct mount_expect expect;
    *a = (struct answer){.status = MOUNT_OK};
    pthread_mutex_lock(&p->lock);
    bool stuck = is_stuck(p, mono_ms()), known = is_good_enough(p, need, mono_ms());
    pthread_mutex_unlock(&p->lock);
    if (!stuck && !known && m->o.expect(m->o.ctx, need, &expect, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&p->lock);
    uint64_t number = 0;
    if (!stuck && !known) {
        number = ask(p, &expect, need->write);
        wait_for(p, number);
    }
    if (stuck || p->answered < number) {
        hangs(p, mono_ms(), a);
    } else {
        a->proof = p->proof;
        a->status = judge_place(p, need, a->detail);
    }
    remember(m, p, a);
    a->since_ms = p->since_ms;
    pthread_mutex_unlock(&p->lock);
    return 0;
}

int mounts_check(struct mounts *m, const struct mount_need *need, struct err *err)
{
    struct answer a;
    struct err why = {0};
    struct place *p = place_of(m, need, err);
    if (p == NULL) {
        return -1;
    }
    if (look_at_place(m, p, need, &a, &why) != 0) {
        return ERR(err, ERR_HOLD, why.code, "what location %s should be is not known: %s",
                   need->location, why.msg);
    }
    return a.status == MOUNT_OK ? 0 : mount_refuse(a.status, need, a.detail, err);
}

int mounts_look(struct mounts *m, const struct mount_need *need,
                void (*show)(void *ctx, const struct mounts_view *v), void *ctx, struct err *err)
{
    struct answer a;
    struct place *p = place_of(m, need, err);
    if (p == NULL || look_at_place(m, p, need, &a, err) != 0) {
        return -1;
    }
    show(ctx, &(struct mounts_view){.location = p->location,
                                    .path = p->path,
                                    .detail = a.detail,
                                    .status = a.status,
                                    .initialised = a.proof.initialised,
                                    .free_bytes = a.proof.free_bytes,
                                    .total_bytes = a.proof.total_bytes,
                                    .since_ms = a.since_ms});
    return 0;
}

void mounts_ask(struct mounts *m, const struct mount_need *need)
{
    struct mount_expect expect;
    struct err err = {0};
    struct place *p = place_of(m, need, &err);
    if (p == NULL || m->o.expect(m->o.ctx, need, &expect, &err) != 0) {
        return; /* mounts_look reports it */
    }
    pthread_mutex_lock(&p->lock);
    if (p->began_ms == 0) {
        (void)ask(p, &expect, need->write);
    }
    pthread_mutex_unlock(&p->lock);
}

static void show_place(struct place *p, void (*show)(void *ctx, const struct mounts_view *v),
                       void *ctx)
{
    pthread_mutex_lock(&p->lock);
    char detail[sizeof p->detail];
    memcpy(detail, p->detail, sizeof detail);
    bool hung = p->status == MOUNT_HANGS;
    struct mounts_view v = {.location = p->location,
                            .path = p->path,
                            .detail = detail,
                            .status = p->status,
                            .initialised = p->proof.initialised,
                            .free_bytes = hung ? -1 : p->proof.free_bytes,
                            .total_bytes = hung ? -1 : p->proof.total_bytes,
                            .since_ms = p->since_ms};
    pthread_mutex_unlock(&p->lock);
    if (v.since_ms != 0) {
        show(ctx, &v);
    }
}

void mounts_each(struct mounts *m, void (*show)(void *ctx, const struct mounts_view *v), void *ctx)
{
    pthread_mutex_lock(&m->lock);
    struct place *first = m->places; /* places are only ever put in front of it */
    pthread_mutex_unlock(&m->lock);
    for (struct place *p = first; p != NULL; p = p->next) {
        show_place(p, show, ctx);
    }
}

bool mounts_changed(struct mounts *m)
{
    return atomic_exchange(&m->changed, false);
}

/* --- the registry --- */

struct mounts *mounts_open(const struct mounts_options *o, struct err *err)
{
    struct mounts *m = calloc(1, sizeof *m);
    if (m == NULL) {
        ERR(err, ERR_FATAL, 0, "out of memory");
        return NULL;
    }
    m->o = *o;
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static int expect_of_db(void *ctx, const struct mount_need *need, struct mount_expect *out,
                        struct err *err)
{
    const struct mounts *m = ctx;
    return location_expect(m->db, m->host, need, out, err);
}

struct mounts *mounts_new(const struct config *cfg, struct db *db, struct err *err)
{
    const struct mounts_options o = {
        .expect = expect_of_db,
        .prove = mount_prove,
        .require = cfg->mount.require,
        .deadline_ms = cfg->mount.deadline_ms,
        .min_free_bytes = cfg->mount.min_free_mib * MIB,
    };
    struct mounts *m = mounts_open(&o, err);
    if (m != NULL) {
        m->o.ctx = m;
        m->db = db;
        location_host(m->host, sizeof m->host);
    }
    return m;
}

void mounts_stop(struct mounts *m)
{
    pthread_mutex_lock(&m->lock);
    for (struct place *p = m->places; p != NULL; p = p->next) {
        place_stop(p);
    }
    pthread_mutex_unlock(&m->lock);
}

void mounts_free(struct mounts *m)
{
    if (m != NULL) {
        mounts_stop(m);
    }
    while (m != NULL && m->places != NULL) {
        struct place *p = m->places;
        m->places = p->next;
        place_free(p);
    }
    if (m != NULL) {
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}
