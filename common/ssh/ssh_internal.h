/*
 * ssh_internal.h - what the files of the SSH room share: ssh.c (the session), command.c (commands),
 * known_hosts.c (the file, pure), known_host.c (who is the other side), key_file.c (is this key of
 * any use), agent.c (keys of an SSH agent).
 */
#ifndef COMMON_SSH_INTERNAL_H
#define COMMON_SSH_INTERNAL_H
#include <libssh2.h>

#include "common/ssh/known_hosts.h"
#include "common/ssh/ssh.h"

struct ssh {
    LIBSSH2_SESSION *session;
    int fd;
    int64_t deadline; /* of what runs now, mono_ms */
    char name[200];   /* host:port, for messages */
};
/* Wait until the socket is ready for what libssh2 wants of it. False at the deadline. */
bool ssh_wait(struct ssh *s) __attribute__((nonnull));
/* Set *err from the session's last error. Always -1. */
int ssh_fail(struct ssh *s, const char *what, struct err *err) __attribute__((nonnull));

/* One family of host keys for each try: the one that known_hosts holds is not known before. */
enum host_key { HOST_KEY_ED25519, HOST_KEY_ECDSA, HOST_KEY_RSA, HOST_KEY_COUNT };
const char *host_key_methods(enum host_key family) __attribute__((returns_nonnull));

struct host_finding {
    enum host_verdict verdict;
    bool authority; /* known_hosts names a certificate authority for the host */
};
/* Compare the session's host key with known_hosts. -1 when the file cannot be read. */
int host_check(LIBSSH2_SESSION *session, const struct ssh_login *login, struct host_finding *out,
               struct err *err) __attribute__((nonnull, warn_unused_result));
/* The key that the other side showed. -1: none that can be written down. */
int host_key_read(LIBSSH2_SESSION *session, const struct ssh_login *login, struct ssh_host_key *out,
                  struct err *err) __attribute__((nonnull, warn_unused_result));
/* Set *err for a host that is not known, or whose key has changed or is revoked. Always -1. */
int host_refuse(LIBSSH2_SESSION *session, const struct ssh_login *login,
                const struct host_finding *found, struct err *err) __attribute__((nonnull));

/* 0 when libssh2 can use the private key in this file; otherwise *err says why not and what to do.
 */
int key_file_check(const char *path, struct err *err) __attribute__((nonnull, warn_unused_result));

struct ssh_bytes {
    const unsigned char *data;
    size_t len;
};

struct agent; /* opaque; defined in agent.c */
/* Ask the agent at $SSH_AUTH_SOCK for its keys. NULL when none answers by the deadline (mono_ms),
 * which also ends every later wait for it. Freed with agent_close. */
struct agent *agent_open(int64_t deadline) OWNED;
void agent_close(struct agent *a);
AUTO_DEFINE(struct agent, agent_close);
/* The i-th public key, a view into the agent's; false: there are not so many. */
bool agent_key(const struct agent *a, uint32_t i, struct ssh_bytes *out) __attribute__((nonnull));
/* Whether it is of this type ("ssh-rsa"). */
bool agent_key_is(struct ssh_bytes key, const char *type) __attribute__((nonnull));
struct agent_signer {
    const struct agent *agent;
    struct ssh_bytes key;
};
/* For libssh2_userauth_publickey; *ctx: a struct agent_signer. */
LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(agent_sign);
#endif
