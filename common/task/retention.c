#include "common/task/retention.h"

#include "common/base/clock.h"

#define DAY_MS 86400000

struct retention_rule retention_rule_of(const struct config *cfg, enum retention_kind kind)
{
    const struct retention_rule rules[] = {
        [RETENTION_TASKS] = {"tasks", DB_TASKS, cfg->retention.tasks_days},
        [RETENTION_AUDIT] = {"audit", DB_AUDIT,
                             cfg->retention.audit_dir[0] != '\0' ? cfg->retention.audit_days : 0},
        [RETENTION_ALERTS] = {"alerts", DB_ALERTS, cfg->retention.alerts_days},
        [RETENTION_MOUNTS] = {"mounts", DB_MOUNTS, cfg->retention.mounts_days},
        [RETENTION_TOMBSTONES] = {"tombstones", DB_CONTRIBUTIONS, cfg->retention.tombstones_days},
    };
    _Static_assert(sizeof rules / sizeof *rules == RETENTION_KIND_COUNT, "a rule for each");
    return rules[kind];
}

bson_t *retention_due(const struct config *cfg, enum retention_kind kind, const bson_t *seen,
                      int64_t now_ms)
{
    int64_t end = now_ms - retention_rule_of(cfg, kind).days * DAY_MS;
    switch (kind) {
    case RETENTION_TASKS:
        return BCON_NEW("state", BCON_UTF8("done"), "ended_at", "{", "$gte",
                        BCON_DATE_TIME(seen != NULL ? doc_i64(seen, "to", 0) : 0), "$lt",
                        BCON_DATE_TIME(end), "}");
    case RETENTION_ALERTS: /* opened even earlier: only that is in the index */
        return BCON_NEW("open", BCON_BOOL(false), "at", "{", "$lt", BCON_DATE_TIME(end), "}",
                        "closed_at", "{", "$lt", BCON_DATE_TIME(end), "}");
    case RETENTION_TOMBSTONES:
        return BCON_NEW("buried_at", "{", "$lt", BCON_DATE_TIME(end), "}", "deleted",
                        BCON_BOOL(true));
    case RETENTION_AUDIT:
    case RETENTION_MOUNTS:
    case RETENTION_KIND_COUNT:
        break;
    }
    return BCON_NEW("at", "{", "$lt", BCON_DATE_TIME(end), "}");
}

int retention_note(struct db *db, const struct retention_rule *r, int64_t n, int64_t to_ms,
                   struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(r->name));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "at", BCON_DATE_TIME(wall_ms()), "}", "$inc", "{", "n",
                              BCON_INT64(n), "}");
    if (to_ms > 0) {
        BCON_APPEND(update, "$max", "{", "to", BCON_DATE_TIME(to_ms), "}");
    }
    return db_upsert(db, DB_RETENTION, filter, update, &won, err);
}
