/*
 * ssh.c - a libssh2 session on a non-blocking socket.
 *
 * libssh2 answers LIBSSH2_ERROR_EAGAIN until the socket is ready; every call is repeated around
 * ssh_wait, which polls in the direction that libssh2 asks for and gives up at the deadline.
 * Logging in takes up to three connections: libssh2 has to say before the handshake which kind of
 * host key it wants, and only afterwards does known_hosts show whether that was the kind we know.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fs.h"
#include "common/ssh/ssh_internal.h"

static void init_library(void)
{
    libssh2_init(0);
}

bool ssh_wait(struct ssh *s)
{
    int64_t left = s->deadline - mono_ms();
    if (left <= 0) {
        return false;
    }
    int directions = libssh2_session_block_directions(s->session);
    struct pollfd p = {.fd = s->fd};
    if ((directions & LIBSSH2_SESSION_BLOCK_INBOUND) != 0 || directions == 0) {
        p.events |= POLLIN;
    }
    if ((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0) {
        p.events |= POLLOUT;
    }
    /* At most a second at a time: nothing hangs should libssh2 name the wrong direction. */
    poll(&p, 1, (int)(left < 1000 ? left : 1000));
    return true;
}

int ssh_fail(struct ssh *s, const char *what, struct err *err)
{
    char *message = NULL;
    int code = libssh2_session_last_error(s->session, &message, NULL, 0);
    if (code == LIBSSH2_ERROR_EAGAIN || mono_ms() >= s->deadline) {
        return ERR(err, ERR_HOLD, ETIMEDOUT, "%s: %s: no answer in time", s->name, what);
    }
    return ERR(err, ERR_HOLD, code, "%s: %s: %s", s->name, what,
               message != NULL && message[0] != '\0' ? message : "connection lost");
}

/* TCP_USER_TIMEOUT: a session whose other side has vanished breaks, and heals, within patience_ms.
 */
static int connect_one(const struct addrinfo *a, int64_t patience_ms, int64_t deadline)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    unsigned patience = (unsigned)patience_ms;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    int code = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int64_t left = deadline - mono_ms();
        socklen_t len = sizeof code;
        code = ETIMEDOUT;
        if (left > 0 && poll(&p, 1, (int)left) == 1) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
        }
    }
    if (code == 0) {
        return fd;
    }
    close(fd);
    errno = code;
    return -1;
}

static int connect_host(const struct ssh_login *login, int64_t deadline, struct err *err)
{
    char port[16];
    snprintf(port, sizeof port, "%d", login->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int bad = getaddrinfo(login->host, port, &hints, &list); /* bounded by resolv.conf */
    if (bad != 0) {
        return ERR(err, ERR_HOLD, bad, "%s: %s", login->host, gai_strerror(bad));
    }
    int fd = -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = connect_one(a, login->connect_ms, deadline);
    }
    int code = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        errno = code;
        return ERR(err, ERR_HOLD, code, "%s:%d: %m", login->host, login->port);
    }
    return fd;
}

void ssh_close(struct ssh *s)
{
    if (s == NULL) {
        return;
    }
    if (s->fd >= 0) {
        shutdown(s->fd, SHUT_RDWR); /* freeing then never waits for the other side */
    }
    if (s->session != NULL) {
        libssh2_session_free(s->session);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s);
}

/* A connection with the handshake done; NULL with *no_such_key when the host has no such key. */
static struct ssh *shake_hands(const struct ssh_login *login, enum host_key family,
                               bool *no_such_key, struct err *err)
{
    AUTO(ssh_close) struct ssh *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_no_memory(err);
        return NULL;
    }
    s->deadline = mono_ms() + login->connect_ms;
    snprintf(s->name, sizeof s->name, "%s:%d", login->host, login->port);
    s->fd = connect_host(login, s->deadline, err);
    if (s->fd < 0) {
        return NULL;
    }
    s->session = libssh2_session_init();
    if (s->session == NULL) {
        err_no_memory(err);
        return NULL;
    }
    libssh2_session_set_blocking(s->session, 0);
    libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, host_key_methods(family));
    int rc = 0;
    do {
        rc = libssh2_session_handshake(s->session, s->fd);
    } while (rc == LIBSSH2_ERROR_EAGAIN && ssh_wait(s));
    if (rc != 0) {
        *no_such_key = rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
        ssh_fail(s, "handshake", err);
        return NULL;
    }
    return TAKE(s);
}

static int log_in_by_key(struct ssh *s, const struct ssh_login *login, struct err *err)
{
    if (key_file_check(login->key_file, err) != 0) {
        return -1;
    }
    int rc = 0;
    do {
        rc = libssh2_userauth_publickey_fromfile_ex(
            s->session, login->user, (unsigned)strlen(login->user), NULL, login->key_file, "");
    } while (rc == LIBSSH2_ERROR_EAGAIN && ssh_wait(s));
    if (rc == 0) {
        return 0;
    }
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED) {
        return ERR(err, ERR_HOLD, rc,
                   "%s does not accept the key %s for user %s: add its public key to that user's "
                   "authorized_keys, or set [ssh] user and key_file",
                   s->name, login->key_file, login->user);
    }
    return ssh_fail(s, "login by key", err);
}

