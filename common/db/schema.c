#include "common/db/schema.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"

#define ID "schema"

int schema_read(struct db *db, bson_t **out, struct err *err)
{
    return db_find_id(db, DB_TRAWL, ID, out, err);
}

int schema_check(struct db *db, const char *environment, struct err *err)
{
    AUTO(bson_destroy) bson_t *doc = NULL;
    if (schema_read(db, &doc, err) != 0) {
        return -1;
    }
    const char *of = doc != NULL ? doc_str(doc, "environment", environment) : environment;
    if (strcmp(of, environment) != 0) {
        return ERR(err, ERR_REFUSED, 0,
                   "this database is of the environment %.40s, and [trawl] env says %.40s: set "
                   "ENV=%.40s, or name another database in [mongo] uri or database",
                   of, environment, of);
    }
    int64_t floor = doc != NULL ? doc_i64(doc, "floor", 0) : 0;
    return floor <= SCHEMA_VERSION
               ? 0
               : ERR(err, ERR_REFUSED, 0,
                     "a newer version of Trawl has changed this database: it needs programs that "
                     "know its migration %" PRId64 ", this one knows %d; install the newer version "
                     "on this host, too (trawl status names the leader's host)",
                     floor, SCHEMA_VERSION);
}

bool schema_refuses(struct db *db, const char *environment, struct err *err)
{
    struct err why = {0};
    if (schema_check(db, environment, &why) == 0 || why.kind != ERR_REFUSED) {
        return false;
    }
    *err = why;
    return true;
}

/* One that has an environment does not match, and cannot be made a second time. */
int schema_claim(struct db *db, const char *environment, struct err *err)
{
    bool won;
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", ID, "environment", "{", "$exists", BCON_BOOL(false), "}");
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", "{", "environment", BCON_UTF8(environment), "}",
                              "$setOnInsert", "{", "version", BCON_INT64(0), "}");
    return db_upsert(db, DB_TRAWL, filter, update, &won, err);
}

static int change(struct db *db, const bson_t *update, struct err *err)
{
    bool won;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", ID);
    return db_upsert(db, DB_TRAWL, filter, update, &won, err);
}

int schema_raise_floor(struct db *db, int64_t number, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$max", "{", "floor", BCON_INT64(number), "}", "$setOnInsert", "{",
                              "version", BCON_INT64(0), "}");
    return change(db, update, err);
}

int schema_note(struct db *db, const struct schema_progress *p, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update =
        BCON_NEW("$set", "{", "migration", "{", "number", BCON_INT64(p->number), "what",
                 BCON_UTF8(p->what), "done", BCON_INT64(p->done), "since",
                 BCON_DATE_TIME(p->since_ms), "at", BCON_DATE_TIME(wall_ms()), "}", "}");
    return change(db, update, err);
}

int schema_reached(struct db *db, int64_t number, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$max", "{", "version", BCON_INT64(number), "}", "$unset", "{",
                              "migration", BCON_BOOL(true), "}");
    return change(db, update, err);
}
