/* known_host.c - is the other side the host that known_hosts tells us to expect? */
#include <openssl/evp.h>
#include <string.h>

#include "common/ssh/ssh_internal.h"

#include "common/ban.h"

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
                   "[ssh] known_hosts: %s cannot be read; make it, after checking the key: "
                   "ssh-keyscan -p %d %s >>%s",
                   login->known_hosts, login->port, login->host, login->known_hosts);
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
                   "ssh-keygen -R '[%s]:%d' -f %s and add the new one",
                   login->host, login->port, print, login->known_hosts, login->host, login->port,
                   login->known_hosts);
    }
    return ERR(err, ERR_HOLD, 0,
               "the host key of %s:%d (%s) is not in %s: check it, then "
               "ssh-keyscan -p %d %s >>%s",
               login->host, login->port, print, login->known_hosts, login->port, login->host,
               login->known_hosts);
}
