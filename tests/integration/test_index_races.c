/*
 * test_index_races.c - the real index tasks and the real migration, many at once, against a real
 * store: each stops before every command while others go on, and dies there now and then. Raw files
 * change their project, status and date meanwhile. In the end sums and aggregates are what a naive
 * count of the raw files says.
 *
 * One conductor: of its threads only the one runs that it has let go, up to its next command. So a
 * seed names one order of commands.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/db/docs.h"
#include "common/index/fold.h"
#include "common/index/week.h"
#include "scheduler/migrate/migrate.h"
#include "store.h"
#include "test.h"
#include "workers/index/contribution.h"
#include "workers/index/index.h"

#define FILES    6
#define WORKERS  4
#define CHANGES  8
#define SEEDS    40
#define PROJECTS 3 /* the last one: none */
#define WEEKS    3 /* the last one: no date */
#define SUNDAY   (INT64_C(2900) * WEEK_MS)

struct worker {
    pthread_t thread;
    sem_t go;
    bool busy, killed, quits;
    int file; /* -1: migrates */
};

static struct worker workers[WORKERS];
static sem_t stopped; /* the one that ran has come to its next command, or to its end */
static __thread struct worker *me;
static uint32_t random_state;

static int draw(int n)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (int)((random_state >> 8) % (uint32_t)n);
}

/* --- each command is a turn --- */

static int turn(struct err *err)
{
    if (me == NULL) {
        return 0;
    }
    sem_post(&stopped);
    sem_wait(&me->go);
    return me->killed ? ERR(err, ERR_TRANSIENT, 0, "killed") : 0;
}

#define TURN(name, parameters, arguments)                                                          \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return turn(err) != 0 ? -1 : __real_##name arguments;                                      \
    }

TURN(db_find_id, (struct db * d, const char *coll, const char *id, bson_t **out, struct err *err),
     (d, coll, id, out, err))
TURN(db_each,
     (struct db * d, const char *coll, const bson_t *filter, const bson_t *opts, db_doc_fn *fn,
      void *ctx, struct err *err),
     (d, coll, filter, opts, fn, ctx, err))
TURN(db_aggregate,
     (struct db * d, const char *coll, const bson_t *pipeline, db_doc_fn *fn, void *ctx,
      struct err *err),
     (d, coll, pipeline, fn, ctx, err))
TURN(db_insert,
     (struct db * d, const char *coll, const bson_t *doc, bool *inserted, struct err *err),
     (d, coll, doc, inserted, err))
TURN(db_update,
     (struct db * d, const char *coll, const bson_t *filter, const bson_t *update, bool *won,
      struct err *err),
     (d, coll, filter, update, won, err))
TURN(db_upsert,
     (struct db * d, const char *coll, const bson_t *filter, const bson_t *update, bool *won,
      struct err *err),
     (d, coll, filter, update, won, err))
TURN(db_find_update,
     (struct db * d, const char *coll, const bson_t *filter, const bson_t *update, bson_t **out,
      struct err *err),
     (d, coll, filter, update, out, err))
TURN(db_update_all,
     (struct db * d, const char *coll, struct db_change *changes, size_t n, struct err *err),
     (d, coll, changes, n, err))
TURN(db_upsert_all,
     (struct db * d, const char *coll, struct db_change *changes, size_t n, struct err *err),
     (d, coll, changes, n, err))
TURN(db_update_together,
     (struct db * d, const char *coll, struct db_change *change, struct err *err),
     (d, coll, change, err))

/* --- raw files --- */

static void name_of(int file, char name[static 16])
{
    snprintf(name, 16, "f%d.raw", file);
}

static bson_t *fields_of(int project, int week)
{
    static const char *const statuses[] = {"copying", "done", "error"};
    bson_t *set = BCON_NEW("status", BCON_UTF8(statuses[draw(3)]), "size", BCON_INT64(draw(1000)),
                           "dirty", BCON_BOOL(true), "project_id",
                           BCON_UTF8(project == 0   ? "P0"
                                     : project == 1 ? "P1"
                                                    : ""));
    if (week < WEEKS - 1) {
        BSON_APPEND_DATE_TIME(set, "created_at", SUNDAY + week * WEEK_MS + draw(1000));
    }
    return set;
}

static void change(void)
{
    struct err err = {0};
    bool won;
    char name[16];
    int week = draw(WEEKS);
    name_of(draw(FILES), name);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(name));
    AUTO(bson_destroy) bson_t *set = fields_of(draw(PROJECTS), week);
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(set), "$inc", "{", "rev", BCON_INT64(1), "}");
    if (week == WEEKS - 1) {
        BCON_APPEND(update, "$unset", "{", "created_at", BCON_BOOL(true), "}");
    }
    must(db_update(db, DB_RAW_FILES, filter, update, &won, &err), &err);
    assert_true(won);
}

static bool is_dirty(int file)
{
    struct err err = {0};
    char name[16];
    name_of(file, name);
    AUTO(bson_destroy) bson_t *raw = NULL;
    must(db_find_id(db, DB_RAW_FILES, name, &raw, &err), &err);
    return doc_bool(raw, "dirty", false);
}

