/*
 * known_host.c - is the other side the host that known_hosts names? host_check takes the key that
 * the session showed, reads the file or files of [ssh] known_hosts, and asks known_hosts.c for the
 * verdict. host_refuse turns a bad verdict into an error with the fingerprint and the command that
 * mends it. ssh_host_trust, which an operator calls, writes a key down: other keys of that host and
 * type are taken out, one line is added.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/fs.h"
#include "common/base/strbuf.h"
#include "common/ssh/ssh_internal.h"

#define KNOWN_HOSTS_MAX (16u * 1024 * 1024)

bool ssh_host_parse(const char *text, size_t len, struct ssh_host *out)
{
    char copy[192];
    if (len == 0 || len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *host = copy;
    char *colon = strrchr(copy, ':');
    if (copy[0] == '[') {
        char *close = strchr(copy, ']');
        if (close == NULL) {
            return false;
        }
        *close = '\0';
        host = copy + 1;
        colon = close[1] == ':' ? close + 1 : NULL;
    }
    long port = 22;
    if (colon != NULL) {
        char *end = NULL;
        port = strtol(colon + 1, &end, 10);
        *colon = '\0';
        if (*end != '\0') {
            return false;
        }
    }
    out->port = (int)port;
    int n = snprintf(out->host, sizeof out->host, "%s", host);
    return n > 0 && (size_t)n < sizeof out->host && port > 0 && port < 65536;
}

int ssh_hosts_parse(const char *text, struct ssh_host out[static SSH_HOSTS], size_t *n,
                    struct err *err)
{
    *n = 0;
    for (const char *at = text + strspn(text, ", "); *at != '\0' && *n < SSH_HOSTS;) {
        size_t len = strcspn(at, ", ");
        if (!ssh_host_parse(at, len, &out[*n])) {
            return ERR(err, ERR_HOLD, 0, "[ssh] hosts: \"%s\" is not host:port,host:port", text);
        }
        (*n)++;
        at += len;
        at += strspn(at, ", ");
    }
    return *n > 0 ? 0 : ERR(err, ERR_HOLD, 0, "[ssh] hosts is empty: no head node to log in to");
}

struct ssh_login ssh_login_of(const struct config *c, const struct ssh_host *host)
{
    return (struct ssh_login){.host = host->host,
                              .port = host->port,
                              .user = c->ssh.user,
                              .key_file = c->ssh.key_file,
                              .agent = c->ssh.agent,
                              .password_file = c->ssh.password_file,
                              .known_hosts = c->ssh.known_hosts,
                              .connect_ms = c->ssh.connect_ms};
}

const char *host_key_methods(enum host_key family)
{
    static const char *const methods[] = {
        [HOST_KEY_ED25519] = "ssh-ed25519",
        [HOST_KEY_ECDSA] = "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
        [HOST_KEY_RSA] = "ssh-rsa",
    };
    _Static_assert(sizeof methods / sizeof *methods == HOST_KEY_COUNT, "every family");
    return methods[family];
}

/* The base64 of the session's host key, and the name of its type, which the key begins with: four
 * bytes of length, then the name. */
struct shown_key {
    char type[32];
    unsigned char text[1400];
};

static bool read_key(LIBSSH2_SESSION *session, struct shown_key *out)
{
    size_t len = 0;
    int type = 0;
    const unsigned char *key = (const unsigned char *)libssh2_session_hostkey(session, &len, &type);
    size_t name = key != NULL && len > 4 ? (size_t)key[2] << 8 | key[3] : 0;
    if (name == 0 || name + 4 > len || name >= sizeof out->type ||
        len > sizeof out->text / 4 * 3 - 4) {
        return false;
    }
    memcpy(out->type, key + 4, name);
    out->type[name] = '\0';
    EVP_EncodeBlock(out->text, key, (int)len);
    return true;
}

/* The text of one file. As OpenSSH has it, a zero byte ends its line and not the file: behind it
 * may be a @revoked. NULL: *err is set. */
static char *read_text(const char *path, struct err *err)
{
    size_t len = 0;
    char *text = fs_read(path, KNOWN_HOSTS_MAX, &len, err);
    bool blank = false;
    for (size_t i = 0; text != NULL && i < len; i++) {
        blank = text[i] == '\0' || (blank && text[i] != '\n');
        text[i] = blank ? ' ' : text[i];
    }
    return text;
}

/* [ssh] known_hosts is a file, or when there is none of that name several, separated by blanks. The
 * text of all that are there; NULL when none is. */
static char *read_files(const char *paths, struct err *err)
{
    AUTO(strbuf_fini) struct strbuf t = {0};
    bool any = false;
    AUTO(free) char *one = read_text(paths, err);
    if (one != NULL || strpbrk(paths, " \t") == NULL) {
        return TAKE(one);
    }
    struct err ignored = {0};
    if (strbuf_open(&t, &ignored) != 0) {
        return NULL;
    }
    for (const char *at = paths; *at != '\0';) {
        at += strspn(at, " \t");
        size_t len = strcspn(at, " \t");
        AUTO(free) char *path = strndup(at, len);
        AUTO(free)
        char *text = path != NULL && len > 0 ? read_text(path, &ignored) : NULL;
        any = any || text != NULL;
        fprintf(t.out, "%s\n", text != NULL ? text : "");
        at += len;
    }
    return strbuf_close(&t, &ignored) == 0 && any ? TAKE(t.data) : NULL;
}

