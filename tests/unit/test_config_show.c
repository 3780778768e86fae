/*
 * What people see of the configuration. TRAWL_TEST_REGENERATE=1 writes the files in config/ anew
 * instead of comparing them.
 */
#include <jansson.h>

#include "common/base/fs.h"
#include "common/config/config_keys.h"
#include "config_scratch.h"

static bool regenerate;

static void check_masked(const char *uri, const char *expected)
{
    setenv("TRAWL_MONGO_URI", uri, 1);
    struct config *c = load();
    for (int json = 0; json < 2; json++) {
        char *text = shown(c, false, json != 0);
        if (strstr(text, expected) == NULL) {
            fail_msg("no '%s' in\n%s", expected, text);
        }
        assert_null(strstr(text, "secret"));
        free(text);
    }
    config_free(c);
}

static void passwords_are_never_shown(void **state)
{
    (void)state;
    check_masked("mongodb://me:secret@db:1/x", "mongodb://me:***@db:1/x");
    check_masked("mongodb://me:s@secret@db/x", "mongodb://me:***@db/x");
    check_masked("mongodb://me:@db/x", "mongodb://me:***@db/x");
    check_masked("mongodb://me@db:1/x", "mongodb://me@db:1/x");
    check_masked("mongodb://db:1/?tls=true", "mongodb://db:1/?tls=true");
    check_masked("me:secret@db", "me:***@db");
    check_masked("mongodb://a:secret@b/?tlscertificatekeyfilepassword=secret&x=1",
                 "mongodb://a:***@b/?tlscertificatekeyfilepassword=***&x=1");
    check_masked("mongodb://b/?authMechanismProperties=AWS_SESSION_TOKEN:secret",
                 "authMechanismProperties=***");
    setenv("TRAWL_MONGO_URI", "mongodb://me:secret\x01@db", 1);
    struct err err = {0};
    assert_null(config_load(dir, &err));
    assert_null(strstr(err.msg, "secret"));
}

static void show_tells_where_each_value_came_from(void **state)
{
    (void)state;
    char expected[160];
    put("trawl.ini", "[copy]\nthreads = 3\n");
    put("x.ini", "[copy]\n\nstreams = 6\n[trawl]\nenv = x\n");
    setenv("ENV", "x", 1);
    setenv("TRAWL_COPY_CHUNK_MIB", "9", 1);
    struct config *c = load();
    char *text = shown(c, true, false);
    snprintf(expected, sizeof expected, "\nthreads = 3  ; %s/trawl.ini:2\n", dir);
    assert_non_null(strstr(text, expected));
    snprintf(expected, sizeof expected, "\nstreams = 6  ; %s/x.ini:3\n", dir);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "\nchunk_mib = 9  ; environment TRAWL_COPY_CHUNK_MIB\n"));
    assert_non_null(strstr(text, "env = x  ; environment ENV\n"));
    assert_non_null(strstr(text, "\ndigest = none  ; default\n"));
    free(text);
    config_free(c);
}

static void what_is_shown_can_be_loaded_again(void **state)
{
    (void)state;
    setenv("TRAWL_SSH_USER", "somebody", 1);
    setenv("TRAWL_RETRY_MAX_MS", "12345", 1);
    struct config *c = load();
    char *first = shown(c, false, false);
    char *with_origin = shown(c, true, false);
    config_free(c);
    clear_environment();
    put("trawl.ini", with_origin);
    c = load();
    char *second = shown(c, false, false);
    assert_string_equal(first, second);
    config_free(c);
    free(first);
    free(with_origin);
    free(second);
}

static void json_has_types_and_origins(void **state)
{
    (void)state;
    setenv("TRAWL_SSH_USER", "\xff", 1);
    struct config *c = load();
    char *text = shown(c, true, true);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    const char *env;
    json_int_t threads;
    int readback;
    const char *origin, *user;
    assert_int_equal(json_unpack(o, "{s:{s:{s:s}}, s:{s:{s:I,s:s}, s:{s:b}}, s:{s:{s:s}}}", "trawl",
                                 "env", "value", &env, "copy", "threads", "value", &threads,
                                 "origin", &origin, "readback", "value", &readback, "ssh", "user",
                                 "value", &user),
                     0);
    assert_string_equal(env, "local");
    assert_int_equal(threads, 2);
    assert_string_equal(origin, "default");
    assert_true(readback);
    assert_string_equal(user, "%FF");
    json_decref(o);
    free(text);
    config_free(c);
}

