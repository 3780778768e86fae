/* test_held.c - what an attempt that ended leaves in its task: the update that would be made. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/task/task.h"

static bson_t *made; /* the last update */

/* The linker has it called in place of db_update_together (scheduler.cmake). */
int __wrap_db_update_together(struct db *db, const char *coll, struct db_change *change,
                              struct err *err);
int __wrap_db_update_together(struct db *db, const char *coll, struct db_change *change,
                              struct err *err)
{
    (void)db;
    (void)coll;
    (void)err;
    if (made != NULL) {
        bson_destroy(made);
    }
    made = bson_copy(change->update);
    change->won = true;
    return 0;
}

static enum task_state end_attempt(const bson_t *task, enum err_kind kind, int code)
{
    struct config cfg = {.retry = {.max_attempts = 2, .base_ms = 1000, .max_ms = 300000}};
    struct err why = {.kind = kind, .code = code, .where = "reserve", .msg = "x"}, err = {0};
    const struct task_claim claim = {.task = "t", .kind = "copy", .worker = "w", .fence = 1};
    enum task_state to;
    bool won;
    void *nobody_looks_inside = &cfg;
    struct db *db = nobody_looks_inside;
    assert_int_equal(task_fail(db, &claim, task, &why, &cfg, &to, &won, &err), 0);
    return to;
}

static void what_passes_by_itself_holds_and_costs_no_attempt(void **state)
{
    (void)state;
    static const int passing[] = {EACCES,    EPERM,      EBUSY,       ETXTBSY, ESTALE,
                                  EHOSTDOWN, ENOTCONN,   EAGAIN,      ENOLCK,  EDEADLK,
                                  ETIMEDOUT, ECONNRESET, EHOSTUNREACH};
    static const int lasting[] = {ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EIO, ENOMEM};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        struct err err = {.kind = fs_errno_kind(passing[i]), .code = passing[i]};
        assert_int_equal(fs_share_failed(&err), -1);
        assert_int_equal(err.kind, ERR_HOLD);
        assert_int_equal(err.code, ERR_CODE_SOURCE_BUSY);
    }
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
        struct err err = {.kind = fs_errno_kind(lasting[i]), .code = lasting[i]};
        assert_int_equal(fs_share_failed(&err), -1);
        assert_int_equal(err.kind, fs_errno_kind(lasting[i]));
        assert_int_equal(err.code, lasting[i]);
    }
    AUTO(bson_destroy)
    bson_t *task = BCON_NEW("attempt", BCON_INT64(2), "setbacks", BCON_INT64(99));
    assert_int_equal(end_attempt(task, ERR_HOLD, ERR_CODE_SOURCE_BUSY), TASK_READY);
    assert_int_equal(doc_i64(made, "$inc.attempt", 0), -1);
    assert_string_equal(doc_str(made, "$set.error.code", "?"), "source_busy");
}

static void looks_at_a_busy_source_get_rarer_up_to_a_minute(void **state)
{
    (void)state;
    int64_t most = 0, other = 0;
    for (int i = 0; i < 300; i++) {
        AUTO(bson_destroy)
        bson_t *task = BCON_NEW("attempt", BCON_INT64(1), "setbacks", BCON_INT64(i / 10));
        (void)end_attempt(task, ERR_HOLD, ERR_CODE_SOURCE_BUSY);
        int64_t ms = doc_i64(made, "$set.wait_ms", -1);
        assert_in_range(ms, 0, i < 10 ? 1000 : 60000);
        most = ms > most ? ms : most;
        (void)end_attempt(task, ERR_HOLD, 0);
        ms = doc_i64(made, "$set.wait_ms", -1);
        other = ms > other ? ms : other;
    }
    assert_int_equal(most, 60000);
    assert_int_equal(other, 15000); /* a location, the cluster */
}

static void since_when_it_is_held_stays_until_it_goes_on(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *fresh = BCON_NEW("attempt", BCON_INT64(1));
    AUTO(bson_destroy)
    bson_t *held = BCON_NEW("attempt", BCON_INT64(1), "held", "{", "since", BCON_DATE_TIME(12345),
                            "step", "reserve", "code", "source_busy", "}");
    (void)end_attempt(fresh, ERR_HOLD, ERR_CODE_SOURCE_BUSY);
    assert_true(doc_i64(made, "$set.held.since", 0) > 12345);
    (void)end_attempt(held, ERR_HOLD, ERR_CODE_SOURCE_BUSY);
    assert_int_equal(doc_i64(made, "$set.held.since", 0), 12345);
    assert_string_equal(doc_str(made, "$set.held.step", ""), "reserve");
    (void)end_attempt(held, ERR_YIELD, 0); /* its worker stops: that is no going on */
    assert_false(doc_has(made, "$set.held") || doc_has(made, "$unset.held"));
    (void)end_attempt(held, ERR_TRANSIENT, EIO);
    assert_true(doc_has(made, "$unset.held"));
    (void)end_attempt(held, ERR_INVALID, ENOENT);
    assert_true(doc_has(made, "$unset.held"));
}

static void a_source_that_changed_is_told_to_nobody(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *task = BCON_NEW("attempt", BCON_INT64(1));
    assert_int_equal(end_attempt(task, ERR_INVALID, ERR_CODE_SOURCE_CHANGED), TASK_FAILED);
    assert_false(doc_has(made, "$set.untold"));
    assert_string_equal(doc_str(made, "$set.error.code", "?"), "source_changed");
    assert_int_equal(end_attempt(task, ERR_INVALID, 0), TASK_FAILED);
    assert_true(doc_has(made, "$set.untold"));
    assert_string_equal(doc_str(made, "$set.error.code", "?"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_by_itself_holds_and_costs_no_attempt),
        cmocka_unit_test(looks_at_a_busy_source_get_rarer_up_to_a_minute),
        cmocka_unit_test(since_when_it_is_held_stays_until_it_goes_on),
        cmocka_unit_test(a_source_that_changed_is_told_to_nobody),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (made != NULL) {
        bson_destroy(made);
    }
    return failed;
}
