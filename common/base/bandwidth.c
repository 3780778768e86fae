/*
 * bandwidth.c - a schedule by the hour, and one bucket for all who share a location. The schedule
 * is parsed into bytes/s for each hour of the day. The bucket holds no bytes: it holds the time at
 * which the next byte may pass. A draw waits for that time and moves it on by what its bytes cost
 * at the present rate.
 *
 * A thread that waits looks again every 100 ms, because the rate may have changed, and lets a share
 * go first that waits and has had fewer bytes. A share that comes back after a pause starts from
 * what the last one had had, so a pause earns it nothing.
 */
#include "common/base/bandwidth.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

#define MIB          ((int64_t)1 << 20)
#define MIB_MAX      1000000 /* per second */
#define HOUR_MINUTES 60
#define LOOK_NS      (100 * (int64_t)1000000)

/* --- the schedule --- */

/* Digits only, up to max; -1 for anything else. *end = what follows. */
static int64_t number(const char *text, int64_t max, const char **end)
{
    int64_t n = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        n = n * 10 + (*at - '0');
        if (n > max) {
            return -1;
        }
    }
    *end = at;
    return at == text ? -1 : n;
}

static int bad(const char *text, struct err *err)
{
    return ERR(err, ERR_INVALID, 0,
               "'%.60s' is no limit: write MiB/s, or hours and MiB/s as in 08-18:50,18-08:0", text);
}

/* "08-18:50": the hours from 8:00 to 18:00. *end = what follows. */
static int parse_range(const char *text, struct bandwidth_schedule *out, bool named[LIMIT_HOURS],
                       const char **end, struct err *err)
{
    int64_t from = number(text, LIMIT_HOURS, end);
    int64_t to = from < 0 || **end != '-' ? -1 : number(*end + 1, LIMIT_HOURS, end);
    int64_t mib = to < 0 || **end != ':' ? -1 : number(*end + 1, MIB_MAX, end);
    if (mib < 0 || (**end != ',' && **end != '\0')) {
        return bad(text, err);
    }
    if (from % LIMIT_HOURS == to % LIMIT_HOURS && !(from == 0 && to == LIMIT_HOURS)) {
        return ERR(err, ERR_INVALID, 0, "'%.60s': the range has no hour; the whole day is 00-24",
                   text);
    }
    int64_t hours = to > from ? to - from : to + LIMIT_HOURS - from;
    for (int64_t i = 0; i < hours; i++) {
        int64_t hour = (from + i) % LIMIT_HOURS;
        if (named[hour]) {
            return ERR(err, ERR_INVALID, 0, "'%.60s': hour %lld has a limit already", text,
                       (long long)hour);
        }
        named[hour] = true;
        out->bytes_per_s[hour] = mib * MIB;
    }
    return 0;
}

int bandwidth_parse(const char *text, struct bandwidth_schedule *out, struct err *err)
{
    bool named[LIMIT_HOURS] = {false};
    *out = (struct bandwidth_schedule){{0}};
    if (*text == '\0') {
        return 0;
    }
    const char *end = text;
    int64_t always = number(text, MIB_MAX, &end);
    if (always >= 0 && *end == '\0') {
        for (int i = 0; i < LIMIT_HOURS; i++) {
            out->bytes_per_s[i] = always * MIB;
        }
        return 0;
    }
    for (const char *at = text;; at = end + 1) {
        at += strspn(at, " ");
        if (parse_range(at, out, named, &end, err) != 0) {
            return -1;
        }
        if (*end == '\0') {
            return 0;
        }
    }
}

bool bandwidth_is_none(const struct bandwidth_schedule *s)
{
    for (int i = 0; i < LIMIT_HOURS; i++) {
        if (s->bytes_per_s[i] != 0) {
            return false;
        }
    }
    return true;
}

struct bandwidth_now bandwidth_at(const struct bandwidth_schedule *s, int hour, int minute)
{
    struct bandwidth_now now = {.bytes_per_s = s->bytes_per_s[hour % LIMIT_HOURS], .minutes = -1};
    for (int i = 1; i < LIMIT_HOURS && now.minutes < 0; i++) {
        if (s->bytes_per_s[(hour + i) % LIMIT_HOURS] != now.bytes_per_s) {
            now.minutes = i * HOUR_MINUTES - minute;
        }
    }
    return now;
}

