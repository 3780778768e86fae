/* Who is due to be moved or removed, and what a document says was backed up. */
#include "test.h"

#include <string.h>

#include "common/db/db.h"
#include "common/raw/backup_record.h"
#include "common/raw/retire.h"

#define DAY INT64_C(86400000)
#define NOW (1000 * DAY)

static bson_t *raw(const char *status, int64_t created)
{
    return BCON_NEW("_id", "a.raw", "instrument_id", "qe1", "backup_status", "copying_done",
                    "instrument_file_status", BCON_UTF8(status), "created_at",
                    BCON_DATE_TIME(created), "copied_at", BCON_DATE_TIME(created + 1000), "size",
                    BCON_INT64(5));
}

static enum retire_verdict judge(const char *status, int64_t age_days, int64_t chosen)
{
    const struct retire_rule rule = {
        .now_ms = NOW, .min_age_days = 14, .wanted_bytes = 100, .recheck_ms = RETIRE_RECHECK_MS};
    AUTO(bson_destroy) bson_t *doc = raw(status, NOW - age_days * DAY);
    return retire_verdict_of(&rule, doc, chosen);
}

static void a_move_is_due_its_delay_after_the_copy(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *doc = raw("initial", NOW);
    assert_int_equal(retire_move_due_ms(doc, 5), NOW + 1000 + 300000);
    assert_int_equal(retire_move_due_ms(doc, 0), NOW + 1000);
    assert_int_equal(retire_move_due_ms(doc, -1), -1);
}

static void what_was_moved_is_not_moved_again(void **state)
{
    (void)state;
    static const char *const status[] = {"moved", "purged", "renamed", "n/a"};
    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        AUTO(bson_destroy) bson_t *doc = raw(status[i], NOW);
        assert_int_equal(retire_move_due_ms(doc, 5), -1);
    }
}

static void a_damaged_backup_is_neither_moved_from_nor_removed(void **state)
{
    (void)state;
    const struct retire_rule rule = {.now_ms = NOW, .wanted_bytes = 100};
    AUTO(bson_destroy) bson_t *moved = raw("moved", NOW - 20 * DAY);
    AUTO(bson_destroy) bson_t *initial = raw("initial", NOW);
    AUTO(bson_destroy) bson_t *sound = raw("moved", NOW - 20 * DAY);
    BCON_APPEND(moved, "backup_damaged", "{", "at", BCON_DATE_TIME(NOW), "}");
    BSON_APPEND_BOOL(initial, "backup_damaged", true);
    BSON_APPEND_BOOL(sound, "backup_damaged", false);
    assert_int_equal(retire_verdict_of(&rule, moved, 0), RETIRE_NO_BACKUP);
    assert_int_equal(retire_move_due_ms(initial, 5), -1);
    assert_int_equal(retire_verdict_of(&rule, sound, 0), RETIRE_GO);
}

static void removal_takes_moved_files_of_the_right_age_until_there_is_room(void **state)
{
    (void)state;
    assert_int_equal(judge("moved", 20, 0), RETIRE_GO);
    assert_int_equal(judge("moved", 20, 99), RETIRE_GO);
    assert_int_equal(judge("moved", 20, 100), RETIRE_ENOUGH);
    assert_int_equal(judge("moved", 13, 0), RETIRE_TOO_YOUNG);
    assert_int_equal(judge("moved", -1, 0), RETIRE_TOO_YOUNG);
    assert_int_equal(judge("moved", 600, 0), RETIRE_GO);
    assert_int_equal(judge("moved", 601, 0), RETIRE_TOO_OLD);
    assert_int_equal(judge("purged", 20, 0), RETIRE_PURGED);
    assert_int_equal(judge("initial", 20, 0), RETIRE_NOT_MOVED);
}

