/* alive.c - who is alive, judged by beats that move. */
#include "ops/alive.h"

#include <string.h>

#include "common/base/clock.h"

#define WATCH_MS 3000 /* a living process beats several times in this */
#define LOOK_MS  200

static bool looks_fresh(const bson_t *doc, int64_t silence_ms)
{
    int64_t age = wall_ms() - doc_i64(doc, "at", 0);
    return age <= silence_ms && age >= -silence_ms;
}

struct beats {
    const char *coll;
    int64_t silence_ms;
    struct docs *living, *lost; /* filled in */
};

/* Those whose beat has moved since "before", or whose date is fresh, live. */
static int sort_out(const struct beats *b, const struct docs *before, const struct docs *now,
                    struct err *err)
{
    for (size_t i = 0; i < now->n; i++) {
        const bson_t *doc = now->items[i];
        const bson_t *old = docs_by_id(before, doc_str(doc, "_id", ""));
        bool moved = old == NULL || doc_i64(old, "beat", 0) != doc_i64(doc, "beat", 0);
        bool lives = looks_fresh(doc, b->silence_ms) || moved;
        if (docs_add(lives ? b->living : b->lost, doc, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool any_old(const struct docs *d, int64_t silence_ms)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!looks_fresh(d->items[i], silence_ms)) {
            return true;
        }
    }
    return false;
}

/* Read a collection of beats, twice when a date looks old. */
static int look_at(const struct ops *o, const struct beats *b, struct err *err)
{
    const struct docs_query q = {.coll = b->coll};
    AUTO(docs_free) struct docs *before = docs_read(o->db, &q, err);
    if (before == NULL) {
        return -1;
    }
    if (!any_old(before, b->silence_ms)) {
        return sort_out(b, before, before, err);
    }
    int64_t wait = b->silence_ms < WATCH_MS ? b->silence_ms : WATCH_MS;
    for (int64_t end = mono_ms() + wait; mono_ms() < end;) {
        mono_sleep_ms(LOOK_MS);
    }
    AUTO(docs_free) struct docs *now = docs_read(o->db, &q, err);
    return now == NULL ? -1 : sort_out(b, before, now, err);
}

int alive_look(const struct ops *o, struct alive *out, struct err *err)
{
    *out =
        (struct alive){.workers = docs_new(err), .stale = docs_new(err), .leases = docs_new(err)};
    AUTO(docs_free) struct docs *lost = docs_new(err);
    if (out->workers == NULL || out->stale == NULL || out->leases == NULL || lost == NULL) {
        return -1;
    }
    const struct beats leases = {DB_LEASES, o->cfg->scheduler.lease_ms, out->leases, lost};
    const struct beats workers = {DB_WORKERS, o->cfg->worker.lease_ms, out->workers, out->stale};
    return look_at(o, &leases, err) != 0 || look_at(o, &workers, err) != 0 ? -1 : 0;
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
