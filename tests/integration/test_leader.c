/*
 * test_leader.c - the leader's passes against a real store, one at a time: what another leader, a
 * list without a snapshot and another host's clock must not do.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "scheduler/scheduler.h"
#include "store.h"
#include "test.h"

#define POOL "index" /* no instrument has a word in it */

/* A scheduler without threads and without Kafka. */
static struct scheduler leader(const char *name)
{
    struct err err = {0};
    struct scheduler s = {.cfg = cfg, .db = db};
    wake_init(&s.wake);
    s.lease = lease_new(db, "scheduler", name, 8000, &err);
    assert_non_null(s.lease);
    must(lease_tick(s.lease, &err), &err);
    assert_true(lease_held(s.lease));
    return s;
}

static void end(struct scheduler *s)
{
    open_tasks_clear(&s->dispatch);
    slots_clear(&s->dispatch);
    free(s->dispatch.groups);
    free(s->dispatch.workers);
    lease_release(s->lease);
    lease_free(s->lease);
    wake_fini(&s->wake);
}

static int clear(void **state)
{
    (void)state;
    static const char *const all[] = {DB_TASKS, DB_SLOTS, DB_POOLS, DB_LEASES, DB_WORKERS};
    bson_t everything = BSON_INITIALIZER;
    struct err err = {0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        must(db_delete(db, all[i], &everything, NULL, &err), &err);
    }
    return 0;
}

static void pool(int64_t slots)
{
    store_put(DB_POOLS, BCON_NEW("_id", POOL, "slots", BCON_INT64(slots)));
}

static const struct task_new index_task = {.raw_file = "a.raw", .kind = "index"};

static void task(const char *fields_json)
{
    bson_error_t e;
    AUTO(bson_destroy) bson_t *more = bson_new_from_json((const uint8_t *)fields_json, -1, &e);
    AUTO(bson_destroy) bson_t *doc = task_new_document(&index_task);
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(more));
    AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
    struct err err = {0};
    bool won;
    assert_non_null(more);
    must(db_insert(db, DB_TASKS, doc, &won, &err), &err);
    must(db_update(db, DB_TASKS, me, update, &won, &err), &err);
    assert_true(won);
}

static bson_t *doc(const char *coll, const char *id)
{
    struct err err = {0};
    bson_t *out = NULL;
    must(db_find_id(db, coll, id, &out, &err), &err);
    assert_non_null(out);
    return out;
}

static void expect_text(const char *coll, const char *id, const char *field, const char *value)
{
    AUTO(bson_destroy) bson_t *found = doc(coll, id);
    assert_string_equal(doc_str(found, field, ""), value);
}

static void look(struct scheduler *s)
{
    struct err err = {0};
    must(open_tasks_load(s, NULL, &err), &err);
    must(slots_load(s, &err), &err);
    must(slots_stamp(s, &err), &err);
    must(slots_mark(s, &err), &err);
}

static void admit(struct scheduler *s)
{
    struct err err = {0};
    must(admit_tasks(s, &err), &err);
}

static void a_free_slot_goes_to_a_ready_task(void **state)
{
    (void)state;
    pool(1);
    task("{}");
    struct scheduler s = leader("a");
    look(&s);
    admit(&s);
    expect_text(DB_TASKS, "a.raw/index", "state", "admitted");
    expect_text(DB_SLOTS, POOL "/0", "task", "a.raw/index");
    end(&s);
}

/* It was paused between reading and admitting; the new leader has not touched task or slot. */
static void an_older_leader_takes_no_slot(void **state)
{
    (void)state;
    pool(1);
    task("{}");
    struct scheduler old = leader("old");
    look(&old);
    lease_release(old.lease); /* the document only: old believes in its epoch */
    struct scheduler new = leader("new");
    assert_true(lease_epoch(new.lease) > lease_epoch(old.lease));
    struct err err = {0};
    must(slots_load(&new, &err), &err);
    must(slots_stamp(&new, &err), &err);
    admit(&old);
    expect_text(DB_TASKS, "a.raw/index", "state", "ready");
    expect_text(DB_SLOTS, POOL "/0", "task", "");
    end(&old);
    end(&new);
}

