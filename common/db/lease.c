#include "common/db/lease.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/version.h"

#define RELEASED (-1) /* a beat that says: take it at once */

struct lease {
    struct db *db;
    char *id, *holder;
    int64_t ttl_ms;
    int64_t seen_epoch, seen_beat, seen_ms; /* of another holder, on our clock */
    _Atomic int64_t epoch;
    _Atomic int64_t renewed_ms; /* 0: not held */
    char trouble[320];          /* what the document says; "": none */
    int64_t trouble_since_ms;   /* wall */
    int64_t trouble_epoch;      /* under which it was written; 0: never */
};

struct lease *lease_new(struct db *db, const char *id, const char *holder, int64_t ttl_ms,
                        struct err *err)
{
    AUTO(lease_free) struct lease *l = calloc(1, sizeof *l);
    if (l == NULL || (l->id = strdup(id)) == NULL || (l->holder = strdup(holder)) == NULL) {
        err_no_memory(err);
        return NULL;
    }
    l->db = db;
    l->ttl_ms = ttl_ms;
    l->seen_epoch = -1;
    return TAKE(l);
}

void lease_free(struct lease *l)
{
    if (l != NULL) {
        free(l->id);
        free(l->holder);
        free(l);
    }
}

static void hold(struct lease *l, int64_t epoch, int64_t asked_ms)
{
    atomic_store(&l->epoch, epoch);
    atomic_store(&l->renewed_ms, asked_ms);
}

static int make(struct lease *l, int64_t asked_ms, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(l->id), "holder", BCON_UTF8(l->holder), "epoch",
                           BCON_INT64(1), "beat", BCON_INT64(0), "at", BCON_DATE_TIME(wall_ms()),
                           "version", BCON_UTF8(TRAWL_VERSION));
    bool made;
    if (db_insert(l->db, DB_LEASES, doc, &made, err) != 0) {
        return -1;
    }
    if (made) {
        hold(l, 1, asked_ms);
    }
    return 0;
}

/* model: take over. One update guarded by what was read: {epoch, beat} -> {holder, epoch', beat'}.
 */
static int swap(struct lease *l, const bson_t *doc, int64_t epoch, struct err *err)
{
    int64_t asked_ms = mono_ms();
    int64_t old_epoch = doc_i64(doc, "epoch", 0);
    int64_t old_beat = doc_i64(doc, "beat", 0);
    int64_t beat = epoch == old_epoch && old_beat != RELEASED ? old_beat + 1 : 0;
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(l->id), "epoch", BCON_INT64(old_epoch), "beat",
                              BCON_INT64(old_beat));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "holder", BCON_UTF8(l->holder), "epoch",
                              BCON_INT64(epoch), "beat", BCON_INT64(beat), "at",
                              BCON_DATE_TIME(wall_ms()), "version", BCON_UTF8(TRAWL_VERSION), "}");
    bool won;
    if (db_update(l->db, DB_LEASES, filter, update, &won, err) != 0) {
        return -1;
    }
    hold(l, epoch, won ? asked_ms : 0);
    return 0;
}

static bool stood_still(struct lease *l, int64_t epoch, int64_t beat)
{
    int64_t now = mono_ms();
    if (epoch != l->seen_epoch || beat != l->seen_beat) {
        l->seen_epoch = epoch;
        l->seen_beat = beat;
        l->seen_ms = now;
    }
    return beat == RELEASED || now - l->seen_ms >= l->ttl_ms;
}

int lease_tick(struct lease *l, struct err *err)
{
    int64_t asked_ms = mono_ms();
    AUTO(bson_destroy) bson_t *doc = NULL;
    if (db_find_id(l->db, DB_LEASES, l->id, &doc, err) != 0) {
        return -1;
    }
    if (doc == NULL) {
        return make(l, asked_ms, err);
    }
    int64_t epoch = doc_i64(doc, "epoch", 0);
    if (strcmp(doc_str(doc, "holder", ""), l->holder) == 0 && epoch == atomic_load(&l->epoch)) {
        return swap(l, doc, epoch, err);
    }
    atomic_store(&l->renewed_ms, 0);
    if (stood_still(l, epoch, doc_i64(doc, "beat", 0))) {
        return swap(l, doc, epoch + 1, err);
    }
    return 0;
}

bool lease_held(const struct lease *l)
{
    int64_t renewed = atomic_load(&l->renewed_ms);
    return renewed != 0 && mono_ms() - renewed < l->ttl_ms * 3 / 4;
}

int64_t lease_epoch(const struct lease *l)
{
    return atomic_load(&l->epoch);
}

/* Our document of now, whatever its beat. */
static bson_t *ours(const struct lease *l)
{
    return BCON_NEW("_id", BCON_UTF8(l->id), "holder", BCON_UTF8(l->holder), "epoch",
                    BCON_INT64(lease_epoch(l)));
}

void lease_note_trouble(struct lease *l, const char *what, const char *why)
{
    bool mine = l->trouble_epoch == lease_epoch(l);
    if (mine && strcmp(l->trouble, why != NULL ? why : "") == 0) {
        return;
    }
    bool lasts = mine && l->trouble[0] != '\0';
    int64_t since = lasts ? l->trouble_since_ms : wall_ms();
    AUTO(bson_destroy) bson_t *filter = ours(l);
    AUTO(bson_destroy)
    bson_t *update = why != NULL
                         ? BCON_NEW("$set", "{", "trouble", "{", "what", BCON_UTF8(what), "since",
                                    BCON_DATE_TIME(since), "why", BCON_UTF8(why), "}", "}")
                         : BCON_NEW("$unset", "{", "trouble", BCON_BOOL(true), "}");
    struct err err = {0};
    bool won;
    if (db_update(l->db, DB_LEASES, filter, update, &won, &err) != 0) {
        log_err_rarely("lease_trouble", &err);
    } else if (won) {
        snprintf(l->trouble, sizeof l->trouble, "%s", why != NULL ? why : "");
        l->trouble_since_ms = since;
        l->trouble_epoch = lease_epoch(l);
    }
}

void lease_release(struct lease *l)
{
    if (atomic_load(&l->renewed_ms) == 0) {
        return;
    }
    atomic_store(&l->renewed_ms, 0);
    AUTO(bson_destroy) bson_t *filter = ours(l);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "beat", BCON_INT64(RELEASED), "}");
    struct err err = {0};
    bool won;
    if (db_update(l->db, DB_LEASES, filter, update, &won, &err) != 0) {
        log_err("lease_release", &err);
    }
}
