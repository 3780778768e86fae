#include "store.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "test.h"

#define SKIPPED 77

struct config *cfg;
struct db *db;

void must(int rc, const struct err *err)
{
    if (rc != 0) {
        print_error("%s: %s\n", err->where != NULL ? err->where : "", err->msg);
    }
    assert_int_equal(rc, 0);
}

void store_put(const char *coll, bson_t *doc)
{
    AUTO(bson_destroy) bson_t *own = doc;
    struct err err = {0};
    bool inserted = false;
    must(db_insert(db, coll, own, &inserted, &err), &err);
    assert_true(inserted);
}

static void drop_database(void)
{
    mongoc_client_t *client = mongoc_client_new(cfg->mongo.uri);
    mongoc_database_t *database = mongoc_client_get_database(client, cfg->mongo.database);
    mongoc_database_drop(database, NULL);
    mongoc_database_destroy(database);
    mongoc_client_destroy(client);
}

int store_main(const char *name, int (*run)(void))
{
    if (getenv("TRAWL_MONGO_URI") == NULL) {
        fputs("SKIPPED: TRAWL_MONGO_URI names no MongoDB store\n", stderr);
        return SKIPPED;
    }
    char database[64];
    snprintf(database, sizeof database, "trawl_test_%s_%d_%d", name, (int)getpid(),
             (int)(wall_ms() % 100000));
    setenv("TRAWL_MONGO_DATABASE", database, 1);
    struct err err = {0};
    log_init(name, LOG_WARN);
    char folder[64]; /* empty: only defaults and the environment */
    cfg = test_folder(folder, sizeof folder, "trawl-test-store") != NULL ? config_load(folder, &err)
                                                                         : NULL;
    (void)rmdir(folder);
    db = cfg != NULL ? db_new(cfg, name, &err) : NULL;
    if (db == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    int failed = run();
    drop_database();
    db_free(db);
    config_free(cfg);
    return failed;
}