static int log_in_by_password(struct ssh *s, const struct ssh_login *login, struct err *err)
{
    struct err why = {0};
    size_t len = 0;
    AUTO(free) char *word = fs_read(login->password_file, 4096, &len, &why);
    if (word == NULL) {
        return ERR(err, ERR_HOLD, why.code, "[ssh] password_file: %s", why.msg);
    }
    word[strcspn(word, "\r\n")] = '\0';
    int rc = 0;
    do {
        rc = libssh2_userauth_password_ex(s->session, login->user, (unsigned)strlen(login->user),
                                          word, (unsigned)strlen(word), NULL);
    } while (rc == LIBSSH2_ERROR_EAGAIN && ssh_wait(s));
    explicit_bzero(word, len);
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED) {
        return ERR(err, ERR_HOLD, rc,
                   "%s does not accept the password in %s for user %s: set [ssh] user and "
                   "password_file",
                   s->name, login->password_file, login->user);
    }
    return rc == 0 ? 0 : ssh_fail(s, "login by password", err);
}

static int log_in_by_agents_key(struct ssh *s, const struct ssh_login *login,
                                struct agent_signer *signer)
{
    int rc = 0;
    void *ctx = signer;
    do {
        rc = libssh2_userauth_publickey(s->session, login->user, signer->key.data, signer->key.len,
                                        agent_sign, &ctx);
    } while (rc == LIBSSH2_ERROR_EAGAIN && ssh_wait(s));
    return rc;
}

/* The first of the agent's keys that the host takes; RSA keys are of no use (key_file.c). */
static int log_in_by_agent(struct ssh *s, const struct ssh_login *login, struct err *err)
{
    AUTO(agent_close) struct agent *agent = agent_open(s->deadline);
    if (agent == NULL) {
        return ERR(err, ERR_HOLD, 0,
                   "no SSH agent answers at $SSH_AUTH_SOCK: start one for this process, or set "
                   "[ssh] key_file");
    }
    struct agent_signer signer = {.agent = agent};
    uint32_t n = 0;
    int rsa = 0;
    for (; agent_key(agent, n, &signer.key) && mono_ms() < s->deadline; n++) {
        if (agent_key_is(signer.key, "ssh-rsa")) {
            rsa++;
        } else if (log_in_by_agents_key(s, login, &signer) == 0) {
            return 0;
        }
    }
    if (mono_ms() >= s->deadline) {
        return ERR(err, ERR_HOLD, ETIMEDOUT, "%s: login by agent: no answer in time", s->name);
    }
    return ERR(err, ERR_HOLD, 0,
               "%s accepts none of the %u keys of the SSH agent for user %s%s: ssh-add an Ed25519 "
               "or ECDSA key that it knows",
               s->name, n, login->user, rsa > 0 ? " (RSA keys are not tried)" : "");
}

static int log_in(struct ssh *s, const struct ssh_login *login, struct err *err)
{
    if (login->key_file[0] != '\0') {
        return log_in_by_key(s, login, err);
    }
    if (login->agent) {
        return log_in_by_agent(s, login, err);
    }
    if (login->password_file[0] != '\0') {
        return log_in_by_password(s, login, err);
    }
    return ERR(err, ERR_HOLD, 0, "no way to log in: set [ssh] key_file, agent or password_file");
}

static void use_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
}

int ssh_host_keys(const struct ssh_login *login, struct ssh_host_key out[SSH_HOST_KEYS], size_t *n,
                  struct err *err)
{
    _Static_assert((int)SSH_HOST_KEYS == (int)HOST_KEY_COUNT, "room for one of each family");
    use_library();
    *n = 0;
    for (int family = 0; family < HOST_KEY_COUNT; family++) {
        struct err why = {0}, unread = {0};
        bool no_such_key = false;
        struct host_finding found = {0};
        AUTO(ssh_close)
        struct ssh *s = shake_hands(login, (enum host_key)family, &no_such_key, &why);
        if (s == NULL && no_such_key) {
            continue;
        }
        if (s == NULL || host_key_read(s->session, login, &out[*n], &why) != 0) {
            *err = why;
            return -1;
        }
        if (host_check(s->session, login, &found, &unread) == 0) { /* no file: all is unknown */
            out[*n].known = found.verdict == HOST_KNOWN;
            out[*n].changed = found.verdict == HOST_CHANGED;
            out[*n].revoked = found.verdict == HOST_REVOKED;
        }
        (*n)++;
    }
    return 0;
}

struct ssh *ssh_open(const struct ssh_login *login, struct err *err)
{
    use_library();
    struct err unknown = {0};
    for (int family = 0; family < HOST_KEY_COUNT; family++) {
        struct err why = {0};
        bool no_such_key = false;
        struct host_finding found = {0};
        AUTO(ssh_close)
        struct ssh *s = shake_hands(login, (enum host_key)family, &no_such_key, &why);
        if (s == NULL && no_such_key) {
            continue;
        }
        if (s == NULL || host_check(s->session, login, &found, &why) != 0) {
            *err = why;
            return NULL;
        }
        if (found.verdict == HOST_KNOWN) {
            return log_in(s, login, err) == 0 ? TAKE(s) : NULL;
        }
        if (found.verdict != HOST_UNKNOWN) { /* as ssh does: no other key makes up for it */
            host_refuse(s->session, login, &found, err);
            return NULL;
        }
        host_refuse(s->session, login, &found, &unknown);
    }
    if (unknown.kind == ERR_NONE) {
        ERR(&unknown, ERR_HOLD, 0, "%s:%d has no host key that libssh2 %s can check", login->host,
            login->port, libssh2_version(0));
    }
    *err = unknown;
    return NULL;
}