int host_check(LIBSSH2_SESSION *session, const struct ssh_login *login, struct host_finding *out,
               struct err *err)
{
    struct shown_key key;
    struct err why = {0};
    if (!read_key(session, &key)) {
        return ERR(err, ERR_HOLD, 0, "%s gave no host key", login->host);
    }
    AUTO(free) char *text = read_files(login->known_hosts, &why);
    if (text == NULL) {
        return ERR(err, ERR_HOLD, why.code,
                   "[ssh] known_hosts: %s cannot be read; make it: trawl cluster trust %s:%d",
                   login->known_hosts, login->host, login->port);
    }
    const struct known_ask ask = {login->host, login->port, key.type, (const char *)key.text};
    out->verdict = known_hosts_verdict(text, &ask, &out->authority);
    return 0;
}

/* "SHA256:…" as ssh-keygen -l prints it. */
static void fingerprint(LIBSSH2_SESSION *session, char *out, size_t room)
{
    const char *hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256);
    unsigned char base64[64] = "?";
    if (hash != NULL) {
        EVP_EncodeBlock(base64, (const unsigned char *)hash, 32);
    }
    base64[strcspn((char *)base64, "=")] = '\0';
    snprintf(out, room, "SHA256:%s", (char *)base64);
}

int host_refuse(LIBSSH2_SESSION *session, const struct ssh_login *login,
                const struct host_finding *found, struct err *err)
{
    char print[80];
    fingerprint(session, print, sizeof print);
    if (found->verdict == HOST_REVOKED) {
        return ERR(err, ERR_HOLD, 0,
                   "the host key of %s:%d (%s) is marked @revoked in %s: nobody logs in to a host "
                   "that shows it; give the host a new key, or take the line out if it is wrong",
                   login->host, login->port, print, login->known_hosts);
    }
    if (found->verdict == HOST_CHANGED) {
        return ERR(err, ERR_HOLD, 0,
                   "the host key of %s:%d has CHANGED (%s) against %s: if that is right, "
                   "trawl cluster trust --replace %s:%d",
                   login->host, login->port, print, login->known_hosts, login->host, login->port);
    }
    return ERR(err, ERR_HOLD, 0,
               "the host key of %s:%d (%s) is not in %s%s: check it, then "
               "trawl cluster trust %s:%d",
               login->host, login->port, print, login->known_hosts,
               found->authority ? " (its @cert-authority is of no use: certificates of hosts are "
                                  "not checked)"
                                : "",
               login->host, login->port);
}

/* --- writing it down --- */

int host_key_read(LIBSSH2_SESSION *session, const struct ssh_login *login, struct ssh_host_key *out,
                  struct err *err)
{
    char name[200];
    struct shown_key key;
    *out = (struct ssh_host_key){0};
    if (!read_key(session, &key)) {
        return ERR(err, ERR_HOLD, 0, "%s shows no host key that can be written down", login->host);
    }
    snprintf(out->type, sizeof out->type, "%s", key.type);
    known_hosts_name(login->host, login->port, name, sizeof name);
    fingerprint(session, out->fingerprint, sizeof out->fingerprint);
    int n =
        snprintf(out->line, sizeof out->line, "%s %s %s", name, key.type, (const char *)key.text);
    return n < (int)sizeof out->line
               ? 0
               : ERR(err, ERR_HOLD, 0, "%s shows a host key that is too long", login->host);
}

/* Where a key is noted: the first of several files. free(). */
static char *file_to_write(const char *paths)
{
    struct stat st;
    return stat(paths, &st) == 0 || strpbrk(paths, " \t") == NULL
               ? strdup(paths)
               : strndup(paths, strcspn(paths, " \t"));
}

int ssh_host_trust(const struct ssh_login *login, const struct ssh_host_key *key, struct err *err)
{
    struct err none = {0};
    AUTO(free) char *all = NULL;
    AUTO(free) char *path = file_to_write(login->known_hosts);
    AUTO(free) char *before = path != NULL ? read_text(path, &none) : NULL;
    if (before == NULL && none.code != ENOENT) {
        return ERR(err, ERR_INVALID, none.code, "[ssh] known_hosts: %s", none.msg);
    }
    const struct known_ask ask = {login->host, login->port, key->type, ""};
    AUTO(free) char *others = known_hosts_without(before != NULL ? before : "", &ask);
    if (others == NULL || asprintf(&all, "%s%s\n", others, key->line) < 0) {
        all = NULL;
        return err_no_memory(err);
    }
    return fs_write(path, all, strlen(all), err);
}
