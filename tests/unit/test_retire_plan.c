/* What the scheduler notes about originals that leave the instrument. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "common/db/db.h"
#include "common/raw/members.h"
#include "scheduler/plan/outcome.h"

struct given {
    const char *status, *mark; /* instrument_file_status, retire */
    const char *move, *remove; /* states; NULL: no task */
    const char *result;        /* the field that is true in the result of those that are done */
    bool fresh;                /* the copy's result has not been taken over yet */
};

static bson_t *task(const char *state, const char *result)
{
    return state == NULL
               ? NULL
               : BCON_NEW("state", BCON_UTF8(state), "result", "{",
                          result != NULL ? result : "skipped", BCON_BOOL(result != NULL), "}",
                          "error", "{", "msg", "a.raw: it is not in the record", "}");
}

static struct outcome of(const struct given *g)
{
    bson_t *rf = BCON_NEW("_id", "a.raw", "instrument_id", "qe1", "original_name", "a.raw",
                          "status", "done", "instrument_file_status", BCON_UTF8(g->status), "watch",
                          "{", "members", "[", "{", "from", "a.raw", "}", "]", "}");
    if (g->mark != NULL) {
        BSON_APPEND_UTF8(rf, "retire", g->mark);
    }
    if (!g->fresh) {
        BCON_APPEND(rf, "backup_base_path", "x");
    }
    bson_t *copy = task("done", NULL);
    bson_t *move = task(g->move, g->result);
    bson_t *removal = task(g->remove, g->result);
    struct outcome_tasks tasks = {.copy = copy, .move = move, .remove = removal};
    static struct outcome o;
    static char kept[200];
    outcome_of(rf, &tasks, NULL, false, &o);
    if (o.kept != NULL) { /* it is borrowed from a document that goes */
        snprintf(kept, sizeof kept, "%s", o.kept);
        o.kept = kept;
    }
    bson_destroy(rf);
    bson_destroy(copy);
    if (move != NULL) {
        bson_destroy(move);
    }
    if (removal != NULL) {
        bson_destroy(removal);
    }
    return o;
}

static void a_fresh_copy_waits_for_its_move(void **state)
{
    (void)state;
    struct outcome o = of(&(struct given){.status = "initial", .fresh = true});
    assert_true(o.remark);
    assert_string_equal(o.retire, "move qe1");
    o = of(&(struct given){.status = "initial"});
    assert_false(o.remark);
}

static void an_open_move_is_marked_and_leaves_the_raw_file_settled(void **state)
{
    (void)state;
    static const char *const states[] = {"ready", "admitted", "running"};
    for (size_t i = 0; i < 3; i++) {
        struct outcome o = of(&(struct given){
            .status = "initial", .mark = "move qe1", .move = states[i], .result = "moved"});
        assert_string_equal(o.retire, "moving");
        assert_true(o.ended);
        assert_null(o.instrument_file_status);
    }
}

static void a_move_that_was_done_is_noted_with_and_without_its_mark(void **state)
{
    (void)state;
    static const char *const marks[] = {"moving", NULL};
    for (size_t i = 0; i < 2; i++) {
        struct outcome o = of(&(struct given){
            .status = "initial", .mark = marks[i], .move = "done", .result = "moved"});
        assert_string_equal(o.instrument_file_status, "moved");
        assert_string_equal(o.retire, "");
    }
}

static void what_was_skipped_or_failed_is_not_noted_as_moved(void **state)
{
    (void)state;
    static const char *const states[] = {"done", "failed", "dead", "cancelled"};
    for (size_t i = 0; i < 4; i++) {
        struct outcome o =
            of(&(struct given){.status = "initial", .mark = "moving", .move = states[i]});
        assert_null(o.instrument_file_status);
        assert_true(o.remark);
        assert_string_equal(o.retire, "");
        assert_string_equal(raw_status_names[o.status],
                            "done_not_quanted"); /* no error of the raw file */
    }
}

