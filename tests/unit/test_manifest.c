/* test_manifest.c - the lines of a manifest, as the tools write them and as they should not be. */
#include "common/raw/manifest.h"

#include <string.h>

#include "test.h"

#define XXH "06b05ab6733a618578af5f94892f3950"
#define MD5 "900150983cd24fb0d6963f7d28e17f72"

static int parse(const char *text, struct manifest *m, struct err *err)
{
    *err = (struct err){0};
    return manifest_parse(text, strlen(text), m, err);
}

static void lines_of_all_tools_are_read(void **state)
{
    (void)state;
    struct manifest m;
    struct err err;
    assert_int_equal(parse(XXH "  x.d/b c\n"                            /* plain */
                           XXH "  x.d/back\\slash\n"                    /* xxhsum escapes none */
                               "\\" MD5 "  x.d/a\\\\b\\nc\\rd\n"        /* md5sum escapes these */
                           MD5 " *x.d/binary\n"                         /* md5sum -b */
                               "ABCDEF983cd24fb0d6963f7d28e17f72  ./-", /* no newline at the end */
                           &m, &err),
                     0);
    assert_int_equal(m.n, 5);
    assert_string_equal(manifest_find(&m, "x.d/b c"), XXH);
    assert_string_equal(manifest_find(&m, "x.d/back\\slash"), XXH);
    assert_string_equal(manifest_find(&m, "x.d/a\\b\nc\rd"), MD5);
    assert_string_equal(manifest_find(&m, "x.d/binary"), MD5);
    assert_string_equal(manifest_find(&m, "-"), "abcdef983cd24fb0d6963f7d28e17f72");
    assert_null(manifest_find(&m, "x.d"));
    manifest_fini(&m);
    assert_int_equal(parse("", &m, &err), 0);
    assert_int_equal(m.n, 0);
    manifest_fini(&m);
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x\n",
        "\n",
        XXH "\n",
        XXH " \n",
        XXH "  \n",
        XXH " a\n",
        "abc  a\n",
        XXH XXH "00  a\n",
        "\\" XXH "  a\\tb\n",
        "\\" XXH "  a\\\n",
        "\\",
        XXH "  a\n" XXH,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct manifest m;
        struct err err;
        if (parse(bad[i], &m, &err) != -1 || err.kind != ERR_INVALID) {
            fail_msg("'%s' was read", bad[i]);
        }
        manifest_fini(&m);
    }
    struct manifest m;
    struct err err = {0};
    assert_int_equal(manifest_parse(XXH "  a\0b\n", sizeof XXH "  a\0b\n" - 1, &m, &err), -1);
    manifest_fini(&m);
}

static void a_long_id_is_named_by_its_hash(void **state)
{
    (void)state;
    char name[MANIFEST_NAME_ROOM], id[256], other[MANIFEST_NAME_ROOM];
    manifest_name("a.raw", "xxh3", name);
    assert_string_equal(name, ".a.raw.MANIFEST.xxh3");
    memset(id, 'x', 255);
    id[255] = '\0';
    manifest_name(id, "sha256", name);
    id[254] = 'y';
    manifest_name(id, "sha256", other);
    assert_true(strlen(name) < 64);
    assert_string_not_equal(name, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_all_tools_are_read),
        cmocka_unit_test(other_lines_are_refused),
        cmocka_unit_test(a_long_id_is_named_by_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
