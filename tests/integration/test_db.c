/* test_db.c - changes in bulk against a real store. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/db_index.h"
#include "common/db/db_internal.h"
#include "common/task/task.h"
#include "store.h"
#include "test.h"

#define MANY    700 /* more than one command takes */
#define THREADS 24

static const char *id_of(int n, char id[static 32])
{
    snprintf(id, 32, "t%04d", n);
    return id;
}

static int fresh(void **state)
{
    (void)state;
    bson_t all = BSON_INITIALIZER;
    struct err err = {0};
    must(db_delete(db, DB_TASKS, &all, NULL, &err), &err);
    return 0;
}

/* How many of MANY tasks were new. */
static int insert_many(void)
{
    static bson_t *docs[MANY];
    static bool inserted[MANY];
    char id[32];
    int fresh_ones = 0;
    for (int i = 0; i < MANY; i++) {
        docs[i] = BCON_NEW("_id", BCON_UTF8(id_of(i, id)), "state", BCON_UTF8("ready"), "kind",
                           "copy", "fence", BCON_INT64(0));
    }
    struct err err = {0};
    must(db_insert_all(db, DB_TASKS, docs, MANY, inserted, &err), &err);
    for (int i = 0; i < MANY; i++) {
        fresh_ones += inserted[i];
        bson_destroy(docs[i]);
    }
    return fresh_ones;
}

static struct db_change admit(int n)
{
    char id[32];
    id_of(n, id);
    return (struct db_change){
        .filter = BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8("ready")),
        .update =
            BCON_NEW("$set", "{", "state", BCON_UTF8("admitted"), "fence", BCON_INT64(7), "}"),
        .proof =
            BCON_NEW("_id", BCON_UTF8(id), "state", BCON_UTF8("admitted"), "fence", BCON_INT64(7)),
    };
}

static void what_is_there_already_is_told_from_what_is_new(void **state)
{
    (void)state;
    struct err err = {0};
    bool inserted = false;
    AUTO(bson_destroy) bson_t *one = BCON_NEW("_id", "t0003");
    AUTO(bson_destroy) bson_t *other = BCON_NEW("_id", "t0650");
    must(db_insert(db, DB_TASKS, one, &inserted, &err), &err);
    must(db_insert(db, DB_TASKS, other, &inserted, &err), &err);
    assert_int_equal(insert_many(), MANY - 2);
    assert_int_equal(insert_many(), 0);
}

static void each_change_knows_whether_it_won(void **state)
{
    (void)state;
    static struct db_change changes[MANY];
    char id[32];
    struct err err = {0};
    bool won;
    assert_int_equal(insert_many(), MANY);
    AUTO(bson_destroy) bson_t *taken = BCON_NEW("_id", BCON_UTF8(id_of(600, id)));
    AUTO(bson_destroy) bson_t *by = BCON_NEW("$set", "{", "state", "cancelled", "}");
    must(db_update(db, DB_TASKS, taken, by, &won, &err), &err);
    for (int i = 0; i < MANY; i++) {
        changes[i] = admit(i);
    }
    must(db_update_all(db, DB_TASKS, changes, MANY, &err), &err);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(changes[i].won, i != 600);
        db_change_fini(&changes[i]);
    }
}

struct claimer {
    pthread_t thread;
    int first, won, lost, wrong;
};

/* All claim the same tasks, each in another order: one wins each. */
static void *claim_all(void *p)
{
    struct claimer *c = p;
    char id[32], name[32];
    snprintf(name, sizeof name, "w%d", c->first);
    for (int i = 0; i < 100; i++) {
        struct err err = {0};
        bson_t *doc = NULL;
        const struct task_claim claim = {.task = id_of((c->first * 17 + i) % 100, id),
                                         .kind = "copy",
                                         .worker = name,
                                         .fence = 7};
        c->wrong += task_claim(db, &claim, &doc, &err) != 0;
        c->won += doc != NULL;
        c->lost += doc == NULL;
        c->wrong += doc != NULL && strcmp(doc_str(doc, "worker", ""), name) != 0;
        bson_destroy(doc);
    }
    return NULL;
}

