/* docs/rules.md, "Which settings apply". */
#include "test.h"

#include <string.h>

#include "common/quant/settings_resolve.h"

static bson_t *settings(const char *id, const char *type)
{
    return BCON_NEW("_id", BCON_UTF8(id), "software_type", BCON_UTF8(type));
}

static bson_t *assign(const char *to, const char *scope, const char *filter, int64_t created)
{
    return BCON_NEW("project", "P1", "settings", BCON_UTF8(to), "scope", BCON_UTF8(scope),
                    "excluded", "[", "bad1", "]", "raw_file_id_filter", BCON_UTF8(filter),
                    "created_at_", BCON_DATE_TIME(created));
}

static const char *winner(bson_t **assignments, size_t n, const char *instrument, const char *file)
{
    bson_t *all[] = {settings("wide", "diann"), settings("vendor", "diann"),
                     settings("exact", "diann"), settings("hela", "diann")};
    struct settings_book b = {.settings = {.items = all, .n = 4},
                              .assignments = {.items = assignments, .n = n}};
    struct resolve_for f = {"P1", instrument, "thermo", file};
    const bson_t *out[RESOLVE_MAX];
    size_t found = resolve(&b, &f, out);
    static char id[32];
    snprintf(id, sizeof id, "%s", found > 0 ? doc_str(out[0], "_id", "") : "none");
    for (size_t i = 0; i < 4; i++) {
        bson_destroy(all[i]);
    }
    assert_true(found <= 1);
    return id;
}

static void the_most_specific_scope_then_the_longest_filter_then_the_earliest_wins(void **state)
{
    (void)state;
    bson_t *a[] = {assign("wide", "*", "", 5), assign("vendor", "thermo", "", 4),
                   assign("exact", "astral1", "", 3), assign("hela", "*", "hela", 2)};
    assert_string_equal(winner(a, 1, "astral1", "x"), "wide");
    assert_string_equal(winner(a, 2, "astral1", "x"), "vendor");
    assert_string_equal(winner(a, 3, "astral1", "x"), "exact");
    assert_string_equal(winner(a, 2, "other", "x"), "vendor");
    assert_string_equal(winner(a, 4, "other", "hela_1"), "vendor");
    assert_string_equal(winner(a, 3, "bad1", "x"), "none");
    assert_string_equal(winner(a + 3, 1, "astral1", "HELA"), "none");
    bson_t *tie[] = {assign("wide", "*", "", 9), assign("vendor", "*", "", 8)};
    assert_string_equal(winner(tie, 2, "astral1", "x"), "vendor");
    for (size_t i = 0; i < 4; i++) {
        bson_destroy(a[i]);
    }
    bson_destroy(tie[0]);
    bson_destroy(tie[1]);
}

static void each_software_type_has_a_winner_of_its_own(void **state)
{
    (void)state;
    bson_t *all[] = {settings("m", "msqc"), settings("d", "diann")};
    bson_t *a[] = {assign("m", "*", "", 1), assign("d", "*", "", 2), assign("gone", "*", "", 3)};
    struct settings_book b = {.settings = {.items = all, .n = 2},
                              .assignments = {.items = a, .n = 3}};
    struct resolve_for f = {"P1", "i", "thermo", "x"};
    const bson_t *out[RESOLVE_MAX];
    assert_int_equal(resolve(&b, &f, out), 2);
    f.project = "P2";
    assert_int_equal(resolve(&b, &f, out), 0);
    for (size_t i = 0; i < 3; i++) {
        bson_destroy(a[i]);
    }
    bson_destroy(all[0]);
    bson_destroy(all[1]);
}

static void
a_project_whose_settings_do_not_apply_falls_back_only_where_the_site_says_so(void **state)
{
    (void)state;
    bson_t *all[] = {settings("qc", "msqc"), settings("lib", "diann")};
    bson_t *a[] = {assign("qc", "*", "", 1), assign("lib", "thermo", "", 2)};
    struct settings_book b = {.settings = {.items = all, .n = 2},
                              .assignments = {.items = a, .n = 2}};
    struct resolve_for f;
    const bson_t *out[RESOLVE_MAX];
    bson_t fallback = BSON_INITIALIZER;
    bson_copy_to_excluding_noinit(a[0], &fallback, "project", NULL);
    BSON_APPEND_UTF8(&fallback, "project", PROJECT_FALLBACK);
    bson_destroy(a[0]);
    a[0] = &fallback;
    AUTO(bson_destroy) bson_t *raw = BCON_NEW("_id", "x", "project_id", "P1", "instrument_id", "i");
    AUTO(bson_destroy) bson_t *none = BCON_NEW("_id", "x", "project_id", "", "instrument_id", "i");
    assert_int_equal(resolve_raw_file(&b, raw, "bruker", &f, out), 0);
    assert_string_equal(f.project, "P1");
    assert_int_equal(resolve_raw_file(&b, none, "bruker", &f, out), 1);
    b.falls_back = true;
    assert_int_equal(resolve_raw_file(&b, raw, "bruker", &f, out), 1);
    assert_ptr_equal(out[0], all[0]);
    assert_string_equal(f.project, PROJECT_FALLBACK);
    assert_int_equal(resolve_raw_file(&b, raw, "thermo", &f, out), 1);
    assert_ptr_equal(out[0], all[1]);
    for (size_t i = 0; i < 2; i++) {
        bson_destroy(all[i]);
        bson_destroy(a[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_scope_then_the_longest_filter_then_the_earliest_wins),
        cmocka_unit_test(each_software_type_has_a_winner_of_its_own),
        cmocka_unit_test(
            a_project_whose_settings_do_not_apply_falls_back_only_where_the_site_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
