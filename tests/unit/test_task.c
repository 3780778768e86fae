/* States, ids and the pointer that Kafka carries; no server. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/task/task.h"

static void state_names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        enum task_state back;
        assert_int_equal(task_state_parse(task_state_name((enum task_state)i), &back), 0);
        assert_int_equal(back, i);
    }
    enum task_state s;
    assert_int_equal(task_state_parse("finished", &s), -1);
}

static void only_running_tasks_become_done(void **state)
{
    (void)state;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        assert_int_equal(task_may((enum task_state)i, TASK_DONE), i == TASK_RUNNING);
    }
    assert_false(task_may(TASK_PARKED, TASK_RUNNING));
    assert_true(task_may(TASK_DEAD, TASK_READY));
}

static void only_what_does_not_run_is_skipped_and_only_failures_are_ignored(void **state)
{
    (void)state;
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        bool broken = i == TASK_FAILED || i == TASK_DEAD || i == TASK_CANCELLED;
        assert_int_equal(task_may((enum task_state)i, TASK_IGNORED), broken);
        assert_int_equal(task_may((enum task_state)i, TASK_SKIPPED), broken || i == TASK_READY);
    }
    assert_true(task_may(TASK_SKIPPED, TASK_READY));
    assert_true(task_may(TASK_IGNORED, TASK_READY));
    assert_true(task_is_terminal(TASK_IGNORED));
    assert_true(task_is_below("quant", "copy") && task_is_below("remove", "move"));
    assert_false(task_is_below("copy", "quant") || task_is_below("copy", "copy"));
}

static void a_pointer_survives_the_way_through_kafka(void **state)
{
    (void)state;
    struct task_pointer p = {
        .task = "a \"b\"\n%FF.raw/copy", .kind = "copy", .attempt = 3, .fence = 17};
    char *json = task_pointer_encode(&p);
    struct task_pointer q;
    struct err err = {0};
    assert_int_equal(task_pointer_decode(json, strlen(json), &q, &err), 0);
    assert_string_equal(q.task, p.task);
    assert_string_equal(q.kind, p.kind);
    assert_int_equal(q.attempt, 3);
    assert_int_equal(q.fence, 17);
    free(json);
}

static void messages_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "null",
        "{}",
        "{\"v\":2,\"task\":\"a\",\"kind\":\"copy\",\"attempt\":1,\"fence\":1}",
        "{\"v\":1,\"kind\":\"copy\",\"attempt\":1,\"fence\":1}",
        "{\"v\":1,\"task\":\"a\",\"kind\":\"\",\"attempt\":1,\"fence\":1}",
        "{\"v\":1,\"task\":\"a\",\"kind\":\"copy\",\"attempt\":-1,\"fence\":1}",
        "{\"v\":1,\"task\":7,\"kind\":\"copy\",\"attempt\":1,\"fence\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct task_pointer p;
        struct err err = {0};
        assert_int_equal(task_pointer_decode(bad[i], strlen(bad[i]), &p, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
    }
    static char huge[100000];
    memset(huge, ' ', sizeof huge);
    struct task_pointer p;
    struct err err = {0};
    assert_int_equal(task_pointer_decode(huge, sizeof huge, &p, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_names_go_both_ways),
        cmocka_unit_test(only_running_tasks_become_done),
        cmocka_unit_test(only_what_does_not_run_is_skipped_and_only_failures_are_ignored),
        cmocka_unit_test(a_pointer_survives_the_way_through_kafka),
        cmocka_unit_test(messages_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
