/*
 * ssh.c - a libssh2 session on a non-blocking socket.
 *
 * libssh2 answers LIBSSH2_ERROR_EAGAIN until the socket is ready; every call is repeated around
 * wait_socket, which polls in the direction that libssh2 asks for and gives up at the deadline.
 * Logging in takes up to three connections: libssh2 has to say before the handshake which kind of
 * host key it wants, and only known_hosts tells afterwards whether that was the kind we know.
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

#include "common/fs.h"
#include "common/mono.h"
#include "common/ssh/ssh_internal.h"

#include "common/ban.h"

#define REPLY_MAX (32u * 1024 * 1024)

struct ssh {
    LIBSSH2_SESSION *session;
    int fd;
    int64_t deadline; /* of what runs now, mono_ms */
    char name[200];   /* host:port, for messages */
};

static void init_library(void)
{
    libssh2_init(0);
}

/* False at the deadline. */
static bool wait_socket(struct ssh *s)
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

static int fail(struct ssh *s, const char *what, struct err *err)
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
        ERR(err, ERR_TRANSIENT, errno, "out of memory");
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
        ERR(err, ERR_TRANSIENT, errno, "out of memory");
        return NULL;
    }
    libssh2_session_set_blocking(s->session, 0);
    libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, host_key_methods(family));
    int rc = 0;
    do {
        rc = libssh2_session_handshake(s->session, s->fd);
    } while (rc == LIBSSH2_ERROR_EAGAIN && wait_socket(s));
    if (rc != 0) {
        *no_such_key = rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
        fail(s, "handshake", err);
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
    } while (rc == LIBSSH2_ERROR_EAGAIN && wait_socket(s));
    if (rc == 0) {
        return 0;
    }
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED) {
        return ERR(err, ERR_HOLD, rc,
                   "%s does not accept the key %s for user %s: add its public key to that user's "
                   "authorized_keys, or set [ssh] user and key_file",
                   s->name, login->key_file, login->user);
    }
    return fail(s, "login by key", err);
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
    } while (rc == LIBSSH2_ERROR_EAGAIN && wait_socket(s));
    explicit_bzero(word, len);
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED) {
        return ERR(err, ERR_HOLD, rc,
                   "%s does not accept the password in %s for user %s: set [ssh] user and "
                   "password_file",
                   s->name, login->password_file, login->user);
    }
    return rc == 0 ? 0 : fail(s, "login by password", err);
}

static int log_in_by_agents_key(struct ssh *s, const struct ssh_login *login,
                                struct agent_signer *signer)
{
    int rc = 0;
    void *ctx = signer;
    do {
        rc = libssh2_userauth_publickey(s->session, login->user, signer->key.data, signer->key.len,
                                        agent_sign, &ctx);
    } while (rc == LIBSSH2_ERROR_EAGAIN && wait_socket(s));
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
        enum host_verdict verdict = HOST_UNKNOWN;
        AUTO(ssh_close)
        struct ssh *s = shake_hands(login, (enum host_key)family, &no_such_key, &why);
        if (s == NULL && no_such_key) {
            continue;
        }
        if (s == NULL || host_key_read(s->session, login, &out[*n], &why) != 0) {
            *err = why;
            return -1;
        }
        if (host_check(s->session, login, &verdict, &unread) == 0) { /* no file: all is unknown */
            out[*n].known = verdict == HOST_KNOWN;
            out[*n].changed = verdict == HOST_CHANGED;
        }
        (*n)++;
    }
    return 0;
}

struct ssh *ssh_open(const struct ssh_login *login, struct err *err)
{
    use_library();
    struct err refused = {0}; /* the clearest reason: a changed key before an unknown one */
    enum host_verdict worst = HOST_KNOWN;
    for (int family = 0; family < HOST_KEY_COUNT; family++) {
        struct err why = {0};
        bool no_such_key = false;
        enum host_verdict verdict = HOST_UNKNOWN;
        AUTO(ssh_close)
        struct ssh *s = shake_hands(login, (enum host_key)family, &no_such_key, &why);
        if (s == NULL && no_such_key) {
            continue;
        }
        if (s == NULL || host_check(s->session, login, &verdict, &why) != 0) {
            *err = why;
            return NULL;
        }
        if (verdict == HOST_KNOWN) {
            return log_in(s, login, err) == 0 ? TAKE(s) : NULL;
        }
        if (worst != HOST_CHANGED && verdict != worst) {
            refused = (struct err){0};
            host_refuse(s->session, login, verdict, &refused);
            worst = verdict;
        }
    }
    if (refused.kind == ERR_NONE) {
        ERR(&refused, ERR_HOLD, 0, "%s:%d has no host key that libssh2 %s can check", login->host,
            login->port, libssh2_version(0));
    }
    *err = refused;
    return NULL;
}