static void a_refused_file_is_left_alone_for_twelve_hours(void **state)
{
    (void)state;
    struct retire_rule rule = {.now_ms = NOW, .wanted_bytes = 1, .recheck_ms = RETIRE_RECHECK_MS};
    AUTO(bson_destroy) bson_t *lately = raw("moved", NOW - 20 * DAY);
    AUTO(bson_destroy) bson_t *long_ago = raw("moved", NOW - 20 * DAY);
    BCON_APPEND(lately, "remove_refused", "{", "at", BCON_DATE_TIME(NOW - DAY / 3), "}");
    BCON_APPEND(long_ago, "remove_refused", "{", "at", BCON_DATE_TIME(NOW - DAY / 2), "}");
    assert_int_equal(retire_verdict_of(&rule, lately, 0), RETIRE_REFUSED);
    assert_int_equal(retire_verdict_of(&rule, long_ago, 0), RETIRE_GO);
    rule.recheck_ms = 0;
    assert_int_equal(retire_verdict_of(&rule, lately, 0), RETIRE_GO);
}

static void room_is_wanted_only_below_the_threshold(void **state)
{
    (void)state;
    assert_int_equal(retire_wanted_bytes(300, 299), INT64_C(1) << 30);
    assert_int_equal(retire_wanted_bytes(300, 300), 0);
    assert_int_equal(retire_wanted_bytes(-1, 0), 0);
    assert_int_equal(retire_wanted_bytes(0, 0), 0);
    assert_int_equal(retire_wanted_bytes(300, -1), 0);
}

static void a_record_knows_its_files_and_names(void **state)
{
    (void)state;
    struct err err = {0};
    struct record r;
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("files", "[", "{", "path", "s.wiff.scan", "size", BCON_INT64(2), "xxh3",
                           "0123456789ABCDEF0123456789abcdef", "}", "{", "path", "s.d/a%FCb",
                           "size", BCON_INT64(3), "xxh3", "0123456789abcdef0123456789abcdef",
                           "sha256", "ab", "}", "]", "watch", "{", "members", "[", "{", "from", "x",
                           "to", "s.wiff", "}", "]", "}");
    assert_int_equal(record_load(&r, NULL, doc, &err), 0);
    assert_int_equal(r.size, 5);
    assert_int_equal(r.n_names, 3);
    assert_string_equal(r.names[0], "s.d");
    const struct record_file *f = record_find(&r, "s.d/a\xfc"
                                                  "b");
    assert_non_null(f);
    assert_int_equal(f->digest, HASH_SHA256);
    assert_null(record_find(&r, "s.wiff"));
    struct rehash_seen seen = {.size = 2};
    memcpy(seen.hex.xxh3, "0123456789abcdef0123456789abcdef", 33);
    assert_true(record_matches(record_find(&r, "s.wiff.scan"), &seen));
    seen.size = 3;
    assert_false(record_matches(record_find(&r, "s.wiff.scan"), &seen));
    assert_false(record_matches(f, &seen)); /* the digest is not equal */
    record_fini(&r);
}

static void a_record_that_leads_outside_or_proves_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *xxh3;
    } bad[] = {{"../a", "00"}, {"/a", "00"},     {"a//b", "00"},
               {"a", ""},      {"a", "no hash"}, {"", "0"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        struct record r;
        AUTO(bson_destroy)
        bson_t *doc = BCON_NEW("files", "[", "{", "path", BCON_UTF8(bad[i].path), "size",
                               BCON_INT64(1), "xxh3", BCON_UTF8(bad[i].xxh3), "}", "]");
        assert_int_equal(record_load(&r, NULL, doc, &err), -1);
        assert_int_equal(err.kind, ERR_INVALID);
        record_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_is_due_its_delay_after_the_copy),
        cmocka_unit_test(what_was_moved_is_not_moved_again),
        cmocka_unit_test(a_damaged_backup_is_neither_moved_from_nor_removed),
        cmocka_unit_test(removal_takes_moved_files_of_the_right_age_until_there_is_room),
        cmocka_unit_test(a_refused_file_is_left_alone_for_twelve_hours),
        cmocka_unit_test(room_is_wanted_only_below_the_threshold),
        cmocka_unit_test(a_record_knows_its_files_and_names),
        cmocka_unit_test(a_record_that_leads_outside_or_proves_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
