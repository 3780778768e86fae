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

bool store_try(const bson_t *cmd)
{
    bson_error_t e;
    mongoc_client_t *client = mongoc_client_new(cfg->mongo.uri);
    bool ok = mongoc_client_command_simple(client, cfg->mongo.database, cmd, NULL, NULL, &e);
    mongoc_client_destroy(client);
    return ok;
}

void store_command(const bson_t *cmd)
{
    assert_true(store_try(cmd));
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
    AUTO(bson_destroy) bson_t *drop = BCON_NEW("dropDatabase", BCON_INT32(1));
    store_command(drop);
    db_free(db);
    config_free(cfg);
    return failed;
}
