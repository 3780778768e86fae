#include "common/raw/database_owner.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/raw/raw_file.h"

/* The first document of the collection, or NULL. */
static int find_first(struct db *db, const char *coll, bson_t **first, struct err *err)
{
    AUTO(bson_destroy) bson_t *any = BCON_NEW("_id", "{", "$gt", BCON_UTF8(""), "}");
    return db_find_one(db, coll, any, first, err);
}

const char *database_import_command(const bson_t *mark, char buf[static IMPORT_COMMAND])
{
    const char *from = doc_str(mark, "from", ""), *host = strstr(from, "://");
    const char *ends = doc_bool(mark, "switch", false) ? " --switch" : "";
    if (doc_bool(mark, "in_place", false) || host == NULL) {
        snprintf(buf, IMPORT_COMMAND, "trawl import alphakraken%s", ends);
    } else if (!doc_bool(mark, "login", false)) {
        snprintf(buf, IMPORT_COMMAND, "trawl import alphakraken%s --from %s", ends, from);
    } else {
        snprintf(buf, IMPORT_COMMAND,
                 "trawl import alphakraken%s --from-file FILE, a file of the line "
                 "%.*s://USER:PASSWORD@%s",
                 ends, (int)(host - from), from, host + strlen("://"));
    }
    return buf;
}

int database_is_ours(struct db *db, const char *database, bool *shadow, struct err *err)
{
    AUTO(bson_destroy) bson_t *import = NULL;
    AUTO(bson_destroy) bson_t *pool = NULL;
    AUTO(bson_destroy) bson_t *raw_file = NULL;
    if (db_find_id(db, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &import, err) != 0 ||
        find_first(db, DB_POOLS, &pool, err) != 0 ||
        (pool == NULL && find_first(db, DB_RAW_FILES, &raw_file, err) != 0)) {
        return -1;
    }
    const char *state = import != NULL ? doc_str(import, "state", "") : IMPORT_DONE;
    *shadow = strcmp(state, IMPORT_SHADOW) == 0;
    if (!*shadow && strcmp(state, IMPORT_DONE) != 0) {
        char command[IMPORT_COMMAND];
        return ERR(
            err, ERR_REFUSED, 0,
            "the import of AlphaKraken's database into '%.60s' has not ended: it resumes with "
            "%s",
            database, database_import_command(import, command));
    }
    if (raw_file != NULL && !raw_file_is_ours(raw_file)) {
        return ERR(
            err, ERR_REFUSED, 0,
            "the database '%.60s' is AlphaKraken's, not Trawl's: see what would become of it "
            "with trawl import alphakraken --dry-run",
            database);
    }
    return 0;
}

int database_begin_shadow(struct db *db, const char *database, struct err *err)
{
    AUTO(bson_destroy) bson_t *import = NULL;
    AUTO(bson_destroy) bson_t *pool = NULL;
    bool made;
    if (db_find_id(db, DB_IMPORTS, IMPORT_ALPHAKRAKEN, &import, err) != 0 || import != NULL) {
        return import != NULL ? 0 : -1;
    }
    if (find_first(db, DB_POOLS, &pool, err) != 0) {
        return -1;
    }
    if (pool != NULL) {
        return ERR(err, ERR_REFUSED, 0,
                   "[compat] shadow needs a new database, and Trawl has worked with '%.60s': name "
                   "another in [mongo] database",
                   database);
    }
    AUTO(bson_destroy)
    bson_t *mark = BCON_NEW("_id", IMPORT_ALPHAKRAKEN, "state", IMPORT_SHADOW, "began_at",
                            BCON_DATE_TIME(wall_ms()));
    return db_insert(db, DB_IMPORTS, mark, &made, err);
}
