/*
 * test_bus_security.c - which keys of [kafka] fit together, and with which words the others are
 * refused; that clients take them, and that nobody sees the password.
 */
#include "test.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus_config.h"
#include "common/bus/bus_internal.h"

#define PASSWORD "pa55-Very-Secret"

static char dir[] = "/tmp/trawl-security-XXXXXX";
static char password_file[64], ca_file[64], missing[64];
static char sasl_ssl[] = "sasl_ssl", sasl[] = "sasl_plaintext", tls[] = "ssl";
static char user[] = "kim", none[] = "", plain[] = "PLAIN";

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fchmod(fileno(out), mode), 0);
    fclose(out);
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(password_file, sizeof password_file, "%s/password", dir);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", dir);
    snprintf(missing, sizeof missing, "%s/none", dir);
    write_file(password_file, PASSWORD "\n", 0600);
    write_file(ca_file, "no certificate\n", 0644);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(password_file);
    unlink(ca_file);
    return rmdir(dir);
}

static struct config with_login(void)
{
    struct config c = {0};
    no_login(&c);
    c.kafka.security = sasl_ssl;
    c.kafka.user = user;
    c.kafka.password_file = password_file;
    c.kafka.ca_file = ca_file;
    return c;
}

static void refuses(const struct config *c, const char *words)
{
    struct err err = {0};
    assert_int_equal(bus_security_check(c, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.msg, words) == NULL) {
        fail_msg("'%s' lacks '%s'", err.msg, words);
    }
    assert_null(strstr(err.msg, PASSWORD));
}

static void accepts(const struct config *c)
{
    struct err err = {0};
    if (bus_security_check(c, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static void keys_that_fit_together_are_accepted(void **state)
{
    (void)state;
    struct config c = with_login();
    accepts(&c);
    c.kafka.ca_file = none; /* those that the system trusts */
    accepts(&c);
    c.kafka.security = sasl;
    accepts(&c);
    no_login(&c);
    accepts(&c);
    c.kafka.security = tls;
    accepts(&c);
    c.kafka.cert_file = c.kafka.key_file = ca_file;
    accepts(&c);
}

static void a_login_needs_user_and_password_and_nothing_else_takes_them(void **state)
{
    (void)state;
    struct config c = with_login();
    c.kafka.user = none;
    refuses(&c, "[kafka] security = sasl_ssl logs in: set user");
    c = with_login();
    c.kafka.password_file = none;
    refuses(&c, "[kafka] security = sasl_ssl logs in: set password_file");
    no_login(&c);
    c.kafka.user = user;
    refuses(&c, "[kafka] user is set, but security = plaintext has no login");
    c.kafka.user = none;
    c.kafka.security = tls;
    c.kafka.password_file = password_file;
    refuses(&c, "[kafka] password_file is set, but security = ssl has no login");
}

static void files_of_tls_need_tls_and_a_certificate_its_key(void **state)
{
    (void)state;
    struct config c = with_login();
    c.kafka.security = sasl;
    refuses(&c, "[kafka] ca_file is set, but security = sasl_plaintext has no TLS");
    c.kafka.security = sasl_ssl;
    c.kafka.cert_file = ca_file;
    refuses(&c, "[kafka] cert_file is set without key_file");
    c.kafka.key_file = ca_file;
    c.kafka.cert_file = none;
    refuses(&c, "[kafka] key_file is set without cert_file");
}

static void files_that_cannot_be_read_are_named_with_their_key(void **state)
{
    (void)state;
    struct config c = with_login();
    c.kafka.ca_file = missing;
    refuses(&c, "[kafka] ca_file: ");
    refuses(&c, missing);
    c = with_login();
    c.kafka.password_file = missing;
    refuses(&c, "[kafka] password_file: open ");
    c.kafka.password_file = ca_file;
    write_file(ca_file, "\n" PASSWORD "\n", 0600);
    refuses(&c, "has an empty first line");
}

static void expect_conf(const rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char found[256];
    size_t size = sizeof found;
    assert_int_equal(rd_kafka_conf_get(conf, name, found, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(found, value);
}

static void the_library_gets_what_the_keys_say(void **state)
{
    (void)state;
    struct err err = {0};
    struct config c = with_login();
    c.kafka.mechanism = plain;
    c.kafka.cert_file = c.kafka.key_file = password_file;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(bus_security_apply(&c, conf, &err), 0);
    expect_conf(conf, "security.protocol", "sasl_ssl");
    expect_conf(conf, "sasl.mechanisms", "PLAIN");
    expect_conf(conf, "sasl.username", "kim");
    expect_conf(conf, "sasl.password", PASSWORD);
    expect_conf(conf, "ssl.ca.location", ca_file);
    expect_conf(conf, "ssl.certificate.location", password_file);
    expect_conf(conf, "ssl.key.location", password_file);
    rd_kafka_conf_destroy(conf);
}

static void a_bus_with_keys_that_do_not_fit_is_refused(void **state)
{
    (void)state;
    static char env[] = "test", nowhere[] = "127.0.0.1:1";
    struct err err = {0};
    struct config c = with_login();
    c.trawl.env = env;
    c.kafka.brokers = nowhere;
    c.kafka.user = none;
    assert_null(bus_new(&c, "test", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    /* A file that holds no certificate is refused by the library, with the keys to look at. */
    struct err library = {0};
    c.kafka.user = user;
    assert_null(bus_new(&c, "test", &library));
    assert_int_equal(library.kind, ERR_INVALID);
    assert_non_null(strstr(library.msg, "[kafka] ca_file"));
}

int main(void)
{
    log_init("test", LOG_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_fit_together_are_accepted),
        cmocka_unit_test(a_login_needs_user_and_password_and_nothing_else_takes_them),
        cmocka_unit_test(files_of_tls_need_tls_and_a_certificate_its_key),
        cmocka_unit_test(the_library_gets_what_the_keys_say),
        cmocka_unit_test(a_bus_with_keys_that_do_not_fit_is_refused),
        cmocka_unit_test(files_that_cannot_be_read_are_named_with_their_key),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
