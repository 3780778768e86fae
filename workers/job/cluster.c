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

#include "common/log.h"
#include "common/mono.h"
#include "common/ssh/ssh.h"
#include "workers/job/slurm.h"

#include "common/ban.h"

#define HOSTS_MAX  8
#define CALM_MS    2000 /* no new connection for so long after all head nodes failed */
#define REMOTE_CMD "exec /bin/bash -s"

static struct {
    pthread_mutex_t lock;
    struct ssh *ssh;       /* lock */
    size_t host;           /* lock: index of the head node that answered last */
    int64_t calm_until;    /* lock */
    struct err last_error; /* lock */
    uint64_t logins;       /* lock */
} cluster = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int parse_hosts(const char *text, struct ssh_host *out, size_t *n, struct err *err)
{
    *n = 0;
    for (const char *at = text; *at != '\0' && *n < HOSTS_MAX;) {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ", ");
        if (len == 0) {
            break;
        }
        if (!ssh_host_parse(at, len, &out[*n])) {
            return ERR(err, ERR_HOLD, 0, "[ssh] hosts: \"%s\" is not host:port,host:port", text);
        }
        (*n)++;
        at += len;
    }
    return *n > 0 ? 0 : ERR(err, ERR_HOLD, 0, "[ssh] hosts is empty: no head node to log in to");
}

/* cluster.lock held. Tries each head node once, the one that answered last first. */
static int connect_any(const struct config *c, struct err *err)
{
    struct ssh_host hosts[HOSTS_MAX];
    size_t n = 0;
    if (mono_ms() < cluster.calm_until) {
        *err = cluster.last_error;
        return -1;
    }
    if (parse_hosts(c->ssh.hosts, hosts, &n, err) != 0) {
        return -1;
    }
    struct err first = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = (cluster.host + i) % n;
        struct err why = {0};
        cluster.ssh = ssh_open(&(struct ssh_login){.host = hosts[at].host,
                                                   .port = hosts[at].port,
                                                   .user = c->ssh.user,
                                                   .key_file = c->ssh.key_file,
                                                   .agent = c->ssh.agent,
                                                   .password_file = c->ssh.password_file,
                                                   .known_hosts = c->ssh.known_hosts,
                                                   .connect_ms = c->ssh.connect_ms},
                               &why);
        if (cluster.ssh != NULL) {
            cluster.host = at;
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

/* cluster.lock held. One try; a session that broke before the command went out is replaced once. */
static int run_once(const struct config *c, const struct text *script, struct ssh_reply *reply,
                    struct err *err)
{
    struct ssh_command command = {REMOTE_CMD, script->data, script->len, c->ssh.command_ms};
    for (int try = 0;; try++) {
        bool fresh = cluster.ssh == NULL;
        struct err why = {0};
        if (fresh && connect_any(c, err) != 0) {
            return -1;
        }
        ssh_reply_fini(reply);
        if (ssh_run(cluster.ssh, &command, reply, &why) == 0) {
            return 0;
        }
        drop_session();
        if (reply->started || fresh || try > 0) {
            *err = why;
            return -1;
        }
    }
}

int cluster_run(const struct config *c, const struct text *script, char **reply, bool *maybe_ran,
                struct err *err)
{
    struct ssh_reply r = {0};
    pthread_mutex_lock(&cluster.lock);
    int result = run_once(c, script, &r, err);
    pthread_mutex_unlock(&cluster.lock);
    *maybe_ran = r.started;
    if (result == 0 && (r.out == NULL || !slurm_reply_whole(r.out))) {
        result = ERR(err, ERR_HOLD, r.status, "the head node's answer was cut (exit %d): %.200s",
                     r.status, r.err_text);
    }
    *reply = TAKE(r.out);
    ssh_reply_fini(&r);
    return result;
}

int cluster_ask(const struct config *c, const struct text *script, char **reply, struct err *err)
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