static int64_t count_dirty(void)
{
    struct err err = {0};
    int64_t n = 0;
    AUTO(bson_destroy) bson_t *dirty = BCON_NEW("dirty", BCON_BOOL(true));
    must(db_count(db, DB_RAW_FILES, dirty, &n, &err), &err);
    return n;
}

/* --- workers --- */

static void index_once(int file)
{
    struct err err = {0};
    char name[16];
    void *job = calloc(1, worker_index.job_size);
    assert_non_null(job);
    struct job_base *base = job;
    base->cfg = cfg;
    base->db = db;
    name_of(file, name);
    AUTO(bson_destroy) bson_t *task = BCON_NEW("raw_file", BCON_UTF8(name));
    int rc = worker_index.decode(job, task, &err);
    for (const struct worker_step *s = worker_index.steps; rc == 0 && s->name != NULL; s++) {
        rc = s->run(job, &err);
    }
    assert_true(rc == 0 || me == NULL || me->killed);
    worker_index.destroy(job);
    free(job);
}

static void migrate_all(void)
{
    struct err err = {0};
    int64_t n = 1;
    int rc = 0;
    while (rc == 0 && n > 0) {
        rc = migrate_sums(db, &n, &err);
    }
    assert_true(rc == 0 || me == NULL || me->killed);
}

static void *work(void *arg)
{
    me = arg;
    sem_wait(&me->go);
    while (!me->quits) {
        if (me->file < 0) {
            migrate_all();
        } else {
            index_once(me->file);
        }
        me->busy = false;
        me->killed = false;
        sem_post(&stopped);
        sem_wait(&me->go);
    }
    return NULL;
}

static void let_go(struct worker *w)
{
    sem_post(&w->go);
    sem_wait(&stopped);
}

static void finish_all(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        while (workers[i].busy) {
            let_go(&workers[i]);
        }
    }
}

/* Work for an idle one. Raw files that did not change are rarely indexed again: that would mend
 * what is wrong. */
static void give(struct worker *w, bool migrates)
{
    w->file = migrates && draw(8) == 0 ? -1 : draw(FILES);
    w->busy = w->file < 0 || is_dirty(w->file) || draw(20) == 0;
}

static void play(bool migrates)
{
    for (int changes = 0; changes < CHANGES || count_dirty() > 0;) {
        struct worker *w = &workers[draw(WORKERS)];
        if (!w->busy) {
            give(w, migrates);
        }
        w->killed = draw(10) == 0;
        for (int n = 1 + draw(16); n > 0 && w->busy; n--) {
            let_go(w);
        }
        if (changes < CHANGES && draw(4) == 0) {
            change();
            changes++;
        }
    }
    finish_all(); /* those that were slow come last */
}

/* --- what must be --- */

static int add_raw(void *ctx, const bson_t *raw, struct err *err)
{
    static const struct docs none;
    const struct contribution_sources src = {raw, &none, &none};
    AUTO(bson_destroy) bson_t *contents = contents_member(&src);
    AUTO(bson_destroy) bson_t *row = fold_row(contents);
    return fold_add(ctx, row, err);
}

static int add_rows(void *ctx, const bson_t *sum, struct err *err)
{
    bson_t rows, row;
    bson_iter_t at;
    assert_true(doc_sub(sum, "rows", &rows) && bson_iter_init(&at, &rows));
    while (bson_iter_next(&at)) {
        assert_true(doc_sub(&rows, bson_iter_key(&at), &row));
        assert_int_equal(fold_add(ctx, &row, err), 0);
    }
    return 0;
}

static bson_t *folded(const char *coll, const bson_t *filter, db_doc_fn *add)
{
    struct err err = {0};
    AUTO(fold_free) struct fold *f = fold_new(&err);
    must(db_each(db, coll, filter, NULL, add, f, &err), &err);
    return fold_contents(f);
}

static void expect_same(const bson_t *expected, const bson_t *found, const char *what, int seed)
{
    char *a = bson_as_canonical_extended_json(expected, NULL);
    char *b = bson_as_canonical_extended_json(found, NULL);
    if (strcmp(a, b) != 0) {
        fail_msg("seed %d: %s: expected %s, found %s", seed, what, a, b);
    }
    bson_free(a);
    bson_free(b);
}

static void check_week(const struct entity *e, const char *field, int week, int seed)
{
    int64_t number = SUNDAY / WEEK_MS + week;
    AUTO(bson_destroy) bson_t *raws = BCON_NEW(field, BCON_UTF8(e->name));
    AUTO(bson_destroy)
    bson_t *sums =
        BCON_NEW("type", BCON_UTF8(entity_type_name(e->type)), "entity", BCON_UTF8(e->name));
    week_append(sums, "week", week < WEEKS - 1 ? number : WEEK_NONE);
    if (week < WEEKS - 1) {
        BCON_APPEND(raws, "created_at", "{", "$gte", BCON_DATE_TIME(number * WEEK_MS), "$lt",
                    BCON_DATE_TIME((number + 1) * WEEK_MS), "}");
    } else {
        BSON_APPEND_NULL(raws, "created_at");
    }
    AUTO(bson_destroy) bson_t *expected = folded(DB_RAW_FILES, raws, add_raw);
    AUTO(bson_destroy) bson_t *found = folded(DB_SUMS, sums, add_rows);
    expect_same(expected, found, e->name, seed);
}

