/* test_move_fixture.h - the world of test_retire_fixture.h with the kind "move" in it. */
#ifndef TESTS_UNIT_TEST_MOVE_FIXTURE_H
#define TESTS_UNIT_TEST_MOVE_FIXTURE_H
#include "test_retire_fixture.h"

#include "common/db/db.h"

extern const struct worker_kind worker_move;

SPARE struct outcome_seen move(void)
{
    test_settle(w.inst);
    return run_kind(&worker_move, "thermo");
}

SPARE void moves_as(bool moved, const char *action)
{
    struct outcome_seen s = move();
    if (s.rc != 0) {
        fail_msg("%s", s.err.msg);
    }
    assert_int_equal(doc_bool(s.result, "moved", !moved), moved);
    assert_string_equal(doc_str(s.result, "members.0.action", ""), action);
    seen_free(&s);
}

/* One Thermo file that is backed up. */
SPARE void one_file(const char *from, const char *to, const char *text)
{
    add_member(from, to);
    record_file(to, text);
    make_raw(to, "initial");
}
#endif