/* However long the pass would still take: the next leader waits for the lease. */
static void a_leader_that_is_to_stop_leaves_its_pass(void **state)
{
    (void)state;
    bson_t nothing = BSON_INITIALIZER;
    pool(1);
    struct scheduler s = leader("a");
    struct err err = {0};
    atomic_store(&s.leading, true);
    must(lead_serve(&s, &nothing, &err), &err);
    wake_stop(&s.wake);
    assert_int_equal(lead_serve(&s, &nothing, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    end(&s);
}

/* MongoDB's cursors are no snapshot: a task that goes from running to parked may be in neither. */
static void a_task_that_the_list_missed_keeps_its_slot(void **state)
{
    (void)state;
    pool(1);
    task("{\"state\": \"parked\", \"fence\": 1, \"slot\": \"" POOL "/0\"}");
    store_put(DB_SLOTS, BCON_NEW("_id", POOL "/0", "pool", POOL, "n", BCON_INT64(0), "task",
                                 "a.raw/index", "fence", BCON_INT64(1)));
    struct scheduler s = leader("a");
    struct err err = {0};
    look(&s);
    assert_true(slots_find(&s, POOL "/0")->admission_seen);
    open_tasks_clear(&s.dispatch);
    s.dispatch.open_complete = false;
    must(slots_mark(&s, &err), &err);
    assert_false(slot_is_left(slots_find(&s, POOL "/0")));
    assert_int_equal(s.dispatch.n_open, 1);
    assert_int_equal(s.dispatch.open[0].state, TASK_PARKED);
    end(&s);
}

static void a_task_that_the_list_has_twice_counts_once_as_read_last(void **state)
{
    (void)state;
    task("{\"state\": \"admitted\", \"fence\": 1}");
    struct scheduler s = leader("a");
    struct err err = {0};
    must(open_tasks_load(&s, NULL, &err), &err);
    AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
    AUTO(bson_destroy) bson_t *claim = BCON_NEW("$set", "{", "state", "running", "}");
    AUTO(bson_destroy) bson_t *ids = BCON_NEW("0", "a.raw/index");
    bool won;
    must(db_update(db, DB_TASKS, me, claim, &won, &err), &err);
    must(open_tasks_add_holders(&s, ids, &err), &err);
    assert_int_equal(s.dispatch.n_open, 1);
    assert_int_equal(s.dispatch.open[0].state, TASK_RUNNING);
    end(&s);
}

/* Whoever failed it has another clock, by hours: only how long it is to wait counts. */
static void a_wait_begins_on_the_leaders_clock(void **state)
{
    (void)state;
    static const char *const tasks[] = {
        "{\"wait_ms\": 60000}",
        "{\"wait_ms\": 60000, \"not_before\": {\"$date\": \"2100-01-01T00:00:00Z\"}}",
    };
    pool(1);
    struct scheduler s = leader("a");
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
        struct err err = {0};
        task(tasks[i]);
        look(&s);
        admit(&s);
        AUTO(bson_destroy) bson_t *found = doc(DB_TASKS, "a.raw/index");
        int64_t left = doc_i64(found, "not_before", 0) - wall_ms();
        assert_string_equal(doc_str(found, "state", ""), "ready");
        assert_true(left > 50000 && left <= 60000);
        assert_true(s.dispatch.next_expiry_ms == doc_i64(found, "not_before", 0));
        must(db_delete(db, DB_TASKS, me, NULL, &err), &err);
    }
    end(&s);
}

static void a_task_that_is_lost_again_and_again_is_dead(void **state)
{
    (void)state;
    char fields[160];
    pool(1);
    snprintf(fields, sizeof fields,
             "{\"state\": \"running\", \"worker\": \"gone\", \"fence\": 3, \"attempt\": 1, "
             "\"lost\": %d}",
             (int)cfg->retry.max_lost - 2);
    task(fields);
    AUTO(bson_destroy) bson_t *before = doc(DB_TASKS, "a.raw/index");
    struct scheduler s = leader("a");
    struct err err = {0};
    for (int round = 0; round < 2; round++) {
        must(open_tasks_load(&s, NULL, &err), &err);
        must(reap_workers(&s, &err), &err); /* sees that its worker has no document */
        s.dispatch.answered_ms += 3600000;
        must(reap_workers(&s, &err), &err);
        AUTO(bson_destroy) bson_t *found = doc(DB_TASKS, "a.raw/index");
        assert_string_equal(doc_str(found, "state", ""), round == 0 ? "ready" : "dead");
        assert_int_equal(doc_i64(found, "lost", 0), cfg->retry.max_lost - 1 + round);
        assert_int_equal(doc_i64(found, "ready_at", 0), doc_i64(before, "ready_at", 1));
        assert_true(doc_bool(found, "untold", false) == (round == 1));
        AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
        AUTO(bson_destroy)
        bson_t *again = BCON_NEW("$set", "{", "state", "running", "worker", "gone too", "}");
        bool won;
        if (round == 0) {
            must(db_update(db, DB_TASKS, me, again, &won, &err), &err);
        }
    }
    end(&s);
}

static void a_ready_task_that_is_to_be_cancelled_ends_without_a_slot(void **state)
{
    (void)state;
    pool(0);
    task("{\"cancel\": {\"by\": \"kim\"}}");
    struct scheduler s = leader("a");
    struct err err = {0};
    look(&s);
    must(reap_tasks(&s, &err), &err);
    expect_text(DB_TASKS, "a.raw/index", "state", "cancelled");
    end(&s);
}

static void resize_pool(int64_t slots)
{
    struct err err = {0};
    bool won;
    AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", POOL);
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "slots", BCON_INT64(slots), "}");
    must(db_update(db, DB_POOLS, me, update, &won, &err), &err);
    assert_true(won);
}

