#include "ops/retained.h"

#include "common/base/clock.h"

static int read_one(const struct ops *o, enum retention_kind kind, struct retained *out,
                    struct err *err)
{
    *out = (struct retained){.rule = retention_rule_of(o->cfg, kind)};
    AUTO(bson_destroy) bson_t *seen = NULL;
    if (db_find_id(o->db, DB_RETENTION, out->rule.name, &seen, err) != 0) {
        return -1;
    }
    out->gone = seen != NULL ? doc_i64(seen, "n", 0) : 0;
    out->at_ms = out->gone > 0 ? doc_i64(seen, "at", 0) : 0;
    if (out->rule.days == 0) {
        return 0;
    }
    AUTO(bson_destroy) bson_t *due = retention_due(o->cfg, kind, seen, wall_ms());
    return db_count(o->db, out->rule.coll, due, &out->due, err);
}

int retained_read(const struct ops *o, struct retained out[RETENTION_KIND_COUNT], struct err *err)
{
    for (int k = 0; k < RETENTION_KIND_COUNT; k++) {
        if (read_one(o, (enum retention_kind)k, &out[k], err) != 0) {
            return -1;
        }
    }
    return 0;
}

json_t *retained_json(const struct retained *r)
{
    return json_pack("{s:s, s:o, s:I, s:I, s:o}", "what", r->rule.name, "days",
                     r->rule.days > 0 ? json_integer(r->rule.days) : json_null(), "due",
                     (json_int_t)r->due, "gone", (json_int_t)r->gone, "last", json_date(r->at_ms));
}
