/*
 * The layers of the configuration, and what is refused with which words.
 */
#include "config_scratch.h"

static void without_files_the_defaults_hold(void **state)
{
    (void)state;
    struct config *c = load();
    assert_string_equal(c->trawl.env, "local");
    assert_string_equal(c->mongo.uri, "mongodb://127.0.0.1:27017");
    assert_int_equal(c->mongo.timeout_ms, 5000);
    assert_int_equal(c->worker.lease_ms, 30000);
    assert_string_equal(c->copy.digest, "none");
    assert_true(c->copy.readback && c->quant.seed);
    assert_string_equal(c->location.backup.worker, "");
    assert_int_equal(c->slurm.partition[0], '\0');
    char expected[128];
    snprintf(expected, sizeof expected, "%s/instruments.d", dir);
    assert_string_equal(c->scheduler.instruments_dir, expected);
    config_free(c);
    config_free(NULL);
}

static void later_layers_win(void **state)
{
    (void)state;
    put("trawl.ini", "[copy]\nthreads = 3\nstreams = 5\nchunk_mib = 7\n");
    put("sandbox.ini", "[copy]\nstreams = 6\nchunk_mib = 8\n");
    setenv("ENV", "sandbox", 1);
    setenv("TRAWL_COPY_CHUNK_MIB", "9", 1);
    struct config *c = load();
    assert_int_equal(c->copy.threads, 3);
    assert_int_equal(c->copy.streams, 6);
    assert_int_equal(c->copy.chunk_mib, 9);
    assert_string_equal(c->trawl.env, "sandbox");
    config_free(c);
}

static void dots_of_a_section_are_underscores_in_its_variables(void **state)
{
    (void)state;
    setenv("TRAWL_LOCATION_BACKUP_WORKER", "/pool/backup", 1);
    struct config *c = load();
    assert_string_equal(c->location.backup.worker, "/pool/backup");
    assert_string_equal(config_cluster_path(&c->location.backup), "/pool/backup");
    config_free(c);
    setenv("TRAWL_LOCATION_BACKUP_CLUSTER", "/gpfs/backup", 1);
    c = load();
    assert_string_equal(config_cluster_path(&c->location.backup), "/gpfs/backup");
    config_free(c);
}

static void our_own_variable_beats_env_and_the_file(void **state)
{
    (void)state;
    put("trawl.ini", "[trawl]\nenv = one\n");
    put("three.ini", "[copy]\nthreads = 33\n");
    struct config *c = load();
    assert_string_equal(c->trawl.env, "one");
    config_free(c);
    setenv("ENV", "two", 1);
    c = load();
    assert_string_equal(c->trawl.env, "two");
    config_free(c);
    setenv("TRAWL_TRAWL_ENV", "three", 1);
    c = load();
    assert_string_equal(c->trawl.env, "three");
    assert_int_equal(c->copy.threads, 33);
    config_free(c);
}

static void names_of_environments_are_checked(void **state)
{
    (void)state;
    setenv("ENV", "../x", 1);
    refused("environment ENV: '../x' is no name of an environment");
    setenv("TRAWL_TRAWL_ENV", "Production", 1);
    refused("environment TRAWL_TRAWL_ENV: 'Production'");
    setenv("TRAWL_TRAWL_ENV", "123456789012345678901234567890123", 1);
    refused("1 to 32");
    setenv("TRAWL_TRAWL_ENV", "trawl", 1);
    refused("cannot have the name");
    clear_environment();
    put("trawl.ini", "[trawl]\nenv =\n");
    refused("trawl.ini: trawl.env: ''");
}

static void the_file_of_an_environment_cannot_name_another(void **state)
{
    (void)state;
    put("sandbox.ini", "[copy]\nthreads = 4\n[trawl]\nenv = production\n");
    setenv("ENV", "sandbox", 1);
    refused("sandbox.ini:4: trawl.env");
}

