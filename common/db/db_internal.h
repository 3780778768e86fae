/* db_internal.h - what db.c and db_bulk.c share. */
#ifndef COMMON_DB_DB_INTERNAL_H
#define COMMON_DB_DB_INTERNAL_H
#include <mongoc/mongoc.h>
#include <pthread.h>

#include "common/db/db.h"

#define DB_DUPLICATE_KEY 11000
#define DB_BATCH         500 /* documents a command or reply; a server's own limit is 16 MiB */

struct waiting; /* db_bulk.c: a caller of db_update_together */

struct db {
    mongoc_client_pool_t *pool;
    char *database;
    const char *key;   /* of the connection string, for messages */
    char hosts[256];   /* for messages: host:port[,host:port], no credentials */
    int32_t answer_ms; /* after which the server gives a command up; we wait twice as long */
    struct {
        pthread_mutex_t lock;
        struct waiting *first; /* lock: not asked yet */
        bool asking;           /* lock: one of the callers asks for several */
    } together;
};

/* One call's client and collection, given back when the scope ends. */
struct db_lease {
    struct db *db;
    mongoc_client_t *client;
    mongoc_collection_t *coll;
};
struct db_lease db_lease_begin(struct db *db, const char *coll);
void db_lease_end(struct db_lease *l);

#define LEASE(name, db, coll)                                                                      \
    __attribute__((cleanup(db_lease_end))) struct db_lease name = db_lease_begin((db), (coll))

/* Sorts an error of the driver into ours; -1. */
int db_error(const struct db *db, const bson_error_t *e, struct err *err);
#endif
