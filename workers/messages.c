/*
 * messages.c - messages that lead to no task: counted, logged at most once a minute, shown in the
 * heartbeat. No more is needed: the task that was meant is in MongoDB, and the scheduler publishes
 * it again.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "workers/runner.h"

void messages_bad(struct runner *r, const struct bus_msg *msg, const char *why)
{
    uint64_t bad = atomic_fetch_add(&r->messages.bad, 1) + 1;
    static struct log_gate gate;
    uint64_t missed = 0;
    if (log_gate_open(&gate, &missed)) {
        log_warn("bad_messages", KV("total", bad), KV("last", why), KV("topic", msg->topic),
                 KV("partition", msg->partition), KV("offset", msg->offset),
                 KV("bytes", (uint64_t)msg->len));
    }
}

/* Why nothing of ours could make the scheduler send this, or "" for what a duplicate explains. */
static void explain(const struct task_pointer *ptr, const bson_t *task, char *why, size_t room)
{
    const char *kind = task != NULL ? doc_str(task, "kind", "") : "";
    why[0] = '\0';
    if (task == NULL) {
        snprintf(why, room, "there is no task %s", ptr->task);
    } else if (strcmp(kind, ptr->kind) != 0) {
        snprintf(why, room, "task %s is of kind %s, not %s", ptr->task, kind, ptr->kind);
    } else if (ptr->fence > doc_i64(task, "fence", 0)) {
        snprintf(why, room, "task %s never had the fence %lld", ptr->task, (long long)ptr->fence);
    }
}

void messages_unclaimed(struct runner *r, const struct handover *h)
{
    char why[1200];
    struct err err = {0};
    AUTO(bson_destroy) bson_t *task = NULL;
    if (db_find_id(r->db, DB_TASKS, h->ptr.task, &task, &err) != 0) {
        return; /* MongoDB is away, so the reason is not known */
    }
    explain(&h->ptr, task, why, sizeof why);
    if (why[0] != '\0') {
        messages_bad(r, h->msg, why);
    } else {
        atomic_fetch_add(&r->messages.stale, 1);
    }
}

void messages_append(struct runner *r, bson_t *out)
{
    BSON_APPEND_INT64(out, "bad", (int64_t)atomic_load(&r->messages.bad));
    BSON_APPEND_INT64(out, "stale", (int64_t)atomic_load(&r->messages.stale));
}