static void pools_have_their_starting_sizes(void **state)
{
    (void)state;
    struct config *c = load();
    assert_int_equal(config_pool_default(c, "file_copy"), 3);
    assert_int_equal(config_pool_default(c, "cluster_slots"), 30);
    assert_int_equal(config_pool_default(c, "index"), 4);
    assert_int_equal(config_pool_default(c, "file_move"), 2);
    assert_int_equal(config_pool_default(c, "file_remove"), 1);
    assert_int_equal(config_pool_default(c, "s3_upload"), 2);
    assert_int_equal(config_pool_default(c, "swimming"), -1);
    config_free(c);
}

static void check_table(const struct config_keys *keys)
{
    for (size_t a = 0; a < keys->n; a++) {
        const struct config_key *k = &keys->at[a];
        char name[CONFIG_VARIABLE_MAX], other[CONFIG_VARIABLE_MAX];
        config_variable(k, name);
        assert_true(k->help[strlen(k->help) - 1] == '.');
        assert_true(k->min <= k->max);
        for (size_t b = 0; b < a; b++) {
            config_variable(&keys->at[b], other);
            assert_string_not_equal(name, other);
            assert_int_not_equal(k->offset, keys->at[b].offset);
        }
    }
}

static void every_key_has_its_own_field_variable_and_help(void **state)
{
    (void)state;
    check_table(&config_keys);
    check_table(&instrument_keys);
}

static void compare_with(const char *file, void (*template)(FILE *))
{
    char path[512];
    char *text = NULL;
    size_t len;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/config/%s", TEST_SOURCE_DIR, file);
    FILE *f = open_memstream(&text, &len);
    template(f);
    fclose(f);
    if (regenerate) {
        assert_int_equal(fs_write(path, text, len, &err), 0);
    }
    char *there = fs_read(path, 1 << 20, NULL, &err);
    if (there == NULL || strcmp(there, text) != 0) {
        fail_msg("config/%s is old: run this test with TRAWL_TEST_REGENERATE=1", file);
    }
    free(there);
    free(text);
}

static void the_files_in_config_are_what_the_tables_say(void **state)
{
    (void)state;
    compare_with("trawl.ini", config_template);
    compare_with("instruments.d/example.ini.sample", instrument_template);
}

/* The template without its comment signs sets every key to its default. */
static void the_template_uncommented_changes_nothing(void **state)
{
    (void)state;
    struct config *c = load();
    char *before = shown(c, false, false);
    config_free(c);
    char *text = NULL, *out;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    config_template(f);
    fclose(f);
    for (char *in = out = text; *in != '\0'; in++) {
        bool is_sign = *in == '#' && in[1] != ' ';
        if (!is_sign) {
            *out++ = *in;
        }
    }
    *out = '\0';
    put("trawl.ini", text);
    c = load();
    char *after = shown(c, false, false);
    assert_string_equal(before, after);
    config_free(c);
    free(text);
    free(before);
    free(after);
}

int main(void)
{
    const char *wish = getenv("TRAWL_TEST_REGENERATE");
    regenerate = wish != NULL && strcmp(wish, "1") == 0;
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(passwords_are_never_shown),
        SCRATCH_TEST(show_tells_where_each_value_came_from),
        SCRATCH_TEST(what_is_shown_can_be_loaded_again),
        SCRATCH_TEST(json_has_types_and_origins),
        SCRATCH_TEST(pools_have_their_starting_sizes),
        SCRATCH_TEST(every_key_has_its_own_field_variable_and_help),
        SCRATCH_TEST(the_files_in_config_are_what_the_tables_say),
        SCRATCH_TEST(the_template_uncommented_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