static void withdraw(struct scheduler *s)
{
    struct err err = {0};
    look(s);
    must(withdraw_surplus(s, &err), &err);
    admit(s);
}

static void what_nobody_has_claimed_goes_back_when_its_pool_is_made_smaller(void **state)
{
    (void)state;
    pool(1);
    task("{}");
    struct scheduler s = leader("a");
    look(&s);
    admit(&s);
    withdraw(&s);
    expect_text(DB_TASKS, "a.raw/index", "state", "admitted"); /* there is room for it */
    resize_pool(0);
    withdraw(&s);
    expect_text(DB_TASKS, "a.raw/index", "state", "ready");
    expect_text(DB_SLOTS, POOL "/0", "task", "");
    AUTO(bson_destroy) bson_t *found = doc(DB_TASKS, "a.raw/index");
    assert_int_equal(doc_i64(found, "fence", 0), 2); /* its message claims nothing */
    assert_int_equal(doc_i64(found, "attempt", -1), 0);
    resize_pool(1);
    withdraw(&s);
    expect_text(DB_TASKS, "a.raw/index", "state", "admitted");
    end(&s);
}

static void what_runs_keeps_its_slot_when_its_pool_is_made_smaller(void **state)
{
    (void)state;
    static const char *const holders[] = {
        "{\"state\": \"running\", \"fence\": 1, \"slot\": \"" POOL "/0\"}",
        "{\"state\": \"admitted\", \"fence\": 1, \"slot\": \"" POOL
        "/0\", \"parked\": {\"ended\": {}}}",
    };
    pool(0);
    store_put(DB_SLOTS, BCON_NEW("_id", POOL "/0", "pool", POOL, "n", BCON_INT64(0), "task",
                                 "a.raw/index", "fence", BCON_INT64(1)));
    struct scheduler s = leader("a");
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
        struct err err = {0};
        task(holders[i]);
        withdraw(&s);
        expect_text(DB_SLOTS, POOL "/0", "task", "a.raw/index");
        must(db_delete(db, DB_TASKS, me, NULL, &err), &err);
    }
    end(&s);
}

static bool reopen(int64_t round, enum task_reopen from)
{
    struct task_new t = index_task;
    struct err err = {0};
    bool won = false;
    t.round = round;
    must(task_reopen(db, &t, from, &won, &err), &err);
    return won;
}

/* A pass that planned by what is old now, also one that was paused for long. */
static void planning_twice_opens_nothing_twice(void **state)
{
    (void)state;
    task("{\"state\": \"done\", \"round\": 1}");
    assert_false(reopen(0, TASK_REOPEN_EARLIER));
    assert_false(reopen(1, TASK_REOPEN_EARLIER));
    expect_text(DB_TASKS, "a.raw/index", "state", "done");
    assert_true(reopen(2, TASK_REOPEN_EARLIER));
    expect_text(DB_TASKS, "a.raw/index", "state", "ready");
    assert_false(reopen(3, TASK_REOPEN_EARLIER)); /* it has not ended */
}

static void a_task_from_before_rounds_is_of_an_earlier_one(void **state)
{
    (void)state;
    task("{\"state\": \"failed\"}");
    AUTO(bson_destroy) bson_t *me = BCON_NEW("_id", "a.raw/index");
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$unset", "{", "round", BCON_BOOL(true), "}");
    struct err err = {0};
    bool won;
    must(db_update(db, DB_TASKS, me, update, &won, &err), &err);
    assert_false(reopen(0, TASK_REOPEN_DONE));
    assert_true(reopen(0, TASK_REOPEN_EARLIER));
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_free_slot_goes_to_a_ready_task, clear),
        cmocka_unit_test_setup(an_older_leader_takes_no_slot, clear),
        cmocka_unit_test_setup(a_leader_that_is_to_stop_leaves_its_pass, clear),
        cmocka_unit_test_setup(a_task_that_the_list_missed_keeps_its_slot, clear),
        cmocka_unit_test_setup(a_task_that_the_list_has_twice_counts_once_as_read_last, clear),
        cmocka_unit_test_setup(a_wait_begins_on_the_leaders_clock, clear),
        cmocka_unit_test_setup(a_task_that_is_lost_again_and_again_is_dead, clear),
        cmocka_unit_test_setup(a_ready_task_that_is_to_be_cancelled_ends_without_a_slot, clear),
        cmocka_unit_test_setup(what_nobody_has_claimed_goes_back_when_its_pool_is_made_smaller,
                               clear),
        cmocka_unit_test_setup(what_runs_keeps_its_slot_when_its_pool_is_made_smaller, clear),
        cmocka_unit_test_setup(planning_twice_opens_nothing_twice, clear),
        cmocka_unit_test_setup(a_task_from_before_rounds_is_of_an_earlier_one, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return store_main("leader", run);
}