static void of_many_threads_that_claim_at_once_one_wins_each_task(void **state)
{
    (void)state;
    static struct db_change changes[100];
    static struct claimer claimers[THREADS];
    struct err err = {0};
    int won = 0;
    assert_int_equal(insert_many(), MANY);
    for (int i = 0; i < 100; i++) {
        changes[i] = admit(i);
    }
    must(db_update_all(db, DB_TASKS, changes, 100, &err), &err);
    for (int i = 0; i < THREADS; i++) {
        claimers[i] = (struct claimer){.first = i};
        assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(claimers[i].thread, NULL);
        won += claimers[i].won;
        assert_int_equal(claimers[i].wrong, 0);
    }
    assert_int_equal(won, 100);
    for (int i = 0; i < 100; i++) {
        db_change_fini(&changes[i]);
    }
}

struct reported {
    int good, bad;
    char why[600];
};

static void count_report(void *ctx, const char *name, const char *why)
{
    struct reported *r = ctx;
    (void)name;
    r->good += why == NULL;
    r->bad += why != NULL;
    size_t len = strlen(r->why);
    snprintf(r->why + len, sizeof r->why - len, "%s; ", why != NULL ? why : "");
}

static void ensure_all(db_index_fn *report, void *ctx)
{
    for (const char *const *coll = db_indexed_collections; *coll != NULL; coll++) {
        struct err err = {0};
        must(db_indexes_ensure(db, *coll, report, ctx, &err), &err);
    }
}

static void make_index(const char *coll, const char *keys, const char *name, bool sparse)
{
    bson_error_t e;
    AUTO(bson_destroy) bson_t *key = bson_new_from_json((const uint8_t *)keys, -1, &e);
    AUTO(bson_destroy)
    bson_t *cmd =
        BCON_NEW("createIndexes", BCON_UTF8(coll), "indexes", "[", "{", "key", BCON_DOCUMENT(key),
                 "name", BCON_UTF8(name), "sparse", BCON_BOOL(sparse), "}", "]");
    store_command(cmd);
}

static void
indexes_that_an_administrator_made_differently_are_reported_and_stop_nothing(void **state)
{
    (void)state;
    struct reported first = {0}, again = {0};
    make_index(DB_AUDIT, "{\"at\": 1}", "trawl_newest", false);
    make_index(DB_AUDIT, "{\"who\": 1, \"at\": -1, \"_id\": -1}", "whos", false); /* serves */
    make_index(DB_METRICS, "{\"raw_file\": 1}", "some_raw_files", true);
    ensure_all(count_report, &first);
    assert_int_equal(first.bad, 2);
    assert_non_null(strstr(first.why, "another key"));
    assert_non_null(strstr(first.why, "some_raw_files"));
    ensure_all(count_report, &again);
    assert_int_equal(again.good, first.good);
    assert_int_equal(again.bad, 2);
}

static bool try_drop(const char *index)
{
    AUTO(bson_destroy)
    bson_t *drop = BCON_NEW("dropIndexes", DB_AUDIT, "index", BCON_UTF8(index));
    return store_try(drop);
}

static void indexes_of_an_earlier_version_go_when_their_successors_are_there(void **state)
{
    (void)state;
    struct reported r = {0};
    AUTO(bson_destroy) bson_t *drop = BCON_NEW("drop", DB_AUDIT);
    store_command(drop);
    make_index(DB_AUDIT, "{\"who\": 1, \"at\": 1}", "who_1_at_1", false);
    make_index(DB_AUDIT, "{\"who\": 1}", "trawl_by_who", false); /* in the way */
    ensure_all(count_report, &r);
    assert_int_equal(r.bad, 2);          /* and the one of metrics, above */
    assert_true(try_drop("who_1_at_1")); /* it stayed, for its successor is not there */
    make_index(DB_AUDIT, "{\"who\": 1, \"at\": 1}", "who_1_at_1", false);
    assert_true(try_drop("trawl_by_who"));
    ensure_all(count_report, &r);
    assert_false(try_drop("who_1_at_1"));
    assert_true(try_drop("trawl_by_who"));
}

