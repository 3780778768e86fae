/*
 * cluster.c - the session of this process.
 *
 * It is the only mutable state of a file in this folder: steps of several tasks and the watcher
 * share it, and the runner has no place to hand it in. After a failure on all head nodes no
 * connection is tried for a moment, so that a hundred waiting tasks do not knock one after the
 * other.
 */
#include "workers/job/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/ssh/ssh.h"
#include "workers/job/frame.h"

#define CALM_MS  2000 /* after all head nodes failed, no new connection before this has passed */
#define READY_MS 5000 /* a start file that has not ended by then is taken for one that reads */

static struct {
    pthread_mutex_t lock;
    struct ssh *ssh;       /* lock */
    size_t host;           /* lock: index of the head node that answered last */
    int64_t calm_until;    /* lock */
    struct err last_error; /* lock */
    uint64_t logins;       /* lock */
    bool by_pieces;        /* lock: a start file eats the standard input of this session */
} cluster = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* cluster.lock held. Tries each head node once, the one that answered last first. */
static int connect_any(const struct config *c, struct err *err)
{
    struct ssh_host hosts[SSH_HOSTS];
    size_t n = 0;
    if (mono_ms() < cluster.calm_until) {
        *err = cluster.last_error;
        return -1;
    }
    if (ssh_hosts_parse(c->ssh.hosts, hosts, &n, err) != 0) {
        return -1;
    }
    struct err first = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = (cluster.host + i) % n;
        struct err why = {0};
        const struct ssh_login login = ssh_login_of(c, &hosts[at]);
        cluster.ssh = ssh_open(&login, &why);
        if (cluster.ssh != NULL) {
            cluster.host = at;
            cluster.by_pieces = false;
            cluster.logins++;
            log_info("cluster_login", KV("host", hosts[at].host), KV("port", hosts[at].port));
            return 0;
        }
        err_set(&first, why.kind, why.code, why.where, "%s", why.msg);
    }
    cluster.last_error = first;
    cluster.calm_until = mono_ms() + CALM_MS;
    *err = first;
    return err_context(err, "cluster away");
}

/* cluster.lock held. */
static void drop_session(void)
{
    ssh_close(TAKE(cluster.ssh));
}

/* A script on its way. */
struct errand {
    const struct config *cfg;
    const struct strbuf *script;
    char nonce[FRAME_NONCE];
    struct ssh_reply reply;
    char *answer; /* of a reply that was whole */
};

static void auto_errand_fini(struct errand *e)
{
    ssh_reply_fini(&e->reply);
    free(e->answer);
}

/* cluster.lock held. One command and its answer. */
static int send_line(struct errand *e, const char *line, const char *input, enum frame *got,
                     struct err *err)
{
    char ready[FRAME_TOKEN], end[FRAME_TOKEN];
    int64_t patience = e->cfg->ssh.command_ms;
    if (line == NULL) {
        return err_no_memory(err);
    }
    frame_ready(e->nonce, ready);
    frame_end(e->nonce, end);
    const struct ssh_command command = {.line = line,
                                        .input = input,
                                        .input_len = e->script->len,
                                        .ready = ready,
                                        .ready_ms =
                                            patience / 3 < READY_MS ? patience / 3 : READY_MS,
                                        .end = end,
                                        .timeout_ms = patience};
    ssh_reply_fini(&e->reply);
    if (ssh_run(cluster.ssh, &command, &e->reply, err) != 0) {
        return -1;
    }
    *got = frame_open(e->nonce, e->reply.out, e->reply.out_len, &e->answer);
    return 0;
}

/* cluster.lock held. The script as arguments, in as many commands as it needs; it is run by the
 * last one, so that nothing has begun when another one fails. */
static int send_pieces(struct errand *e, enum frame *got, struct err *err)
{
    *got = FRAME_PART;
    for (size_t from = 0; from < e->script->len && *got == FRAME_PART; from += FRAME_PIECE) {
        AUTO(free) char *line = frame_piece(e->nonce, e->script->data, e->script->len, from);
        int rc = send_line(e, line, NULL, got, err);
        if (from + FRAME_PIECE < e->script->len) {
            e->reply.started = false;
        }
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}

/* cluster.lock held. */
static int send_script(struct errand *e, enum frame *got, struct err *err)
{
    if (!cluster.by_pieces) {
        AUTO(free) char *line = frame_line(e->nonce, e->script->len);
        if (send_line(e, line, e->script->data, got, err) != 0) {
            return -1;
        }
        if (*got != FRAME_SHORT) {
            return 0;
        }
        log_warn("cluster_input_eaten", KV("user", e->cfg->ssh.user));
        cluster.by_pieces = true;
    }
    return send_pieces(e, got, err);
}

/* cluster.lock held. One try; a session that broke before the command went out is replaced once. */
static int run_once(struct errand *e, enum frame *got, struct err *err)
{
    for (int try = 0;; try++) {
        bool fresh = cluster.ssh == NULL;
        struct err why = {0};
        if (fresh && connect_any(e->cfg, err) != 0) {
            return -1;
        }
        if (send_script(e, got, &why) == 0) {
            return 0;
        }
        drop_session();
        if (e->reply.started || fresh || try > 0) {
            *err = why;
            return -1;
        }
    }
}

/* What came in the place of an answer, and what to look at. */
static int not_whole(const struct errand *e, enum frame got, struct err *err)
{
    char said[80], wrong[80];
    const struct ssh_reply *r = &e->reply;
    frame_show(r->out, r->out_len, said, sizeof said);
    frame_show(r->err_text, strlen(r->err_text), wrong, sizeof wrong);
    return ERR(err, ERR_HOLD, r->status,
               "the head node's answer was cut%s: it printed \"%s\" and, as errors, \"%s\"; does "
               "\"ssh %s@<head node> /bin/true\" run there, or does a start file of that login end "
               "or replace its shell?",
               got == FRAME_SHORT ? " (the script did not arrive whole)" : "", said, wrong,
               e->cfg->ssh.user);
}

int cluster_run(const struct config *c, const struct strbuf *script, char **reply, bool *maybe_ran,
                struct err *err)
{
    AUTO(errand_fini) struct errand e = {.cfg = c, .script = script};
    enum frame got = FRAME_BROKEN;
    *reply = NULL;
    *maybe_ran = false;
    if (frame_nonce(e.nonce, err) != 0) {
        return -1;
    }
    pthread_mutex_lock(&cluster.lock);
    int result = run_once(&e, &got, err);
    pthread_mutex_unlock(&cluster.lock);
    *maybe_ran = e.reply.started && got != FRAME_SHORT;
    if (result != 0) {
        return -1;
    }
    *reply = TAKE(e.answer);
    return got == FRAME_WHOLE ? 0 : not_whole(&e, got, err);
}

int cluster_ask(const struct config *c, const struct strbuf *script, char **reply, struct err *err)
{
    bool ran = false;
    struct err why = {0};
    if (cluster_run(c, script, reply, &ran, &why) == 0) {
        return 0;
    }
    free(TAKE(*reply));
    if (!ran) {
        *err = why;
        return -1;
    }
    if (cluster_run(c, script, reply, &ran, err) == 0) {
        return 0;
    }
    free(TAKE(*reply));
    return -1;
}

void cluster_close(void)
{
    pthread_mutex_lock(&cluster.lock);
    drop_session();
    cluster.calm_until = 0;
    pthread_mutex_unlock(&cluster.lock);
}

uint64_t cluster_logins(void)
{
    pthread_mutex_lock(&cluster.lock);
    uint64_t logins = cluster.logins;
    pthread_mutex_unlock(&cluster.lock);
    return logins;
}