int64_t bandwidth_by_clock(void *ctx)
{
    const struct bandwidth_schedule *s = ctx;
    time_t now = time(NULL);
    struct tm tm;
    return localtime_r(&now, &tm) == NULL ? 0 : bandwidth_at(s, tm.tm_hour, tm.tm_min).bytes_per_s;
}

/* --- the bucket --- */

struct bandwidth_share {
    struct bandwidth *limit;
    struct bandwidth_share *next; /* lock, and all that follows */
    int64_t had;                  /* bytes; what it missed while it did not wait counts as had */
    unsigned waiting;             /* threads */
};

struct bandwidth {
    bandwidth_rate_fn *rate;
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct bandwidth_share *shares; /* lock, and all that follows */
    int64_t next_ns;                /* when the next byte may pass */
    int64_t had;                    /* of the share that drew last, before it did */
};

struct bandwidth *bandwidth_new(bandwidth_rate_fn *rate, void *ctx, struct err *err)
{
    struct bandwidth *l = calloc(1, sizeof *l);
    if (l == NULL) {
        err_no_memory(err);
        return NULL;
    }
    mono_cond_init(&l->changed);
    pthread_mutex_init(&l->lock, NULL);
    l->rate = rate;
    l->ctx = ctx;
    return l;
}

void bandwidth_free(struct bandwidth *l)
{
    if (l != NULL) {
        pthread_cond_destroy(&l->changed);
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

struct bandwidth_share *bandwidth_share_new(struct bandwidth *l, struct err *err)
{
    struct bandwidth_share *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->limit = l;
    pthread_mutex_lock(&l->lock);
    s->next = l->shares;
    l->shares = s;
    pthread_mutex_unlock(&l->lock);
    return s;
}

void bandwidth_share_free(struct bandwidth_share *s)
{
    if (s == NULL) {
        return;
    }
    struct bandwidth *l = s->limit;
    pthread_mutex_lock(&l->lock);
    struct bandwidth_share **at = &l->shares;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    pthread_mutex_unlock(&l->lock);
    free(s);
}

/* Under the lock: nobody who waits has had less. */
static bool is_first(const struct bandwidth_share *s)
{
    for (const struct bandwidth_share *o = s->limit->shares; o != NULL; o = o->next) {
        if (o->waiting > 0 && o->had < s->had) {
            return false;
        }
    }
    return true;
}

/* Under the lock: when to look again, 0 when the bytes may pass now. */
static int64_t try_take(struct bandwidth_share *s, int64_t bytes)
{
    struct bandwidth *l = s->limit;
    int64_t rate = l->rate(l->ctx), now = mono_ns();
    if (rate <= 0) {
        l->next_ns = now;
    } else if (now < l->next_ns || !is_first(s)) {
        return now < l->next_ns && l->next_ns - now < LOOK_NS ? l->next_ns : now + LOOK_NS;
    } else {
        int64_t late = now - l->next_ns; /* a thread wakes a little late: that is made up for */
        int64_t from = late < LOOK_NS ? l->next_ns : now;
        l->next_ns = from + (int64_t)((double)bytes * 1e9 / (double)rate);
    }
    l->had = s->had;
    s->had += bytes;
    return 0;
}

static void wait_until(struct bandwidth *l, int64_t at_ns)
{
    const struct timespec until = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

void bandwidth_take(struct bandwidth_share *s, int64_t bytes, const atomic_bool *stop)
{
    struct bandwidth *l = s->limit;
    pthread_mutex_lock(&l->lock);
    if (s->waiting++ == 0 && s->had < l->had) {
        s->had = l->had;
    }
    while (stop == NULL || !atomic_load(stop)) {
        int64_t again_ns = try_take(s, bytes);
        if (again_ns == 0) {
            break;
        }
        wait_until(l, again_ns);
    }
    s->waiting--;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}
