/*
 * submit.c - submissions that come at the same time share one round trip.
 *
 * The first thread that comes while nobody is on the way takes all that wait and goes; the others
 * wait for its return. Nobody waits for company: while one group is on its way, the next gathers.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "workers/job/cluster.h"
#include "workers/job/engine_slurm.h"

#define GROUP_MAX 64

struct item {
    const struct job_spec *spec;
    struct job_result *out;
    struct err *err;
    int rc;
    bool done; /* lock */
    struct item *next;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct item *head, **tail; /* lock */
    bool on_the_way;           /* lock */
} batch = {.lock = PTHREAD_MUTEX_INITIALIZER, .returned = PTHREAD_COND_INITIALIZER};

static int build(const struct config *c, struct item *const *group, size_t n, struct strbuf *script,
                 struct err *err)
{
    if (slurm_begin(script, err) != 0) {
        return -1;
    }
    slurm_put_wrapper(script, c);
    for (size_t i = 0; i < n; i++) {
        AUTO(strbuf_fini) struct strbuf env = {0};
        if (job_env_write(c, group[i]->spec, false, &env, err) != 0) {
            return -1;
        }
        slurm_put_submit(script, c, group[i]->spec, env.data);
    }
    return slurm_end(script, err);
}

/* After this every item knows: rc, *out, *err. */
static void go(const struct config *c, struct item *const *group, size_t n)
{
    AUTO(strbuf_fini) struct strbuf script = {0};
    AUTO(free) char *reply = NULL;
    struct err why = {0};
    bool maybe_ran = false;
    int rc = build(c, group, n, &script, &why);
    rc = rc == 0 ? cluster_run(c, &script, &reply, &maybe_ran, &why) : rc;
    for (size_t i = 0; i < n; i++) {
        struct item *one = group[i];
        one->rc = rc != 0 && !maybe_ran ? -1 : 0;
        if (one->rc != 0) {
            *one->err = why;
        } else if (rc == 0) {
            slurm_read_submit(reply, one->spec->name, one->out);
        }
    }
}

/* batch.lock held. Takes up to GROUP_MAX that wait. */
static size_t take_group(struct item *group[GROUP_MAX])
{
    size_t n = 0;
    while (batch.head != NULL && n < GROUP_MAX) {
        group[n++] = batch.head;
        batch.head = batch.head->next;
    }
    if (batch.head == NULL) {
        batch.tail = &batch.head;
    }
    return n;
}

int slurm_batch(const struct config *c, const struct job_spec *spec, struct job_result *out,
                struct err *err)
{
    struct item me = {.spec = spec, .out = out, .err = err};
    *out = (struct job_result){.answer = JOB_CUT};
    pthread_mutex_lock(&batch.lock);
    if (batch.tail == NULL) {
        batch.tail = &batch.head;
    }
    *batch.tail = &me;
    batch.tail = &me.next;
    while (!me.done) {
        if (batch.on_the_way) {
            pthread_cond_wait(&batch.returned, &batch.lock);
            continue;
        }
        struct item *group[GROUP_MAX];
        size_t n = take_group(group);
        batch.on_the_way = true;
        pthread_mutex_unlock(&batch.lock);
        go(c, group, n);
        pthread_mutex_lock(&batch.lock);
        for (size_t i = 0; i < n; i++) {
            group[i]->done = true;
        }
        batch.on_the_way = false;
        pthread_cond_broadcast(&batch.returned);
    }
    pthread_mutex_unlock(&batch.lock);
    return me.rc;
}
