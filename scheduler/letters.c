/*
 * letters.c - what trawl dead ls lists is also told in <env>.dead: by the leader, from the tasks
 * that say that it was not told yet. Told at least once: whoever dies in between tells it again.
 */
#include "common/log.h"
#include "scheduler/docset.h"
#include "scheduler/scheduler.h"

#define LETTERS_AT_ONCE 500
#define DELIVERY_MS     2000

static int send_letter(struct scheduler *s, const bson_t *task, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("v", BCON_INT32(1), "task", BCON_UTF8(doc_str(task, "_id", "")), "kind",
                           BCON_UTF8(doc_str(task, "kind", "")), "raw_file",
                           BCON_UTF8(doc_str(task, "raw_file", "")), "state",
                           BCON_UTF8(doc_str(task, "state", "")), "error",
                           BCON_UTF8(doc_str(task, "error.msg", "")));
    AUTO(free) char *json = bson_as_relaxed_extended_json(doc, NULL);
    return json != NULL ? bus_send_dead(s->bus, doc_str(task, "_id", ""), json, err)
                        : ERR(err, ERR_TRANSIENT, 0, "out of memory");
}

static int send_letters(struct scheduler *s, const struct docset *dead,
                        const struct bus_stats *before, struct err *err)
{
    for (size_t i = 0; i < dead->n; i++) {
        if (send_letter(s, dead->at[i], err) != 0) {
            return -1;
        }
    }
    return bus_flush(s->bus, before, DELIVERY_MS, err);
}

/* Guarded by the fence: a task that is dead once more meanwhile is told once more. */
static int note_told(struct scheduler *s, const struct docset *dead, struct err *err)
{
    AUTO(free) struct db_change *changes = calloc(dead->n + 1, sizeof *changes);
    if (changes == NULL) {
        return ERR(err, ERR_TRANSIENT, 0, "out of memory");
    }
    for (size_t i = 0; i < dead->n; i++) {
        changes[i] = (struct db_change){
            .filter = BCON_NEW("_id", BCON_UTF8(doc_str(dead->at[i], "_id", "")), "fence",
                               BCON_INT64(doc_i64(dead->at[i], "fence", 0))),
            .update = BCON_NEW("$unset", "{", "untold", BCON_BOOL(true), "}")};
    }
    int rc = db_update_all(s->db, DB_TASKS, changes, dead->n, err);
    for (size_t i = 0; i < dead->n; i++) {
        db_change_fini(&changes[i]);
    }
    return rc;
}

int letters_pass(struct scheduler *s, struct err *err)
{
    struct bus_stats stats;
    struct docset dead = {0};
    bus_stats(s->bus, &stats);
    if (!stats.connected) {
        return 0;
    }
    AUTO(bson_destroy) bson_t *untold = BCON_NEW("untold", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "kind", BCON_INT32(1), "raw_file", BCON_INT32(1),
                            "fence", BCON_INT32(1), "state", BCON_INT32(1), "error", BCON_INT32(1),
                            "}", "limit", BCON_INT64(LETTERS_AT_ONCE));
    int rc = db_each(s->db, DB_TASKS, untold, opts, docset_add, &dead, err);
    struct err why = {0};
    if (rc == 0 && dead.n > 0 && send_letters(s, &dead, &stats, &why) == 0) {
        rc = note_told(s, &dead, err);
    } else if (why.kind != ERR_NONE) { /* Kafka's trouble stops nobody; the next pass tries again */
        static struct log_gate gate;
        uint64_t missed = 0;
        if (log_gate_open(&gate, &missed)) {
            log_err("dead_letters_not_sent", &why);
        }
    }
    docset_clear(&dead);
    return rc;
}