void ssh_reply_fini(struct ssh_reply *r)
{
    free(r->out);
    *r = (struct ssh_reply){0};
}

/* Takes what has come on both streams; false when the reply is too large or memory is short. */
static bool take_output(LIBSSH2_CHANNEL *channel, struct ssh_reply *r, size_t *room, bool *any)
{
    char chunk[16384];
    *any = false;
    for (;;) {
        ssize_t n = libssh2_channel_read_ex(channel, 0, chunk, sizeof chunk);
        if (n <= 0) {
            break;
        }
        *any = true;
        if (r->out_len + (size_t)n + 1 > *room) {
            size_t larger = (*room + (size_t)n + 1) * 2;
            char *grown = larger <= REPLY_MAX ? realloc(r->out, larger) : NULL;
            if (grown == NULL) {
                return false;
            }
            r->out = grown;
            *room = larger;
        }
        memcpy(r->out + r->out_len, chunk, (size_t)n);
        r->out_len += (size_t)n;
        r->out[r->out_len] = '\0';
    }
    for (;;) {
        ssize_t n = libssh2_channel_read_ex(channel, SSH_EXTENDED_DATA_STDERR, chunk, sizeof chunk);
        if (n <= 0) {
            return true;
        }
        *any = true;
        size_t used = strlen(r->err_text);
        size_t fits = sizeof r->err_text - 1 - used;
        fits = (size_t)n < fits ? (size_t)n : fits;
        memcpy(r->err_text + used, chunk, fits);
        r->err_text[used + fits] = '\0';
    }
}

static LIBSSH2_CHANNEL *open_channel(struct ssh *s, struct err *err)
{
    for (;;) {
        LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(s->session);
        if (channel != NULL) {
            return channel;
        }
        if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN || !wait_socket(s)) {
            fail(s, "opening a channel", err);
            return NULL;
        }
    }
}

/* Feed the input and collect the output at the same time, until the other side has closed. */
static int converse(struct ssh *s, LIBSSH2_CHANNEL *channel, const struct ssh_command *c,
                    struct ssh_reply *r, struct err *err)
{
    size_t sent = 0, room = 0;
    bool eof_sent = false;
    for (;;) {
        bool any = false;
        if (!take_output(channel, r, &room, &any)) {
            return ERR(err, ERR_HOLD, EMSGSIZE, "%s: the reply is too large", s->name);
        }
        if (libssh2_channel_eof(channel) == 1) {
            return 0;
        }
        ssize_t rc = 0;
        if (sent < c->input_len) {
            rc = libssh2_channel_write_ex(channel, 0, c->input + sent, c->input_len - sent);
            sent += rc > 0 ? (size_t)rc : 0;
            any = any || rc > 0;
        } else if (!eof_sent) {
            rc = libssh2_channel_send_eof(channel);
            eof_sent = rc == 0;
            any = any || eof_sent;
        }
        int last = libssh2_session_last_errno(s->session);
        bool broken = (rc < 0 && rc != LIBSSH2_ERROR_EAGAIN) ||
                      last == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
                      last == LIBSSH2_ERROR_SOCKET_RECV || last == LIBSSH2_ERROR_SOCKET_SEND;
        if (broken || (!any && !wait_socket(s))) {
            return fail(s, "running a command", err);
        }
    }
}

int ssh_run(struct ssh *s, const struct ssh_command *c, struct ssh_reply *reply, struct err *err)
{
    *reply = (struct ssh_reply){.status = -1};
    s->deadline = mono_ms() + c->timeout_ms;
    LIBSSH2_CHANNEL *channel = open_channel(s, err);
    if (channel == NULL) {
        return -1;
    }
    reply->started = true; /* from here on a failure says nothing about the other side */
    int rc = 0;
    do {
        rc = libssh2_channel_exec(channel, c->line);
    } while (rc == LIBSSH2_ERROR_EAGAIN && wait_socket(s));
    int result = rc == 0 ? converse(s, channel, c, reply, err) : fail(s, "starting a command", err);
    while (result == 0 && libssh2_channel_close(channel) == LIBSSH2_ERROR_EAGAIN &&
           wait_socket(s)) {
    }
    while (result == 0 && libssh2_channel_wait_closed(channel) == LIBSSH2_ERROR_EAGAIN &&
           wait_socket(s)) {
    }
    reply->status = result == 0 ? libssh2_channel_get_exit_status(channel) : -1;
    while (libssh2_channel_free(channel) == LIBSSH2_ERROR_EAGAIN && result == 0 && wait_socket(s)) {
    }
    return result;
}
