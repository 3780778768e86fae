/* What happens to a move meanwhile: others hold a file, write it or take its name; it is cancelled
 * or killed. */
#include "test_move_fixture.h"

/* TalAloni/SMBLibrary#245: a sharing violation is EACCES or EBUSY. */
static void what_others_have_open_holds_the_move(void **state)
{
    (void)state;
    add_member("a.d", "a.d");
    record_file("a.d/sub/x", "one");
    make_raw("a.d", "initial");
    put(w.inst, "a.d/sub/x", "one");
    static const char *const closed[] = {"a.d/sub/x", "a.d/sub", "a.d"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        assert_int_equal(chmod(at(w.inst, closed[i]), 0), 0);
        holds_as_busy(run_kind_as_nobody(&worker_move, "bruker"), "Permission denied");
        assert_int_equal(chmod(at(w.inst, closed[i]), 0755), 0);
    }
    static const int refused[] = {EACCES, EBUSY, ETXTBSY, EPERM, ESTALE, EHOSTDOWN, EAGAIN};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        w.refuse = refused[i];
        holds_as_busy(move(), "rename a.d: ");
    }
    w.refuse = 0;
    moves_as(true, "moved");
}

static void a_cancelled_move_stops_before_the_next_rename(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    w.stop = ERR_CANCELLED;
    w.stop_at = 2; /* the first is for the block that is read */
    struct outcome_seen s = move();
    assert_int_equal(s.err.kind, ERR_CANCELLED);
    assert_text(w.inst, "a.raw", "bytes");
}

static void rewrite_before_the_rename(int n)
{
    if (n == 2) {
        put(w.inst, "a.raw", "BYTES");
    }
}

static void a_source_that_changes_after_it_was_read_is_not_renamed(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    w.on_check = rewrite_before_the_rename;
    struct outcome_seen s = move();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_TRANSIENT);
    assert_text(w.inst, "a.raw", "BYTES");
}

static void appear_before_the_rename(int n)
{
    if (n == 2) {
        put(w.backup, "a.raw", "somebody else's");
    }
}

static void a_target_that_appears_meanwhile_is_not_overwritten(void **state)
{
    (void)state;
    one_file("a.raw", "a.raw", "bytes");
    put(w.inst, "a.raw", "bytes");
    w.on_check = appear_before_the_rename;
    struct outcome_seen s = move();
    assert_int_equal(s.rc, -1);
    assert_int_equal(s.err.kind, ERR_TRANSIENT);
    assert_text(w.backup, "a.raw", "somebody else's");
    assert_text(w.inst, "a.raw", "bytes");
}

static void run_to_the_end(void)
{
    struct outcome_seen s = move();
    if (s.rc != 0) {
        fprintf(stderr, "%s\n", s.err.msg);
        _exit(1);
    }
    seen_free(&s);
}

/* Or, on a share, one file with both names. */
static void assert_whole_at_one_place(const char *name)
{
    const struct fs_name from = {AT_FDCWD, at(w.inst, name)}, to = {AT_FDCWD, at(w.backup, name)};
    assert_true(there(w.inst, name) != there(w.backup, name) || fs_same_file(&from, &to));
}

static void killed_before_any_change_the_next_attempt_ends_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"s.wiff", "s.wiff.scan", "s.wiff2"};
    for (size_t i = 0; i < 3; i++) {
        add_member(names[i], names[i]);
        record_file(names[i], names[i]);
    }
    make_raw("s.wiff", "initial");
    int deaths = 0;
    for (bool died = true; died;) {
        for (size_t i = 0; i < 3; i++) {
            remove(at(w.backup, names[i]));
            put(w.inst, names[i], names[i]);
        }
        died = dies_at(++deaths, run_to_the_end);
        for (size_t i = 0; i < 3; i++) {
            assert_whole_at_one_place(names[i]);
        }
        bool moved = there(w.backup, names[0]), left = there(w.inst, names[0]);
        moves_as(true, moved && left ? "duplicate" : left ? "moved" : "already");
        for (size_t i = 0; i < 3; i++) {
            assert_text(w.backup, names[i], names[i]);
            assert_false(there(w.inst, names[i]));
        }
    }
    assert_true(deaths > 8); /* renames and flushes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(what_others_have_open_holds_the_move),
        WORLD(a_cancelled_move_stops_before_the_next_rename),
        WORLD(a_source_that_changes_after_it_was_read_is_not_renamed),
        WORLD(a_target_that_appears_meanwhile_is_not_overwritten),
        WORLD(killed_before_any_change_the_next_attempt_ends_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
