/*
 * bus_security.c - TLS and the login: what the keys of [kafka] say to librdkafka.
 *
 * The password is read from its file for each client and, every second, after a refused login, so
 * that a changed one is used without a restart. Nothing of ours keeps it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fs.h"
#include "common/bus/bus_internal.h"

#define PASSWORD_MAX_BYTES 4096

static bool logs_in(const struct config *c)
{
    return strncmp(c->kafka.security, "sasl_", 5) == 0;
}

static bool uses_tls(const struct config *c)
{
    return strcmp(c->kafka.security, "ssl") == 0 || strcmp(c->kafka.security, "sasl_ssl") == 0;
}

static bool is_set(const char *text)
{
    return *text != '\0';
}

static char *read_password(const struct config *c, struct err *err)
{
    size_t len = 0;
    char *word = fs_read(c->kafka.password_file, PASSWORD_MAX_BYTES, &len, err);
    if (word == NULL) {
        err_context(err, "[kafka] password_file");
        return NULL;
    }
    word[strcspn(word, "\r\n")] = '\0';
    if (!is_set(word)) {
        free(word);
        (void)ERR(err, ERR_INVALID, 0, "[kafka] password_file: %s has an empty first line",
                  c->kafka.password_file);
        return NULL;
    }
    return word;
}

static void forget(char *word)
{
    explicit_bzero(word, strlen(word));
    free(word);
}

static int check_login(const struct config *c, struct err *err)
{
    bool user = is_set(c->kafka.user), password = is_set(c->kafka.password_file);
    if (!logs_in(c) && (user || password)) {
        return ERR(err, ERR_INVALID, 0,
                   "[kafka] %s is set, but security = %s has no login: set security = sasl_ssl, or "
                   "take out user and password_file",
                   user ? "user" : "password_file", c->kafka.security);
    }
    if (logs_in(c) && (!user || !password)) {
        return ERR(err, ERR_INVALID, 0, "[kafka] security = %s logs in: set %s", c->kafka.security,
                   user ? "password_file" : "user");
    }
    return 0;
}

static int check_tls(const struct config *c, struct err *err)
{
    const struct bus_setting files[] = {{"ca_file", c->kafka.ca_file},
                                        {"cert_file", c->kafka.cert_file},
                                        {"key_file", c->kafka.key_file}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = files[i].value;
        if (is_set(path) && !uses_tls(c)) {
            return ERR(err, ERR_INVALID, 0,
                       "[kafka] %s is set, but security = %s has no TLS: set security = ssl or "
                       "sasl_ssl, or take out %s",
                       files[i].name, c->kafka.security, files[i].name);
        }
        if (is_set(path) && access(path, R_OK) != 0) {
            return ERR(err, ERR_INVALID, errno, "[kafka] %s: %s: %m", files[i].name, path);
        }
    }
    if (is_set(c->kafka.cert_file) != is_set(c->kafka.key_file)) {
        return ERR(err, ERR_INVALID, 0, "[kafka] %s is set without %s: a certificate needs its key",
                   is_set(c->kafka.cert_file) ? "cert_file" : "key_file",
                   is_set(c->kafka.cert_file) ? "key_file" : "cert_file");
    }
    return 0;
}

static void warn_if_exposed(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
        log_warn("secret_exposed", KV("key", "[kafka] password_file"), KV("path", path),
                 KV("reason", "every user of this host can reach it"),
                 KV("remedy", "take the rights of others away: chmod o= on the file"));
    }
}

int bus_security_check(const struct config *c, struct err *err)
{
    if (check_login(c, err) != 0 || check_tls(c, err) != 0) {
        return -1;
    }
    if (!logs_in(c)) {
        return 0;
    }
    char *password = read_password(c, err);
    if (password == NULL) {
        err->kind = ERR_INVALID;
        return -1;
    }
    forget(password);
    warn_if_exposed(c->kafka.password_file);
    return 0;
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char why[256];
    if (is_set(value) &&
        rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) {
        return ERR(err, ERR_INVALID, 0, "Kafka setting %s: %s", name, why);
    }
    return 0;
}

static int apply_login(const struct config *c, rd_kafka_conf_t *conf, struct err *err)
{
    char *password = read_password(c, err);
    if (password == NULL) {
        return -1;
    }
    int rc = set(conf, "sasl.mechanisms", c->kafka.mechanism, err) != 0 ||
                     set(conf, "sasl.username", c->kafka.user, err) != 0 ||
                     set(conf, "sasl.password", password, err) != 0
                 ? -1
                 : 0;
    forget(password);
    return rc;
}

int bus_security_apply(const struct config *c, rd_kafka_conf_t *conf, struct err *err)
{
    if (set(conf, "security.protocol", c->kafka.security, err) != 0 ||
        set(conf, "ssl.ca.location", c->kafka.ca_file, err) != 0 ||
        set(conf, "ssl.certificate.location", c->kafka.cert_file, err) != 0 ||
        set(conf, "ssl.key.location", c->kafka.key_file, err) != 0) {
        return -1;
    }
    return logs_in(c) ? apply_login(c, conf, err) : 0;
}

/* A file that cannot be read at the moment leaves the old password: it is read again. */
void bus_security_renew(const struct config *c, rd_kafka_t *rk)
{
    struct err ignored = {0};
    char *password = logs_in(c) ? read_password(c, &ignored) : NULL;
    if (password != NULL) {
        rd_kafka_error_destroy(rd_kafka_sasl_set_credentials(rk, c->kafka.user, password));
        forget(password);
    }
}
