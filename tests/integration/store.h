/*
 * store.h - what the tests in C share that talk to a real store: TRAWL_MONGO_URI names it; without
 * it they are skipped, loudly. Each run uses a database of its own and drops it.
 */
#ifndef TESTS_INTEGRATION_STORE_H
#define TESTS_INTEGRATION_STORE_H
#include "common/config/config.h"
#include "common/db/db.h"

extern struct config *cfg;
extern struct db *db;

/* Fails the test with the error's text. */
void must(int rc, const struct err *err);
/* Insert a document that is not there yet; takes doc. */
void store_put(const char *coll, bson_t *doc);
/* What an administrator does beside us. */
void store_command(const bson_t *cmd);
/* The same; false when the store refuses. */
bool store_try(const bson_t *cmd);
/* A program's main: run() with cfg and db, then the end of the database; returns the exit code. */
int store_main(const char *name, int (*run)(void));
#endif