static void an_unknown_key_is_refused_with_file_line_and_the_nearest(void **state)
{
    (void)state;
    char expected[160];
    put("trawl.ini", "; a comment\n[mongo]\nurl = x\n");
    snprintf(expected, sizeof expected,
             "%s/trawl.ini:3: unknown key mongo.url; did you mean mongo.uri?", dir);
    refused(expected);
    put("trawl.ini", "[mongo]\nbrokers = x\n");
    refused("trawl.ini:2: unknown key mongo.brokers; did you mean kafka.brokers?");
    put("trawl.ini", "[nothing]\nlike_it = x\n");
    refused("trawl.ini:2: unknown key nothing.like_it");
    put("trawl.ini", "uri = x\n");
    refused("trawl.ini:1: key 'uri' comes before any [section]");
    put("trawl.ini", "[mongo]\n\x1b[2J = x\n");
    refused("unknown key mongo.%1B[2J");
}

static void an_unknown_variable_of_our_sections_is_refused(void **state)
{
    (void)state;
    setenv("TRAWL_MONGO_URL", "x", 1);
    refused("environment TRAWL_MONGO_URL: no such key; did you mean TRAWL_MONGO_URI?");
    clear_environment();
    setenv("TRAWL_COPY_SOMETHING_ELSE", "x", 1);
    refused("environment TRAWL_COPY_SOMETHING_ELSE: no such key");
    clear_environment();
    setenv("TRAWL_MONGE_URI", "x", 1);
    refused("did you mean TRAWL_MONGO_URI?");
}

static void variables_of_the_scripts_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {
        "TRAWL_LOCAL_DIR",   "TRAWL_PORT_BASE", "TRAWL_JAVA_DIR", "TRAWL_TEST_MONGO_URI",
        "TRAWL_SLURM_EXTRA", "TRAWL_SOMETHING", "TRAWL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv(names[i], "anything", 1);
    }
    config_free(load());
}

static void bad_values_are_refused_with_file_line_and_reason(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"[copy]\nthreads = many\n", "trawl.ini:2: copy.threads: 'many' is no whole number"},
        {"[copy]\n\nthreads = 0\n", "trawl.ini:3: copy.threads: '0' is no whole number from 1 to"},
        {"[copy]\nthreads = 65\n", "copy.threads: '65'"},
        {"[copy]\nthreads = 3x\n", "'3x'"},
        {"[copy]\nthreads = 0x10\n", "'0x10'"},
        {"[copy]\nthreads =\n", "copy.threads: ''"},
        {"[copy]\nthreads = 99999999999999999999\n", "copy.threads"},
        {"[copy]\nreadback = maybe\n", "'maybe' is neither true nor false"},
        {"[copy]\ndigest = sha1\n", "copy.digest: 'sha1' is none of: none md5 sha256"},
        {"[log]\nlevel = info warn\n", "log.level"},
        {"[mongo]\nuri =\n", "mongo.uri: must not be empty"},
        {"[location.backup]\nworker = pool\n",
         "location.backup.worker: 'pool' is no absolute path"},
        {"[copy]\nthreads = 3\nthreads = 4\n",
         "trawl.ini:3: copy.threads is set twice, first in line 2"},
        {"[slurm]\naccount = a\x01\n", "control character"},
        {"[copy]\njust words\n", "trawl.ini:2: neither [section] nor key = value"},
        {"[copy\nthreads = 3\n", "trawl.ini:1: neither"},
        {"[copy] threads = 3\n", "trawl.ini:1: there is text behind [section]"},
        {"[retry]\nbase_ms = 10\nmax_ms = 5\n", "retry.base_ms (10) is above retry.max_ms (5)"},
        {"[location.backup]\nlimit = 08-18\n", "location.backup.limit: '08-18' is no limit"},
        {"[worker]\nheartbeat_ms = 20000\n", "worker.lease_ms (30000) is below 3 times"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("trawl.ini", bad[i].text);
        refused(bad[i].message);
    }
    unlink(put("trawl.ini", ""));
    setenv("TRAWL_COPY_THREADS", "-1", 1);
    refused("environment TRAWL_COPY_THREADS: '-1' is no whole number");
}

