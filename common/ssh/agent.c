/*
 * agent.c - the keys of an SSH agent, by its protocol (RFC draft-ietf-sshm-ssh-agent): libssh2's
 * own client waits for an agent for ever.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/ssh/ssh_internal.h"

#define ANSWER_MAX 262144

enum message {
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
};

struct agent {
    int fd;
    int64_t deadline;
    unsigned char *keys; /* the answer to REQUEST_IDENTITIES */
    size_t len;
};

/* --- bytes --- */

struct reader {
    const unsigned char *at;
    size_t left;
};

static bool read_u32(struct reader *r, uint32_t *out)
{
    uint32_t raw;
    if (r->left < sizeof raw) {
        return false;
    }
    memcpy(&raw, r->at, sizeof raw);
    *out = ntohl(raw);
    r->at += sizeof raw;
    r->left -= sizeof raw;
    return true;
}

/* A view into the reader's bytes. */
static bool read_string(struct reader *r, struct ssh_bytes *out)
{
    uint32_t len;
    if (!read_u32(r, &len) || len > r->left) {
        return false;
    }
    *out = (struct ssh_bytes){r->at, len};
    r->at += len;
    r->left -= len;
    return true;
}

static unsigned char *put_u32(unsigned char *to, size_t value)
{
    uint32_t raw = htonl((uint32_t)value);
    memcpy(to, &raw, sizeof raw);
    return to + sizeof raw;
}

static unsigned char *put_string(unsigned char *to, struct ssh_bytes s)
{
    to = put_u32(to, s.len);
    memcpy(to, s.data, s.len);
    return to + s.len;
}

/* --- the socket --- */

static bool wait_for(const struct agent *a, short events)
{
    struct pollfd p = {.fd = a->fd, .events = events};
    int n;
    do {
        int64_t left = a->deadline - mono_ms();
        n = left > 0 ? poll(&p, 1, (int)(left < INT32_MAX ? left : INT32_MAX)) : 0;
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

static bool again(int code)
{
    return code == EAGAIN || code == EINTR;
}

static bool send_all(const struct agent *a, const unsigned char *data, size_t len)
{
    while (len > 0 && wait_for(a, POLLOUT)) {
        ssize_t n = send(a->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && !again(errno)) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return len == 0;
}

static bool receive_all(const struct agent *a, unsigned char *data, size_t len)
{
    while (len > 0 && wait_for(a, POLLIN)) {
        ssize_t n = recv(a->fd, data, len, 0);
        if (n == 0 || (n < 0 && !again(errno))) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return len == 0;
}

/* What the agent answers with this kind of message, without its length and kind; NULL when it
 * answers otherwise or not in time. Freed by the caller. */
static unsigned char *ask(const struct agent *a, const unsigned char *request, size_t request_len,
                          enum message answer, size_t *len)
{
    unsigned char head[5];
    struct reader r = {head, sizeof head};
    uint32_t n = 0;
    if (!send_all(a, request, request_len) || !receive_all(a, head, sizeof head) ||
        !read_u32(&r, &n) || n < 1 || n > ANSWER_MAX || head[4] != answer) {
        return NULL;
    }
    *len = n - 1;
    AUTO(free) unsigned char *body = malloc(*len + 1);
    return body != NULL && receive_all(a, body, *len) ? TAKE(body) : NULL;
}

/* A socket of this host connects at once, or is asked again while the agent is too busy for it. */
static bool connect_agent(const struct agent *a, const struct sockaddr_un *to)
{
    enum { AGAIN_MS = 20 };
    while (connect(a->fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        if (!again(errno) || mono_ms() >= a->deadline) {
            return false;
        }
        mono_sleep_ms(AGAIN_MS);
    }
    return true;
}

void agent_close(struct agent *a)
{
    if (a != NULL) {
        if (a->fd >= 0) {
            close(a->fd);
        }
        free(a->keys);
        free(a);
    }
}

struct agent *agent_open(int64_t deadline)
{
    const char *path = getenv("SSH_AUTH_SOCK");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    AUTO(agent_close) struct agent *a = calloc(1, sizeof *a);
    if (a == NULL || path == NULL || strlen(path) >= sizeof to.sun_path) {
        return NULL;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    a->deadline = deadline;
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unsigned char request[5];
    put_u32(request, 1)[0] = REQUEST_IDENTITIES;
    if (a->fd < 0 || !connect_agent(a, &to) ||
        (a->keys = ask(a, request, sizeof request, IDENTITIES_ANSWER, &a->len)) == NULL) {
        return NULL;
    }
    return TAKE(a);
}

bool agent_key(const struct agent *a, uint32_t i, struct ssh_bytes *out)
{
    struct reader r = {a->keys, a->len};
    struct ssh_bytes comment;
    uint32_t n = 0;
    bool there = read_u32(&r, &n) && i < n;
    for (uint32_t k = 0; there && k <= i; k++) {
        there = read_string(&r, out) && read_string(&r, &comment);
    }
    return there;
}

bool agent_key_is(struct ssh_bytes key, const char *type)
{
    struct reader r = {key.data, key.len};
    struct ssh_bytes name;
    return read_string(&r, &name) && name.len == strlen(type) &&
           memcmp(name.data, type, name.len) == 0;
}

/* A signature is a string in a string: its method, and what libssh2 wants. It frees that. */
static int take_signature(const unsigned char *answer, size_t len, unsigned char **out,
                          size_t *out_len)
{
    struct reader whole = {answer, len};
    struct ssh_bytes signature, method, bytes;
    if (!read_string(&whole, &signature)) {
        return -1;
    }
    struct reader inner = {signature.data, signature.len};
    if (!read_string(&inner, &method) || !read_string(&inner, &bytes) ||
        (*out = malloc(bytes.len + 1)) == NULL) {
        return -1;
    }
    memcpy(*out, bytes.data, bytes.len);
    *out_len = bytes.len;
    return 0;
}

int agent_sign(LIBSSH2_SESSION *session, unsigned char **out, size_t *out_len,
               const unsigned char *data, size_t data_len, void **ctx)
{
    (void)session;
    const struct agent_signer *s = *ctx;
    size_t body = 1 + 4 + s->key.len + 4 + data_len + 4, len = 0;
    AUTO(free) unsigned char *request = malloc(4 + body);
    if (request == NULL) {
        return -1;
    }
    unsigned char *at = put_u32(request, body);
    *at++ = SIGN_REQUEST;
    at = put_string(at, s->key);
    at = put_string(at, (struct ssh_bytes){data, data_len});
    put_u32(at, 0); /* no flags */
    AUTO(free) unsigned char *answer = ask(s->agent, request, 4 + body, SIGN_RESPONSE, &len);
    return answer == NULL ? -1 : take_signature(answer, len, out, out_len);
}
