/* import_source.c - the database that is read: ours, or AlphaKraken's own by a connection string.
 */
#include <stdio.h>
#include <string.h>

#include "ops/import_internal.h"

/* AlphaKraken has no index for what is asked. */
#define ANSWER_MS DB_LISTING_MS

static int parse(struct importing *i, struct err *err)
{
    const char *uri = i->ask->from, *host = strstr(uri, "://");
    const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;
    size_t len = path != NULL ? strcspn(path + 1, "?") : 0;
    if (len == 0 || len >= sizeof i->database) {
        return ERR(err, ERR_INVALID, 0,
                   "%s must be a connection string that ends with the database, as in "
                   "mongodb://host:27017/krakendb",
                   i->ask->key);
    }
    snprintf(i->database, sizeof i->database, "%.*s", (int)len, path + 1);
    i->has_login = memchr(host, '@', (size_t)(path - host)) != NULL;
    return 0;
}

/* "mongodb://host:27017/krakendb": what the same database is called whatever else a connection
 * string says. */
static void name_source(struct importing *i)
{
    int scheme = (int)strcspn(i->ask->from, ":");
    snprintf(i->from, sizeof i->from, "%.*s://%s/%s", scheme, i->ask->from, db_hosts(i->source),
             i->database);
}

int importing_open(struct importing *i, struct db **own, struct err *err)
{
    i->in_place = i->ask->from == NULL;
    if (i->in_place) {
        i->source = i->o->db;
        snprintf(i->database, sizeof i->database, "%s", i->o->cfg->mongo.database);
        snprintf(i->from, sizeof i->from, "%s", i->database);
        return 0;
    }
    if (parse(i, err) != 0) {
        return -1;
    }
    const struct db_other other = {
        .uri = i->ask->from, .database = i->database, .key = i->ask->key, .answer_ms = ANSWER_MS};
    i->source = *own = db_new_other(i->o->cfg, &other, "trawl-import", err);
    if (i->source == NULL) {
        return -1;
    }
    name_source(i);
    if (db_ping(i->source, err) != 0) {
        err->code = 0; /* it is not our MongoDB that is away */
        return err_context(err, "%s", i->ask->key);
    }
    return 0;
}
