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

#include "common/base/err.h"
#include "common/base/own.h"
#include "common/config/config.h"

struct ssh; /* opaque; defined in ssh.c */

struct ssh_host {
    char host[160];
    int port;
};
/* "host", "host:22" or "[::1]:22". Pure. */
bool ssh_host_parse(const char *text, size_t len, struct ssh_host *out) __attribute__((nonnull));
/* [ssh] hosts: several of them, separated by commas or blanks; those beyond SSH_HOSTS are left out.
 * HOLD: there is none, or one is no host. Pure. */
#define SSH_HOSTS 8
int ssh_hosts_parse(const char *text, struct ssh_host out[static SSH_HOSTS], size_t *n,
                    struct err *err) __attribute__((nonnull, warn_unused_result));

struct ssh_login {
    const char *host;
    int port;
    const char *user;
    const char *key_file;      /* "" : none */
    bool agent;                /* with the keys of the agent at $SSH_AUTH_SOCK */
    const char *password_file; /* "" : none; of the three the first that is set */
    const char *known_hosts;   /* a file, or several separated by blanks */
    int64_t connect_ms;        /* for connecting, the handshake and the login together */
};

/* How the configuration logs in to this host; borrows from both. */
struct ssh_login ssh_login_of(const struct config *c, const struct ssh_host *host)
    __attribute__((nonnull));

/* Connect, check the host key, log in. Freed with ssh_close. */
struct ssh *ssh_open(const struct ssh_login *login, struct err *err) OWNED __attribute__((nonnull));
void ssh_close(struct ssh *s);
AUTO_DEFINE(struct ssh, ssh_close);

/* A key that a host showed. */
struct ssh_host_key {
    char type[32];        /* "ssh-ed25519" */
    char fingerprint[80]; /* "SHA256:…" as ssh-keygen -l prints it */
    char line[1600];      /* the line of known_hosts */
    bool known, changed;  /* by known_hosts; it is written as another key */
    bool revoked;         /* by known_hosts: never to be taken */
};
#define SSH_HOST_KEYS 3 /* one of each family at most */
/* Ask a host for its keys, without logging in. *n of them; -1 when it does not answer. */
int ssh_host_keys(const struct ssh_login *login, struct ssh_host_key out[SSH_HOST_KEYS], size_t *n,
                  struct err *err) __attribute__((nonnull, warn_unused_result));
/* Write a key into known_hosts (the first of several files), in the place of all it has of this
 * host and type. */
int ssh_host_trust(const struct ssh_login *login, const struct ssh_host_key *key, struct err *err)
    __attribute__((nonnull, warn_unused_result));

struct ssh_reply {
    char *out; /* NUL-terminated; what came, also when the command failed; ssh_reply_fini */
    size_t out_len;
    char err_text[512]; /* the beginning of standard error */
    int status;         /* exit status; -1 when it is not known */
    bool started;       /* the command may have run, in part or in whole */
};
void ssh_reply_fini(struct ssh_reply *r) __attribute__((nonnull));

/*
 * Run command with input as its standard input and collect what it prints (at most 32 MiB). The
 * user's login shell reads its start files before it runs the command, and these may read standard
 * input: so nothing is sent before the output holds `ready`. When that does not come within
 * ready_ms, standard input is closed, unwritten. 0 when the command ran to its end, whatever its
 * exit status, or when the output holds a line that begins with `end`: what a start file left
 * running may keep the output open for ever. -1: the session is of no use any more. In any case
 * reply->started says whether the other side may have run it, which with an input it only does when
 * some of that was sent.
 */
struct ssh_command {
    const char *line;
    const char *input; /* NULL: standard input is closed at once */
    size_t input_len;
    const char *ready;
    int64_t ready_ms;
    const char *end; /* begins with a line break */
    int64_t timeout_ms;
};
int ssh_run(struct ssh *s, const struct ssh_command *c, struct ssh_reply *reply, struct err *err)
    __attribute__((nonnull, warn_unused_result));
#endif
