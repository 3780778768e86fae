/*
 * kraken_status.c - AlphaKraken calls a status stale after 15 minutes, so all are written in
 * each round, whether they have changed or not: {_id, status ok|error, status_details,
 * free_space_gb, entity_type instrument|file_system|job, updated_at_, by}. What Trawl has written
 * of an instrument that is no longer watched is removed; what AlphaKraken has written stays.
 */
#include "scheduler/kraken_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/db/docs.h"
#include "scheduler/scheduler.h"

#define REST_MS   20000
#define LATELY_MS (15 * 60 * 1000) /* a report that is older says nothing */
#define DAY_MS    (24LL * 3600 * 1000)
#define BY        "trawl-scheduler"
#define ROOM      1024 /* of status_details */

struct entity {
    const char *id, *type;
    int64_t free_gb;    /* -1: not known */
    char details[ROOM]; /* "": all is well */
};

static int put(struct scheduler *s, struct entity *e, struct err *err)
{
    bool won;
    utf8_mend(e->details); /* it was cut */
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(e->id));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW(
        "$set", "{", "status", BCON_UTF8(e->details[0] == '\0' ? "ok" : "error"), "status_details",
        BCON_UTF8(e->details), "free_space_gb", BCON_INT64(e->free_gb), "entity_type",
        BCON_UTF8(e->type), "updated_at_", BCON_DATE_TIME(wall_ms()), "by", BCON_UTF8(BY), "}");
    return db_upsert(s->db, DB_KRAKEN_STATUS, filter, update, &won, err);
}

static bool is_well(const char *status)
{
    return strcmp(status, "ok") == 0 || strcmp(status, "uninitialised") == 0;
}

/* --- instruments --- */

static int put_instrument(struct scheduler *s, const bson_t *watch, struct err *err)
{
    const char *status = doc_str(watch, "status", "?");
    int64_t silent_ms = wall_ms() - doc_i64(watch, "at", 0);
    int64_t patience_ms = LATELY_MS + 3000 * doc_i64(watch, "poll_s", 0);
    struct entity e = {.id = doc_str(watch, "_id", ""),
                       .type = "instrument",
                       .free_gb = doc_i64(watch, "free_space_gb", -1)};
    if (silent_ms > patience_ms) {
        snprintf(e.details, ROOM, "its folder has not been read for %" PRId64 " min",
                 silent_ms / 60000);
    } else if (!is_well(status)) {
        snprintf(e.details, ROOM, "%s: %.900s", status, doc_str(watch, "detail", ""));
    }
    return put(s, &e, err);
}

static int put_instruments(struct scheduler *s, struct err *err)
{
    AUTO(docs_free)
    struct docs *watches = docs_read(s->db, &(struct docs_query){.coll = DB_WATCHES}, err);
    AUTO(bson_destroy) bson_t *ids = bson_new();
    for (size_t i = 0; watches != NULL && i < watches->n; i++) {
        char room[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, room, sizeof room);
        BSON_APPEND_UTF8(ids, key, doc_str(watches->items[i], "_id", ""));
        if (put_instrument(s, watches->items[i], err) != 0) {
            return -1;
        }
    }
    if (watches == NULL) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *gone = BCON_NEW("_id", "{", "$nin", BCON_ARRAY(ids), "}", "entity_type", "instrument",
                            "by", BCON_UTF8(BY));
    return db_delete(s->db, DB_KRAKEN_STATUS, gone, NULL, err);
}

/* --- file systems --- */

/* One host's report: the least room counts, and the first trouble. */
static void add_report(struct entity *e, const bson_t *mount)
{
    const char *status = doc_str(mount, "status", "?");
    int64_t bytes = doc_i64(mount, "free_bytes", -1);
    int64_t gb = bytes < 0 ? -1 : bytes >> 30;
    e->free_gb = e->free_gb < 0 || (gb >= 0 && gb < e->free_gb) ? gb : e->free_gb;
    if (!is_well(status) && e->details[0] == '\0') {
        snprintf(e->details, ROOM, "%.100s: %s: %.800s", doc_str(mount, "host", "?"), status,
                 doc_str(mount, "detail", ""));
    }
}

static int put_file_systems(struct scheduler *s, struct err *err)
{
    static const char *const known[] = {"backup", "output"}; /* to AlphaKraken */
    AUTO(bson_destroy)
    bson_t *lately = BCON_NEW("at", "{", "$gt", BCON_DATE_TIME(wall_ms() - LATELY_MS), "}");
    AUTO(docs_free)
    struct docs *mounts =
        docs_read(s->db, &(struct docs_query){.coll = DB_MOUNTS, .filter = lately}, err);
    for (size_t k = 0; mounts != NULL && k < sizeof known / sizeof *known; k++) {
        struct entity e = {.id = known[k], .type = "file_system", .free_gb = -1};
        size_t n = 0;
        for (size_t i = 0; i < mounts->n; i++) {
            if (doc_says(mounts->items[i], "location", known[k])) {
                add_report(&e, mounts->items[i]);
                n++;
            }
        }
        if (n == 0) {
            snprintf(e.details, ROOM, "no worker has reported it for 15 min");
        }
        if (put(s, &e, err) != 0) {
            return -1;
        }
    }
    return mounts != NULL ? 0 : -1;
}

/* --- removals --- */

static int put_remover(struct scheduler *s, struct err *err)
{
    struct entity e = {.id = "file_remover", .type = "job", .free_gb = -1};
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("state", "{", "$in", "[", "failed", "dead", "]", "}", "ended_at", "{",
                              "$gt", BCON_DATE_TIME(wall_ms() - DAY_MS), "}", "kind", "remove");
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "raw_file", BCON_INT32(1), "error", BCON_INT32(1),
                            "}", "limit", BCON_INT64(100));
    AUTO(docs_free)
    struct docs *failed = docs_read(s->db, &(struct docs_query){DB_TASKS, filter, opts}, err);
    if (failed == NULL) {
        return -1;
    }
    if (failed->n > 0) {
        snprintf(e.details, ROOM, "%zu removals failed within a day, %.200s: %.500s", failed->n,
                 doc_str(failed->items[0], "raw_file", "?"),
                 doc_str(failed->items[0], "error.msg", "?"));
    }
    return put(s, &e, err);
}

int64_t kraken_status_round(struct chore *c, struct scheduler *s)
{
    static int (*const parts[])(struct scheduler *, struct err *) = {put_instruments,
                                                                     put_file_systems, put_remover};
    struct err err = {0};
    for (size_t i = 0; s->cfg->compat.alphakraken && i < sizeof parts / sizeof *parts; i++) {
        if (!chore_continues(c, 0)) {
            return 0;
        }
        if (parts[i](s, &err) != 0) {
            log_err_rarely("kraken_status", &err);
            break;
        }
    }
    return REST_MS;
}
