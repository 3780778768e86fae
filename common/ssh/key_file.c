/* key_file.c - is a private key file one that this libssh2 can sign with? */
#include <openssl/evp.h>
#include <string.h>

#include "common/base/fs.h"
#include "common/ssh/ssh_internal.h"

#define KEY_FILE_MAX 65536

static const char openssh_begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";

/* The first bytes of the base64 text, which hold the cipher's and the key type's names. */
static size_t decode_head(const char *text, unsigned char *out, size_t room)
{
    char clean[512];
    size_t n = 0;
    for (; *text != '\0' && *text != '-' && n < sizeof clean && n / 4 * 3 < room; text++) {
        if (*text != '\n' && *text != '\r') {
            clean[n++] = *text;
        }
    }
    n -= n % 4;
    int len = EVP_DecodeBlock(out, (const unsigned char *)clean, (int)n);
    return len > 0 ? (size_t)len : 0;
}

static bool holds(const unsigned char *bytes, size_t len, const char *word)
{
    return memmem(bytes, len, word, strlen(word)) != NULL;
}

static int refuse_rsa(const char *path, struct err *err)
{
    return ERR(err, ERR_HOLD, 0,
               "%s is an RSA key: libssh2 %s signs with SHA-1 only, which today's sshd refuses; "
               "make one with: ssh-keygen -t ed25519 -f <file>, and set [ssh] key_file",
               path, libssh2_version(0));
}

int key_file_check(const char *path, struct err *err)
{
    struct err why = {0};
    size_t len = 0;
    AUTO(free) char *text = fs_read(path, KEY_FILE_MAX, &len, &why);
    if (text == NULL) {
        return ERR(err, ERR_HOLD, why.code, "[ssh] key_file: %s", why.msg);
    }
    if (strstr(text, "BEGIN RSA PRIVATE KEY") != NULL) {
        return refuse_rsa(path, err);
    }
    if (strstr(text, "PRIVATE KEY-----") == NULL) {
        return ERR(err, ERR_HOLD, 0, "[ssh] key_file: %s holds no private key", path);
    }
    const char *body = strstr(text, openssh_begin);
    if (body == NULL) {
        return 0;
    }
    unsigned char head[384];
    size_t n = decode_head(body + sizeof openssh_begin - 1, head, sizeof head);
    if (holds(head, n, "ssh-rsa")) {
        return refuse_rsa(path, err);
    }
    if (holds(head, n, "bcrypt")) {
        return ERR(err, ERR_HOLD, 0, "[ssh] key_file: %s has a passphrase; use a key without one",
                   path);
    }
    if (!holds(head, n, "ssh-ed25519") && !holds(head, n, "ecdsa-sha2-")) {
        return ERR(err, ERR_HOLD, 0, "[ssh] key_file: %s is neither an Ed25519 nor an ECDSA key",
                   path);
    }
    return 0;
}
