/* alive.c - which processes live, judged by beats that move. */
#include "ops/alive.h"

#include <string.h>

#include "common/base/clock.h"

#define WATCH_MS 3000 /* a living process beats several times in this */
#define POLL_MS  200

static bool is_fresh(const bson_t *doc, int64_t silence_ms)
{
    int64_t age = wall_ms() - doc_i64(doc, "at", 0);
    return age <= silence_ms && age >= -silence_ms;
}

struct beats {
    const char *coll;
    int64_t silence_ms;
    struct docs *living, *lost; /* filled in */
};

/* A process lives when its beat has moved since "before", or its date is fresh. */
static int split_by_life(const struct beats *b, const struct docs *before, const struct docs *now,
                         struct err *err)
{
    for (size_t i = 0; i < now->n; i++) {
        const bson_t *doc = now->items[i];
        const bson_t *old = docs_by_id(before, doc_str(doc, "_id", ""));
        bool moved = old == NULL || doc_i64(old, "beat", 0) != doc_i64(doc, "beat", 0);
        bool lives = is_fresh(doc, b->silence_ms) || moved;
        if (docs_add(lives ? b->living : b->lost, doc, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool any_old(const struct docs *d, int64_t silence_ms)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!is_fresh(d->items[i], silence_ms)) {
            return true;
        }
    }
    return false;
}

/* Read a collection of beats, twice when a date looks old. */
static int read_beats(const struct ops *o, const struct beats *b, struct err *err)
{
    const struct docs_query q = {.coll = b->coll};
    AUTO(docs_free) struct docs *before = docs_read(o->db, &q, err);
    if (before == NULL) {
        return -1;
    }
    if (!any_old(before, b->silence_ms)) {
        return split_by_life(b, before, before, err);
    }
    int64_t wait = b->silence_ms < WATCH_MS ? b->silence_ms : WATCH_MS;
    for (int64_t end = mono_ms() + wait; mono_ms() < end;) {
        mono_sleep_ms(POLL_MS);
    }
    AUTO(docs_free) struct docs *now = docs_read(o->db, &q, err);
    return now == NULL ? -1 : split_by_life(b, before, now, err);
}

int alive_read(const struct ops *o, struct alive *out, struct err *err)
{
    *out =
        (struct alive){.workers = docs_new(err), .stale = docs_new(err), .leases = docs_new(err)};
    AUTO(docs_free) struct docs *lost = docs_new(err);
    if (out->workers == NULL || out->stale == NULL || out->leases == NULL || lost == NULL) {
        return -1;
    }
    const struct beats leases = {DB_LEASES, o->cfg->scheduler.lease_ms, out->leases, lost};
    const struct beats workers = {DB_WORKERS, o->cfg->worker.lease_ms, out->workers, out->stale};
    return read_beats(o, &leases, err) != 0 || read_beats(o, &workers, err) != 0 ? -1 : 0;
}

void alive_free(struct alive *a)
{
    docs_free(a->workers);
    docs_free(a->stale);
    docs_free(a->leases);
}

const bson_t *alive_leader(const struct alive *a)
{
    const bson_t *lease = docs_by_id(a->leases, "scheduler");
    return lease != NULL && doc_str(lease, "holder", "")[0] != '\0' ? lease : NULL;
}
