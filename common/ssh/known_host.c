/* known_host.c - is the other side the host that known_hosts tells us to expect? */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/shell.h"
#include "common/ssh/ssh_internal.h"

#include "common/ban.h"

#define KNOWN_HOSTS_MAX (1024u * 1024)

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

static int key_bit(int type)
{
    switch (type) {
    case LIBSSH2_HOSTKEY_TYPE_ED25519:
        return LIBSSH2_KNOWNHOST_KEY_ED25519;
    case LIBSSH2_HOSTKEY_TYPE_ECDSA_256:
        return LIBSSH2_KNOWNHOST_KEY_ECDSA_256;
    case LIBSSH2_HOSTKEY_TYPE_ECDSA_384:
        return LIBSSH2_KNOWNHOST_KEY_ECDSA_384;
    case LIBSSH2_HOSTKEY_TYPE_ECDSA_521:
        return LIBSSH2_KNOWNHOST_KEY_ECDSA_521;
    case LIBSSH2_HOSTKEY_TYPE_RSA:
        return LIBSSH2_KNOWNHOST_KEY_SSHRSA;
    default:
        return LIBSSH2_KNOWNHOST_KEY_UNKNOWN;
    }
}

int host_check(LIBSSH2_SESSION *session, const struct ssh_login *login, enum host_verdict *out,
               struct err *err)
{
    size_t len = 0;
    int type = 0;
    const char *key = libssh2_session_hostkey(session, &len, &type);
    LIBSSH2_KNOWNHOSTS *known = libssh2_knownhost_init(session);
    if (key == NULL || known == NULL) {
        return ERR(err, ERR_HOLD, 0, "%s gave no host key", login->host);
    }
    int read =
        libssh2_knownhost_readfile(known, login->known_hosts, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
    int verdict = LIBSSH2_KNOWNHOST_CHECK_NOTFOUND;
    if (read >= 0) {
        int mask = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | key_bit(type);
        verdict = libssh2_knownhost_checkp(known, login->host, login->port, key, len, mask, NULL);
    }
    libssh2_knownhost_free(known);
    if (read < 0) {
        return ERR(err, ERR_HOLD, read,
                   "[ssh] known_hosts: %s cannot be read; make it: trawl cluster trust %s:%d",
                   login->known_hosts, login->host, login->port);
    }
    *out = verdict == LIBSSH2_KNOWNHOST_CHECK_MATCH      ? HOST_KNOWN
           : verdict == LIBSSH2_KNOWNHOST_CHECK_MISMATCH ? HOST_CHANGED
                                                         : HOST_UNKNOWN;
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

int host_refuse(LIBSSH2_SESSION *session, const struct ssh_login *login, enum host_verdict verdict,
                struct err *err)
{
    char print[80];
    fingerprint(session, print, sizeof print);
    if (verdict == HOST_CHANGED) {
        return ERR(err, ERR_HOLD, 0,
                   "the host key of %s:%d has CHANGED (%s) against %s: if that is right, "
                   "trawl cluster trust --replace %s:%d",
                   login->host, login->port, print, login->known_hosts, login->host, login->port);
    }
    return ERR(err, ERR_HOLD, 0,
               "the host key of %s:%d (%s) is not in %s: check it, then "
               "trawl cluster trust %s:%d",
               login->host, login->port, print, login->known_hosts, login->host, login->port);
}

/* --- writing it down --- */

/* How known_hosts names a host. */
static void host_token(const struct ssh_login *login, char *out, size_t room)
{
    if (login->port == 22) {
        snprintf(out, room, "%s", login->host);
    } else {
        snprintf(out, room, "[%s]:%d", login->host, login->port);
    }
}

int host_key_read(LIBSSH2_SESSION *session, const struct ssh_login *login, struct ssh_host_key *out,
                  struct err *err)
{
    size_t len = 0;
    int type = 0;
    char token[200];
    unsigned char text[1400];
    const unsigned char *key = (const unsigned char *)libssh2_session_hostkey(session, &len, &type);
    *out = (struct ssh_host_key){0};
    /* The key begins with the name of its type: four bytes of length, then the name. */
    size_t name = len > 4 ? (size_t)key[2] << 8 | key[3] : 0;
    if (key == NULL || name == 0 || name + 4 > len || name >= sizeof out->type ||
        len > sizeof text / 4 * 3 - 4) {
        return ERR(err, ERR_HOLD, 0, "%s shows no host key that can be written down", login->host);
    }
    memcpy(out->type, key + 4, name);
    EVP_EncodeBlock(text, key, (int)len);
    host_token(login, token, sizeof token);
    fingerprint(session, out->fingerprint, sizeof out->fingerprint);
    int n = snprintf(out->line, sizeof out->line, "%s %s %s", token, out->type, (const char *)text);
    return n < (int)sizeof out->line
               ? 0
               : ERR(err, ERR_HOLD, 0, "%s shows a host key that is too long", login->host);
}

/* Whether a line of known_hosts is of this host and type. */
static bool is_of(const char *line, size_t len, const char *token, const char *type)
{
    size_t t = strlen(token), k = strlen(type);
    return len > t + k + 1 && strncmp(line, token, t) == 0 && line[t] == ' ' &&
           strncmp(line + t + 1, type, k) == 0 && line[t + 1 + k] == ' ';
}

int ssh_host_trust(const struct ssh_login *login, const struct ssh_host_key *key, struct err *err)
{
    char token[200];
    struct err none = {0};
    AUTO(text_fini) struct text t = {0};
    AUTO(free) char *before = fs_read(login->known_hosts, KNOWN_HOSTS_MAX, NULL, &none);
    if (before == NULL && none.code != ENOENT) {
        return ERR(err, ERR_INVALID, none.code, "[ssh] known_hosts: %s", none.msg);
    }
    if (text_open(&t, err) != 0) {
        return -1;
    }
    host_token(login, token, sizeof token);
    for (const char *at = before != NULL ? before : ""; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        if (!is_of(at, len, token, key->type)) {
            fprintf(t.out, "%.*s\n", (int)len, at);
        }
        at += len + (at[len] == '\n' ? 1 : 0);
    }
    fprintf(t.out, "%s\n", key->line);
    return text_close(&t, err) == 0 ? fs_write(login->known_hosts, t.data, t.len, err) : -1;
}
