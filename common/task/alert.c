#include "common/task/alert.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/clock.h"

static char *id_of(const struct alert *a, struct err *err)
{
    char *id;
    if (asprintf(&id, "%s/%s", a->kind, a->raw_file) < 0) {
        err_no_memory(err);
        return NULL;
    }
    return id;
}

int alert_open(struct db *db, const struct alert *a, struct err *err)
{
    AUTO(free) char *id = id_of(a, err);
    if (id == NULL) {
        return -1;
    }
    bool won;
    AUTO(bson_destroy) bson_t *open = BCON_NEW("_id", BCON_UTF8(id), "open", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *say = BCON_NEW("$set", "{", "text", BCON_UTF8(a->text), "by", BCON_UTF8(a->by),
                           "seen_at", BCON_DATE_TIME(wall_ms()), "}");
    if (db_update(db, DB_ALERTS, open, say, &won, err) != 0 || won) {
        return won ? 0 : -1;
    }
    AUTO(bson_destroy) bson_t *any = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy)
    bson_t *make = BCON_NEW("$set", "{", "kind", BCON_UTF8(a->kind), "raw_file",
                            BCON_UTF8(a->raw_file), "text", BCON_UTF8(a->text), "by",
                            BCON_UTF8(a->by), "at", BCON_DATE_TIME(wall_ms()), "seen_at",
                            BCON_DATE_TIME(wall_ms()), "open", BCON_BOOL(true), "}", "$unset", "{",
                            "closed_at", BCON_BOOL(true), "closed_by", BCON_BOOL(true), "}");
    return db_upsert(db, DB_ALERTS, any, make, &won, err);
}

int alert_close(struct db *db, const struct alert *a, struct err *err)
{
    AUTO(free) char *id = id_of(a, err);
    if (id == NULL) {
        return -1;
    }
    bool won;
    AUTO(bson_destroy) bson_t *open = BCON_NEW("_id", BCON_UTF8(id), "open", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *close = BCON_NEW("$set", "{", "open", BCON_BOOL(false), "closed_at",
                             BCON_DATE_TIME(wall_ms()), "closed_by", BCON_UTF8(a->by), "}");
    return db_update(db, DB_ALERTS, open, close, &won, err);
}
