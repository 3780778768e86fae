/* The order of an action and its entry, with a database that only remembers what it was told. */
#include "test.h"

#include <string.h>

#include "common/task/audit.h"

static struct {
    char story[200];           /* "insert run update" */
    char state[32], error[64]; /* of the entry, as it was written last */
    bool insert_fails, update_fails;
} world;

static void tell(const char *what)
{
    size_t used = strlen(world.story);
    snprintf(world.story + used, sizeof world.story - used, "%s%s", used > 0 ? " " : "", what);
}

int db_insert(struct db *db, const char *coll, const bson_t *doc, bool *inserted, struct err *err)
{
    (void)db;
    assert_string_equal(coll, DB_AUDIT);
    tell("insert");
    if (world.insert_fails) {
        return ERR(err, ERR_TRANSIENT, 0, "away");
    }
    snprintf(world.state, sizeof world.state, "%s", doc_str(doc, "state", "?"));
    assert_string_equal(doc_str(doc, "who", ""), "kim");
    assert_string_equal(doc_str(doc, "host", ""), "lab-3");
    assert_string_equal(doc_str(doc, "why", ""), "disks");
    assert_int_equal(doc_i64(doc, "before.slots", -1), 3);
    *inserted = true;
    return 0;
}

int db_update(struct db *db, const char *coll, const bson_t *filter, const bson_t *update,
              bool *won, struct err *err)
{
    (void)db;
    assert_string_equal(coll, DB_AUDIT);
    assert_true(doc_str(filter, "_id", "")[0] != '\0');
    tell("update");
    if (world.update_fails) {
        return ERR(err, ERR_TRANSIENT, 0, "away");
    }
    snprintf(world.state, sizeof world.state, "%s", doc_str(update, "$set.state", "?"));
    snprintf(world.error, sizeof world.error, "%s", doc_str(update, "$set.error", ""));
    *won = true;
    return 0;
}

struct deed {
    bool wins;
    enum err_kind fails;
};

static int run(void *ctx, bool *won, bson_t *after, struct err *err)
{
    const struct deed *d = ctx;
    tell("run");
    assert_string_equal(world.state, AUDIT_INTENDED); /* it is written before anything happens */
    *won = d->wins;
    BSON_APPEND_INT64(after, "slots", 0);
    return d->fails == ERR_NONE ? 0 : ERR(err, d->fails, 0, "no");
}

static int make(struct deed d, bool *won, struct err *err)
{
    AUTO(bson_destroy) bson_t *before = BCON_NEW("slots", BCON_INT64(3));
    const struct audit_act act = {.verb = "pool set",
                                  .target = "index",
                                  .by = "kim@lab-3",
                                  .why = "disks",
                                  .before = before,
                                  .run = run,
                                  .ctx = &d};
    *err = (struct err){0};
    world.story[0] = '\0';
    return audit_make((struct db *)&world, &act, won, err);
}

static void the_entry_comes_first_and_is_completed_last(void **state)
{
    (void)state;
    struct err err;
    bool won;
    assert_int_equal(make((struct deed){.wins = true}, &won, &err), 0);
    assert_true(won);
    assert_string_equal(world.story, "insert run update");
    assert_string_equal(world.state, AUDIT_DONE);
    assert_int_equal(make((struct deed){.wins = false}, &won, &err), 0);
    assert_false(won);
    assert_string_equal(world.state, AUDIT_REFUSED);
}

static void nothing_is_done_without_an_entry(void **state)
{
    (void)state;
    struct err err;
    bool won;
    world.insert_fails = true;
    assert_int_equal(make((struct deed){.wins = true}, &won, &err), -1);
    world.insert_fails = false;
    assert_false(won);
    assert_string_equal(world.story, "insert");
    assert_non_null(strstr(err.msg, "nothing was changed"));
}

static void an_action_that_may_have_been_made_stays_intended(void **state)
{
    (void)state;
    struct err err;
    bool won;
    assert_int_equal(make((struct deed){.fails = ERR_TRANSIENT}, &won, &err), -1);
    assert_string_equal(world.state, AUDIT_INTENDED);
    assert_string_equal(world.error, "no");
    assert_int_equal(make((struct deed){.fails = ERR_INVALID}, &won, &err), -1);
    assert_string_equal(world.state, AUDIT_REFUSED);
    assert_int_equal(err.kind, ERR_INVALID);
    world.update_fails = true;
    assert_int_equal(make((struct deed){.wins = true}, &won, &err), -1);
    world.update_fails = false;
    assert_true(won);
    assert_string_equal(world.state, AUDIT_INTENDED);
    assert_non_null(strstr(err.msg, "the change was made"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entry_comes_first_and_is_completed_last),
        cmocka_unit_test(nothing_is_done_without_an_entry),
        cmocka_unit_test(an_action_that_may_have_been_made_stays_intended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
