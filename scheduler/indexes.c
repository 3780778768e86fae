/*
 * indexes.c - indexes are made beside the work: a build over a million documents takes minutes, and
 * planning needs none of them but for its speed. A build that takes longer than a command's
 * deadline continues in the server; the next round waits for it again.
 */
#include "scheduler/indexes.h"

#include "common/base/log.h"
#include "common/db/db_index.h"
#include "common/task/alert.h"
#include "scheduler/scheduler.h"

#define AGAIN_MS 30000  /* after a round that did not end */
#define REST_MS  600000 /* an administrator may drop one at any time */

static void report(void *ctx, const char *name, const char *why)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    struct scheduler *s = ctx;
    struct err err = {0};
    const struct alert alert = {.kind = "index_differs",
                                .raw_file = name, /* the field of what an alert is about */
                                .text = why != NULL ? why : "",
                                .by = "trawl-scheduler"};
    if (why != NULL && log_gate_open(&gate, &missed)) {
        log_warn("index_differs", KV("index", name), KV("why", why), KV("missed", missed));
    }
    int rc = why != NULL ? alert_open(s->db, &alert, &err) : alert_close(s->db, &alert, &err);
    if (rc != 0) {
        log_err_rarely("index_alert", &err);
    }
}

int64_t indexes_round(struct chore *c, struct scheduler *s)
{
    for (const char *const *coll = db_indexed_collections; *coll != NULL; coll++) {
        struct err err = {0};
        if (!chore_continues(c, 0)) {
            return 0;
        }
        if (db_indexes_ensure(s->db, *coll, report, s, &err) != 0) {
            log_err_rarely("indexes", &err);
            return AGAIN_MS;
        }
    }
    return REST_MS;
}