static void make_members_index(int least)
{
    bson_error_t e;
    AUTO(bson_destroy)
    bson_t *key = bson_new_from_json(
        (const uint8_t *)"{\"entity\": 1, \"type\": 1, \"deleted\": 1, \"contents.error\": 1, "
                         "\"contents.status\": 1, \"contents.size\": 1, \"contents.metrics\": 1, "
                         "\"contents.created_at\": 1}",
        -1, &e);
    AUTO(bson_destroy)
    bson_t *cmd =
        BCON_NEW("createIndexes", DB_CONTRIBUTIONS, "indexes", "[", "{", "key", BCON_DOCUMENT(key),
                 "name", "trawl_members", "partialFilterExpression", "{", "contents.error", "{",
                 "$gte", BCON_INT32(least), "}", "}", "}", "]");
    store_command(cmd);
}

static void a_partial_index_of_an_earlier_version_goes_and_an_administrators_own_stays(void **state)
{
    (void)state;
    for (int least = 0; least <= 1; least++) {
        struct reported r = {0};
        AUTO(bson_destroy)
        bson_t *drop = BCON_NEW("dropIndexes", DB_CONTRIBUTIONS, "index", "trawl_members");
        make_members_index(least);
        ensure_all(count_report, &r);
        assert_int_equal(store_try(drop), least == 1);
    }
}

static void what_is_missing_is_made_and_what_loses_is_told_from_what_won(void **state)
{
    (void)state;
    enum { N = 3 };
    struct err err = {0};
    struct db_change changes[N];
    store_put(DB_SLOTS, BCON_NEW("_id", "newer", "rev", BCON_INT64(9)));
    store_put(DB_SLOTS, BCON_NEW("_id", "older", "rev", BCON_INT64(1)));
    static const char *const ids[N] = {"newer", "older", "missing"};
    for (size_t i = 0; i < N; i++) {
        changes[i] = (struct db_change){
            .filter = BCON_NEW("_id", BCON_UTF8(ids[i]), "rev", "{", "$lt", BCON_INT64(5), "}"),
            .update = BCON_NEW("$set", "{", "rev", BCON_INT64(5), "}")};
    }
    must(db_upsert_all(db, DB_SLOTS, changes, N, &err), &err);
    assert_false(changes[0].won);
    assert_true(changes[1].won);
    assert_true(changes[2].won);
    for (size_t i = 0; i < N; i++) {
        AUTO(bson_destroy) bson_t *doc = NULL;
        must(db_find_id(db, DB_SLOTS, ids[i], &doc, &err), &err);
        assert_int_equal(doc_i64(doc, "rev", 0), i == 0 ? 9 : 5);
        db_change_fini(&changes[i]);
    }
}

static void a_document_that_is_too_large_is_refused_for_good(void **state)
{
    (void)state;
    enum { TOO_LARGE = 17 << 20 };
    struct err err = {0};
    bool inserted = true;
    AUTO(free) char *text = malloc(TOO_LARGE);
    assert_non_null(text);
    memset(text, 'x', TOO_LARGE);
    AUTO(bson_destroy) bson_t *doc = BCON_NEW("_id", "large");
    assert_true(bson_append_utf8(doc, "text", -1, text, TOO_LARGE));
    assert_int_equal(db_insert(db, DB_TASKS, doc, &inserted, &err), -1);
    assert_false(inserted);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(err.code, ERR_CODE_DATABASE_REFUSED);
}

/* A database that is away in the middle of a step is no fault of the task. */
static void trouble_of_the_database_holds_a_task_and_costs_no_attempt(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum err_kind kind;
        const char *state, *stored;
        int64_t attempt;
    } cases[] = {
        {ERR_CODE_DATABASE, ERR_TRANSIENT, "ready", "hold", 0},
        {ERR_CODE_DATABASE, ERR_INVALID, "ready", "hold", 0}, /* a login refused for a while */
        {ERR_CODE_DATABASE_REFUSED, ERR_INVALID, "failed", "permanent", 1},
        {EIO, ERR_TRANSIENT, "ready", "transient", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char id[32];
        struct err err = {0}, why = {.kind = cases[i].kind, .code = cases[i].code, .where = "x"};
        snprintf(id, sizeof id, "held%zu", i);
        store_put(DB_TASKS,
                  BCON_NEW("_id", BCON_UTF8(id), "state", "running", "kind", "index", "fence",
                           BCON_INT64(3), "worker", "w", "attempt", BCON_INT64(1)));
        const struct task_claim claim = {.task = id, .kind = "index", .worker = "w", .fence = 3};
        AUTO(bson_destroy) bson_t *before = NULL;
        AUTO(bson_destroy) bson_t *after = NULL;
        enum task_state to;
        bool won;
        must(db_find_id(db, DB_TASKS, id, &before, &err), &err);
        must(task_fail(db, &claim, before, &why, cfg, &to, &won, &err), &err);
        must(db_find_id(db, DB_TASKS, id, &after, &err), &err);
        assert_true(won);
        assert_string_equal(doc_str(after, "state", ""), cases[i].state);
        assert_string_equal(doc_str(after, "error.kind", ""), cases[i].stored);
        assert_int_equal(doc_i64(after, "attempt", -1), cases[i].attempt);
    }
}

