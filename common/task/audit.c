#include "common/task/audit.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

#define ID_MAX 40

/* Ids sort by time; a random end makes them unique. */
static void make_id(int64_t now, char id[static ID_MAX])
{
    char iso[32];
    wall_iso(now, iso, sizeof iso);
    snprintf(id, ID_MAX, "%.24s-%08llx", iso, (unsigned long long)mono_random(1LL << 32));
}

static int write_intent(struct db *db, const struct audit_act *a, const char *id, int64_t now,
                        struct err *err)
{
    const char *at = strrchr(a->by, '@');
    int user = at != NULL ? (int)(at - a->by) : (int)strlen(a->by);
    char who[128];
    bool made;
    snprintf(who, sizeof who, "%.*s", user, a->by);
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("_id", BCON_UTF8(id), "at", BCON_DATE_TIME(now), "who", BCON_UTF8(who),
                           "host", BCON_UTF8(at != NULL ? at + 1 : ""), "verb", BCON_UTF8(a->verb),
                           "target", BCON_UTF8(a->target), "why", BCON_UTF8(a->why), "state",
                           BCON_UTF8(AUDIT_INTENDED));
    if (a->before != NULL) {
        BSON_APPEND_DOCUMENT(doc, "before", a->before);
    }
    if (db_insert(db, DB_AUDIT, doc, &made, err) != 0) {
        return err_context(err, "nothing was changed: the audit entry cannot be written");
    }
    return made ? 0 : ERR(err, ERR_TRANSIENT, 0, "nothing was changed: try again");
}

/* Fields whose value is empty (after, why) are left out. */
static int complete_entry(struct db *db, const char *id, const char *state, const bson_t *after,
                          const struct err *why, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    bson_t set = BSON_INITIALIZER;
    BCON_APPEND(&set, "state", BCON_UTF8(state), "ended_at", BCON_DATE_TIME(wall_ms()));
    if (!bson_empty(after)) {
        BSON_APPEND_DOCUMENT(&set, "after", after);
    }
    if (why->kind != ERR_NONE) {
        BSON_APPEND_UTF8(&set, "error", why->msg);
    }
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(&set));
    bson_destroy(&set);
    return db_update(db, DB_AUDIT, filter, update, &won, err);
}

int audit_make(struct db *db, const struct audit_act *a, bool *won, struct err *err)
{
    char id[ID_MAX];
    int64_t now = wall_ms();
    bson_t after = BSON_INITIALIZER;
    struct err why = {0};
    make_id(now, id);
    *won = false;
    if (write_intent(db, a, id, now, err) != 0) {
        return -1;
    }
    int rc = a->run(a->ctx, won, &after, &why);
    bool unknown = rc != 0 && why.kind != ERR_INVALID; /* the reply may have been lost */
    const char *state = unknown ? AUDIT_INTENDED : rc == 0 && *won ? AUDIT_DONE : AUDIT_REFUSED;
    struct err unwritten = {0};
    int written = complete_entry(db, id, state, &after, &why, &unwritten);
    bson_destroy(&after);
    if (rc != 0) {
        *err = why;
        return -1;
    }
    if (written != 0 && *won) {
        *err = unwritten;
        return err_context(
            err, "the change was made, but its entry in trawl log could not be completed");
    }
    return 0;
}