static void check_aggregate(const struct entity *e, const char *field, int seed)
{
    struct err err = {0};
    AUTO(free) char *id = entity_id(e->type, e->name);
    AUTO(bson_destroy) bson_t *aggregate = NULL;
    AUTO(bson_destroy) bson_t *raws = BCON_NEW(field, BCON_UTF8(e->name));
    AUTO(bson_destroy) bson_t *expected = folded(DB_RAW_FILES, raws, add_raw);
    must(db_find_id(db, DB_AGGREGATES, id, &aggregate, &err), &err);
    bson_t contents;
    if (doc_i64(expected, "file_count", 0) > 0) {
        assert_true(aggregate != NULL && doc_sub(aggregate, "contents", &contents));
        expect_same(expected, &contents, id, seed);
    } else {
        assert_true(aggregate == NULL || doc_bool(aggregate, "deleted", false));
    }
}

static void check(int seed, bool sums)
{
    static const struct {
        struct entity of;
        const char *field;
    } all[] = {{{ENTITY_PROJECT, "P0"}, "project_id"},
               {{ENTITY_PROJECT, "P1"}, "project_id"},
               {{ENTITY_INSTRUMENT, "tims"}, "instrument_id"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check_aggregate(&all[i].of, all[i].field, seed);
        for (int week = 0; week < WEEKS && sums; week++) {
            check_week(&all[i].of, all[i].field, week, seed);
        }
    }
}

/* --- the worlds --- */

static void fill(void)
{
    static const char *const colls[] = {DB_RAW_FILES, DB_CONTRIBUTIONS, DB_SUMS, DB_AGGREGATES};
    AUTO(bson_destroy) bson_t *all = bson_new();
    for (size_t i = 0; i < sizeof colls / sizeof *colls; i++) {
        struct err err = {0};
        must(db_delete(db, colls[i], all, NULL, &err), &err);
    }
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(i, name);
        AUTO(bson_destroy) bson_t *fields = fields_of(draw(PROJECTS), draw(WEEKS));
        bson_t *raw = BCON_NEW("_id", BCON_UTF8(name), "instrument_id", BCON_UTF8("tims"), "rev",
                               BCON_INT64(1));
        bson_concat(raw, fields);
        store_put(DB_RAW_FILES, raw);
    }
}

/* As a program without sums would have left it. */
static void make_old(void)
{
    struct err err = {0};
    int64_t n;
    AUTO(bson_destroy) bson_t *all = bson_new();
    AUTO(bson_destroy)
    bson_t *unset = BCON_NEW("$unset", "{", "weeks", BCON_INT32(1), "by_week", BCON_INT32(1),
                             "summed", BCON_INT32(1), "}");
    for (int i = 0; i < FILES; i++) {
        index_once(i);
    }
    must(db_update_each(db, DB_CONTRIBUTIONS, all, unset, &n, &err), &err);
    must(db_update_each(db, DB_AGGREGATES, all, unset, &n, &err), &err);
    must(db_delete(db, DB_SUMS, all, NULL, &err), &err);
}

static void play_worlds(bool old, bool migrates)
{
    for (int seed = 1; seed <= SEEDS; seed++) {
        random_state = (uint32_t)seed * 2654435761U;
        fill();
        if (old) {
            make_old();
        }
        play(migrates);
        check(seed, !old);
        migrate_all();
        check(seed, true);
    }
}

static void sums_and_aggregates_are_a_naive_count_whoever_dies_between_two_commands(void **state)
{
    (void)state;
    play_worlds(false, false);
}

static void a_database_without_sums_gets_them_while_workers_and_leaders_die(void **state)
{
    (void)state;
    play_worlds(true, true);
}

static void a_database_without_sums_has_right_aggregates_before_anyone_migrates_it(void **state)
{
    (void)state;
    play_worlds(true, false);
}

static int run(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_aggregates_are_a_naive_count_whoever_dies_between_two_commands),
        cmocka_unit_test(a_database_without_sums_gets_them_while_workers_and_leaders_die),
        cmocka_unit_test(a_database_without_sums_has_right_aggregates_before_anyone_migrates_it),
    };
    sem_init(&stopped, 0, 0);
    for (size_t i = 0; i < WORKERS; i++) {
        sem_init(&workers[i].go, 0, 0);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            return 1;
        }
    }
    int failed = cmocka_run_group_tests_name("index_races", tests, NULL, NULL);
    for (size_t i = 0; i < WORKERS && failed == 0; i++) {
        workers[i].quits = true;
        sem_post(&workers[i].go);
        pthread_join(workers[i].thread, NULL);
    }
    return failed;
}

int main(void)
{
    return store_main("index_races", run);
}
