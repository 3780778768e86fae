/* Documents that are known by a name, whichever kind of _id they have. */
#include <string.h>

#include "common/db/named.h"
#include "test.h"

#define CHANCE "65f000000000000000000001"

static bson_t *with_oid(const char *hex)
{
    bson_oid_t id;
    bson_oid_init_from_string(&id, hex);
    return BCON_NEW("_id", BCON_OID(&id));
}

static bson_t *reference(const bson_t *to)
{
    bson_t *out = bson_new();
    named_append_ref(out, "settings", to);
    return out;
}

/* Stored ids depend on it: it never changes. */
static void the_object_id_of_a_name_is_the_beginning_of_its_hash(void **state)
{
    (void)state;
    char hex[NAMED_ROOM];
    bson_oid_t id;
    named_oid("msqc-v1", &id);
    bson_oid_to_string(&id, hex);
    assert_string_equal(hex, "7df8f33f3b7628e5559189ba");
}

static void a_document_of_each_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    char buf[NAMED_ROOM];
    AUTO(bson_destroy) bson_t *ours = named_new("human-v2");
    AUTO(bson_destroy) bson_t *older = BCON_NEW("_id", "human-v1");
    AUTO(bson_destroy) bson_t *theirs = with_oid(CHANCE);
    AUTO(bson_destroy) bson_t *odd = BCON_NEW("_id", BCON_INT32(5));
    assert_string_equal(named_name(ours, buf), "human-v2");
    assert_string_equal(named_name(older, buf), "human-v1");
    assert_string_equal(named_name(theirs, buf), CHANCE);
    assert_string_equal(named_name(odd, buf), "");
}

static void a_reference_finds_its_document_before_and_after_the_migration(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *before = BCON_NEW("_id", "human-v2");
    AUTO(bson_destroy) bson_t *after = named_new("human-v2");
    AUTO(bson_destroy) bson_t *other = named_new("human-v3");
    AUTO(bson_destroy) bson_t *theirs = with_oid(CHANCE);
    AUTO(bson_destroy) bson_t *text = BCON_NEW("settings", "human-v2");
    AUTO(bson_destroy) bson_t *oid = reference(before);
    AUTO(bson_destroy) bson_t *chance = reference(theirs);
    const bson_t *const both[] = {text, oid};
    for (size_t i = 0; i < 2; i++) {
        assert_true(named_is_meant(before, both[i], "settings"));
        assert_true(named_is_meant(after, both[i], "settings"));
        assert_false(named_is_meant(other, both[i], "settings"));
        assert_false(named_is_meant(theirs, both[i], "settings"));
    }
    assert_true(named_is_meant(theirs, chance, "settings"));
    assert_false(named_is_meant(after, chance, "settings"));
}

static void what_is_missing_is_never_meant(void **state)
{
    (void)state;
    AUTO(bson_destroy) bson_t *nothing = bson_new();
    AUTO(bson_destroy) bson_t *odd = BCON_NEW("_id", BCON_INT32(5), "settings", BCON_INT32(5));
    AUTO(bson_destroy) bson_t *empty = BCON_NEW("_id", "", "settings", "");
    const bson_t *const all[] = {nothing, odd, empty};
    for (size_t i = 0; i < 9; i++) {
        assert_false(named_is_meant(all[i / 3], all[i % 3], "settings"));
    }
    assert_false(doc_says(empty, "_id", ""));
}

static void of_twins_the_one_with_the_object_id_stays_and_the_order_too(void **state)
{
    (void)state;
    char buf[NAMED_ROOM];
    struct err err = {0};
    struct docs d = {0};
    AUTO(bson_destroy) bson_t *theirs = with_oid(CHANCE);
    AUTO(bson_destroy) bson_t *more = with_oid("65f000000000000000000002");
    AUTO(bson_destroy) bson_t *older = BCON_NEW("_id", "b-v1");
    AUTO(bson_destroy) bson_t *newer = named_new("b-v1");
    AUTO(bson_destroy) bson_t *alone = BCON_NEW("_id", "a-v1");
    const bson_t *const all[] = {theirs, older, alone, newer, more};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(docs_add(&d, all[i], &err), 0);
    }
    named_drop_twins(&d);
    assert_int_equal(d.n, 4);
    assert_string_equal(named_name(d.items[0], buf), CHANCE);
    assert_string_equal(named_name(d.items[1], buf), "a-v1");
    assert_string_equal(named_name(d.items[2], buf), "b-v1");
    assert_string_equal(doc_str(d.items[2], "_id", "no text"), "no text");
    docs_clear(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_object_id_of_a_name_is_the_beginning_of_its_hash),
        cmocka_unit_test(a_document_of_each_kind_has_a_name_of_its_own),
        cmocka_unit_test(a_reference_finds_its_document_before_and_after_the_migration),
        cmocka_unit_test(what_is_missing_is_never_meant),
        cmocka_unit_test(of_twins_the_one_with_the_object_id_stays_and_the_order_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