static void a_removal_that_was_done_is_noted_as_purged(void **state)
{
    (void)state;
    struct outcome o = of(&(struct given){.status = "moved",
                                          .mark = "removing",
                                          .move = "done",
                                          .remove = "done",
                                          .result = "purged"});
    assert_string_equal(o.instrument_file_status, "purged");
    assert_string_equal(o.retire, "");
    assert_null(o.kept);
}

static void a_removal_that_was_refused_or_skipped_is_noted_with_its_reason(void **state)
{
    (void)state;
    struct outcome o = of(
        &(struct given){.status = "moved", .mark = "removing", .move = "done", .remove = "failed"});
    assert_null(o.instrument_file_status);
    assert_non_null(strstr(o.kept, "not in the record"));
    o = of(&(struct given){.status = "moved", .mark = "removing", .remove = "cancelled"});
    assert_string_equal(o.kept, "cancelled by an operator");
    o = of(&(struct given){.status = "moved", .remove = "failed"}); /* noted before */
    assert_null(o.kept);
}

static void what_is_purged_stays_purged(void **state)
{
    (void)state;
    struct outcome o = of(&(struct given){.status = "purged", .move = "done", .result = "moved"});
    assert_string_equal(o.instrument_file_status, "purged");
}

static void a_mark_without_its_task_is_dropped(void **state)
{
    (void)state;
    struct outcome o = of(&(struct given){.status = "moved", .mark = "removing"});
    assert_true(o.remark);
    assert_string_equal(o.retire, "");
    assert_string_equal(o.kept, "its task is gone");
}

static void a_raw_file_that_was_here_before_us_keeps_its_status(void **state)
{
    (void)state;
    bson_t *rf = BCON_NEW("_id", "old.raw", "status", "done", "instrument_file_status", "moved",
                          "retire", "removing");
    bson_t *removal = task("done", "purged");
    struct outcome_tasks tasks = {.remove = removal};
    struct outcome o;
    outcome_of(rf, &tasks, NULL, false, &o);
    assert_string_equal(raw_status_names[o.status], "done");
    assert_string_equal(o.instrument_file_status, "purged");
    assert_true(o.ended);
    bson_destroy(rf);
    bson_destroy(removal);
}

static void what_moving_makes_is_no_raw_file(void **state)
{
    (void)state;
    char all[] = "*";
    struct instrument g = {.type = INSTRUMENT_GENERIC, .glob = all};
    struct instrument s = {.type = INSTRUMENT_SCIEX};
    assert_true(members_is_raw_file(&g, "a.mzML"));
    assert_false(members_is_raw_file(&g, "Backup"));
    assert_false(members_is_raw_file(&g, "a.mzML.deleteme"));
    const struct members_rule rule = {.instrument = &s};
    struct members m = {0};
    struct err err = {0};
    assert_int_equal(members_add(&m, &rule, "s.wiff", "s.wiff.scan", &err), 0);
    assert_int_equal(members_add(&m, &rule, "s.wiff", "s.wiff.deleteme", &err), 0);
    assert_int_equal(m.n, 1);
    members_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_copy_waits_for_its_move),
        cmocka_unit_test(an_open_move_is_marked_and_leaves_the_raw_file_settled),
        cmocka_unit_test(a_move_that_was_done_is_noted_with_and_without_its_mark),
        cmocka_unit_test(what_was_skipped_or_failed_is_not_noted_as_moved),
        cmocka_unit_test(a_removal_that_was_done_is_noted_as_purged),
        cmocka_unit_test(a_removal_that_was_refused_or_skipped_is_noted_with_its_reason),
        cmocka_unit_test(what_is_purged_stays_purged),
        cmocka_unit_test(a_mark_without_its_task_is_dropped),
        cmocka_unit_test(a_raw_file_that_was_here_before_us_keeps_its_status),
        cmocka_unit_test(what_moving_makes_is_no_raw_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