static void blanks_comments_and_an_indented_key_are_fine(void **state)
{
    (void)state;
    put("trawl.ini", "\xef\xbb\xbf# first\r\n[ssh]\r\n  user = me  ; who\r\n\thosts = a:1, b:2\r\n"
                     "\n; last\n[copy]\nreadback: no");
    struct config *c = load();
    assert_string_equal(c->ssh.user, "me");
    assert_string_equal(c->ssh.hosts, "a:1, b:2");
    assert_false(c->copy.readback);
    config_free(c);
}

/* A line of len bytes: "user = " and one letter many times. */
static void put_line_of(size_t len)
{
    char text[400] = "[ssh]\nuser = ";
    size_t head = strlen(text);
    memset(text + head, 'x', len - strlen("user = "));
    put("trawl.ini", text);
}

static void a_line_is_at_most_199_bytes_long(void **state)
{
    (void)state;
    put_line_of(199);
    struct config *c = load();
    assert_int_equal(strlen(c->ssh.user), 199 - strlen("user = "));
    config_free(c);
    put_line_of(200);
    refused("trawl.ini:2: the line is longer than 199 bytes");
}

static void a_comment_may_be_long(void **state)
{
    (void)state;
    char text[1000] = "";
    memset(text, '#', sizeof text - 1);
    put("trawl.ini", text);
    config_free(load());
}

static void a_named_folder_must_be_there(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(config_load("/nowhere/at/all", &err));
    assert_non_null(strstr(err.msg, "configuration folder /nowhere/at/all"));
    setenv("TRAWL_CONFIG_DIR", dir, 1);
    put("trawl.ini", "[copy]\nthreads = 11\n");
    struct err none = {0};
    struct config *c = config_load(NULL, &none);
    assert_non_null(c);
    assert_int_equal(c->copy.threads, 11);
    config_free(c);
}

static void the_uri_file_gives_the_uri_unless_a_later_layer_does(void **state)
{
    (void)state;
    char ini[256];
    char *path = put("uri", "mongodb://me:secret@db/x\n");
    snprintf(ini, sizeof ini, "[mongo]\nuri_file = %s\n", path);
    put("trawl.ini", ini);
    struct config *c = load();
    assert_string_equal(c->mongo.uri, "mongodb://me:secret@db/x");
    char *text = shown(c, true, false);
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "uri:1"));
    free(text);
    config_free(c);
    setenv("TRAWL_MONGO_URI", "mongodb://other", 1);
    c = load();
    assert_string_equal(c->mongo.uri, "mongodb://other");
    config_free(c);
    clear_environment();
    snprintf(ini, sizeof ini, "[mongo]\nuri_file = /no/such/file\n");
    put("trawl.ini", ini);
    refused("mongo.uri_file: open /no/such/file");
    put("trawl.ini", "[mongo]\nuri_file = /a\nuri = mongodb://b\n");
    refused("are both set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(without_files_the_defaults_hold),
        SCRATCH_TEST(later_layers_win),
        SCRATCH_TEST(dots_of_a_section_are_underscores_in_its_variables),
        SCRATCH_TEST(our_own_variable_beats_env_and_the_file),
        SCRATCH_TEST(names_of_environments_are_checked),
        SCRATCH_TEST(the_file_of_an_environment_cannot_name_another),
        SCRATCH_TEST(an_unknown_key_is_refused_with_file_line_and_the_nearest),
        SCRATCH_TEST(an_unknown_variable_of_our_sections_is_refused),
        SCRATCH_TEST(variables_of_the_scripts_are_left_alone),
        SCRATCH_TEST(bad_values_are_refused_with_file_line_and_reason),
        SCRATCH_TEST(blanks_comments_and_an_indented_key_are_fine),
        SCRATCH_TEST(a_line_is_at_most_199_bytes_long),
        SCRATCH_TEST(a_comment_may_be_long),
        SCRATCH_TEST(a_named_folder_must_be_there),
        SCRATCH_TEST(the_uri_file_gives_the_uri_unless_a_later_layer_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