static void only_trouble_that_passes_holds_a_task(void **state)
{
    (void)state;
    static const struct {
        uint32_t domain, code;
        enum err_kind kind;
        int stored;
    } cases[] = {
        {MONGOC_ERROR_SERVER, 10107, ERR_TRANSIENT, ERR_CODE_DATABASE},     /* NotWritablePrimary */
        {MONGOC_ERROR_WRITE_CONCERN, 64, ERR_TRANSIENT, ERR_CODE_DATABASE}, /* WriteConcernFailed */
        {MONGOC_ERROR_WRITE_CONCERN, 79, ERR_TRANSIENT,
         ERR_CODE_DATABASE_REFUSED},                                           /* no such mode */
        {MONGOC_ERROR_SERVER, 8000, ERR_TRANSIENT, ERR_CODE_DATABASE_REFUSED}, /* not known */
        {MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG, ERR_INVALID,
         ERR_CODE_DATABASE_REFUSED}, /* the driver refuses it itself */
        {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, ERR_TRANSIENT, ERR_CODE_DATABASE},
        {MONGOC_ERROR_SERVER, 17419, ERR_INVALID, ERR_CODE_DATABASE_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        const bson_error_t e = {.domain = cases[i].domain, .code = cases[i].code, .message = "x"};
        assert_int_equal(db_error(db, &e, &err), -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_int_equal(err.code, cases[i].stored);
    }
}

static void a_count_ends(void **state)
{
    (void)state;
    enum { SOME = 1000 };
    struct err err = {0};
    bson_t *docs[SOME];
    bool made[SOME];
    int64_t n = 0;
    bson_t all = BSON_INITIALIZER;
    for (int round = 0; round <= DB_COUNT_MAX / SOME; round++) {
        for (int i = 0; i < SOME; i++) {
            docs[i] = BCON_NEW("_id", BCON_INT32(round * SOME + i));
        }
        must(db_insert_all(db, DB_POOLS, docs, SOME, made, &err), &err);
        for (int i = 0; i < SOME; i++) {
            bson_destroy(docs[i]);
        }
    }
    must(db_count(db, DB_POOLS, &all, &n, &err), &err);
    assert_int_equal(n, DB_COUNT_MAX);
}

static int run(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            indexes_that_an_administrator_made_differently_are_reported_and_stop_nothing, fresh),
        cmocka_unit_test_setup(indexes_of_an_earlier_version_go_when_their_successors_are_there,
                               fresh),
        cmocka_unit_test_setup(
            a_partial_index_of_an_earlier_version_goes_and_an_administrators_own_stays, fresh),
        cmocka_unit_test_setup(what_is_missing_is_made_and_what_loses_is_told_from_what_won, fresh),
        cmocka_unit_test_setup(a_document_that_is_too_large_is_refused_for_good, fresh),
        cmocka_unit_test_setup(trouble_of_the_database_holds_a_task_and_costs_no_attempt, fresh),
        cmocka_unit_test_setup(only_trouble_that_passes_holds_a_task, fresh),
        cmocka_unit_test_setup(a_count_ends, fresh),
        cmocka_unit_test_setup(what_is_there_already_is_told_from_what_is_new, fresh),
        cmocka_unit_test_setup(each_change_knows_whether_it_won, fresh),
        cmocka_unit_test_setup(of_many_threads_that_claim_at_once_one_wins_each_task, fresh),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}

int main(void)
{
    return store_main("db", run);
}
