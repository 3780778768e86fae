/*
 * command.c - one command over a session. ssh_run opens a channel, starts the command line and then
 * feeds input and collects both outputs in turn (converse), waiting for the socket when neither
 * moved.
 *
 * The input is sent once the other side has printed `ready`; after ready_ms without it only the end
 * of input is sent. The command is known to have ended when the whole line that begins with `end`
 * has come, or the channel's end: a login shell may print anything before and after.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/ssh/ssh_internal.h"

#define REPLY_MAX (32u * 1024 * 1024)

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
        if (libssh2_session_last_errno(s->session) != LIBSSH2_ERROR_EAGAIN || !ssh_wait(s)) {
            ssh_fail(s, "opening a channel", err);
            return NULL;
        }
    }
}

/* One command on its way. */
struct talk {
    LIBSSH2_CHANNEL *channel;
    const struct ssh_command *command;
    struct ssh_reply *reply;
    size_t room;
    size_t looked; /* how far the output was searched for `ready` or `end` */
    size_t sent;
    int64_t ready_by; /* mono_ms */
    bool is_ready, eof_sent;
};

/* Whether the text has come; what was searched once is not searched again. */
static bool has_come(struct talk *t, const char *text)
{
    const struct ssh_reply *r = t->reply;
    size_t len = strlen(text);
    size_t from = t->looked > len ? t->looked - len : 0;
    const char *at = r->out != NULL ? memmem(r->out + from, r->out_len - from, text, len) : NULL;
    t->looked = at == NULL ? r->out_len : (size_t)(at - r->out);
    return at != NULL;
}

/* The whole line that begins with `end`. */
static bool has_ended(struct talk *t)
{
    const struct ssh_reply *r = t->reply;
    if (t->command->input != NULL && !t->is_ready && !t->eof_sent) {
        return false;
    }
    size_t len = strlen(t->command->end);
    return has_come(t, t->command->end) &&
           memchr(r->out + t->looked + len, '\n', r->out_len - t->looked - len) != NULL;
}

/* The next piece of the input, or its end. *any: something went out. */
static ssize_t feed(struct talk *t, bool *any)
{
    const struct ssh_command *c = t->command;
    if (t->eof_sent) {
        return 0;
    }
    if (c->input != NULL && !t->is_ready) {
        t->is_ready = has_come(t, c->ready);
        if (!t->is_ready && mono_ms() < t->ready_by) {
            return 0;
        }
    }
    if (t->is_ready && t->sent < c->input_len) {
        t->reply->started = true;
        ssize_t rc =
            libssh2_channel_write_ex(t->channel, 0, c->input + t->sent, c->input_len - t->sent);
        t->sent += rc > 0 ? (size_t)rc : 0;
        *any = *any || rc > 0;
        return rc;
    }
    int rc = libssh2_channel_send_eof(t->channel);
    t->eof_sent = rc == 0;
    *any = *any || t->eof_sent;
    return rc;
}

/* Feed the input and collect the output at the same time, until the other side has said its last
 * word or closed. */
static int converse(struct ssh *s, struct talk *t, struct err *err)
{
    for (;;) {
        bool any = false;
        if (!take_output(t->channel, t->reply, &t->room, &any)) {
            return ERR(err, ERR_HOLD, EMSGSIZE, "%s: the reply is too large", s->name);
        }
        if (has_ended(t) || libssh2_channel_eof(t->channel) == 1) {
            return 0;
        }
        ssize_t rc = feed(t, &any);
        int last = libssh2_session_last_errno(s->session);
        bool broken = (rc < 0 && rc != LIBSSH2_ERROR_EAGAIN) ||
                      last == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
                      last == LIBSSH2_ERROR_SOCKET_RECV || last == LIBSSH2_ERROR_SOCKET_SEND;
        if (broken || (!any && !ssh_wait(s))) {
            return ssh_fail(s, "running a command", err);
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
    reply->started = c->input == NULL; /* then a failure says nothing about the other side */
    int rc = 0;
    do {
        rc = libssh2_channel_exec(channel, c->line);
    } while (rc == LIBSSH2_ERROR_EAGAIN && ssh_wait(s));
    struct talk talk = {
        .channel = channel, .command = c, .reply = reply, .ready_by = mono_ms() + c->ready_ms};
    int result = rc == 0 ? converse(s, &talk, err) : ssh_fail(s, "starting a command", err);
    while (result == 0 && libssh2_channel_close(channel) == LIBSSH2_ERROR_EAGAIN && ssh_wait(s)) {
    }
    while (result == 0 && libssh2_channel_wait_closed(channel) == LIBSSH2_ERROR_EAGAIN &&
           ssh_wait(s)) {
    }
    reply->status = result == 0 ? libssh2_channel_get_exit_status(channel) : -1;
    while (libssh2_channel_free(channel) == LIBSSH2_ERROR_EAGAIN && result == 0 && ssh_wait(s)) {
    }
    return result;
}
