/*
 * ssh.h - one SSH session with one head node, over which commands run one after the other.
 *
 * Every wait has a deadline on the monotonic clock. The host key is checked always: an unknown or a
 * changed key ends the connection with a message that names host, file and remedy. Every failure
 * here is ERR_HOLD: the task waits, its attempt does not count. One thread at a time.
 */
#ifndef COMMON_SSH_H
#define COMMON_SSH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct ssh; /* opaque; defined in ssh.c */

struct ssh_login {
    const char *host;
    int port;
    const char *user;
    const char *key_file;      /* "" : none */
    const char *password_file; /* "" : none */
    const char *known_hosts;
    int64_t connect_ms; /* for connecting, the handshake and the login together */
};

/* Connect, check the host key, log in. Freed with ssh_close. */
struct ssh *ssh_open(const struct ssh_login *login, struct err *err) OWNED __attribute__((nonnull));
void ssh_close(struct ssh *s);
AUTO_DEFINE(struct ssh, ssh_close);

struct ssh_reply {
    char *out; /* NUL-terminated; what came, also when the command failed; ssh_reply_fini */
    size_t out_len;
    char err_text[512]; /* the beginning of standard error */
    int status;         /* exit status; -1 when it is not known */
    bool started;       /* the command may have run, in part or in whole */
};
void ssh_reply_fini(struct ssh_reply *r) __attribute__((nonnull));

/*
 * Run command with input as its standard input and collect what it prints (at most 32 MiB). 0 when
 * it ran to its end, whatever its exit status. -1: the session is of no use any more;
 * reply->started says whether the other side may have run it.
 */
struct ssh_command {
    const char *line;
    const char *input;
    size_t input_len;
    int64_t timeout_ms;
};
int ssh_run(struct ssh *s, const struct ssh_command *c, struct ssh_reply *reply, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
