/*
 * dead_letters.c - the leader sends each task that trawl dead ls lists to <env>.dead, and clears
 * the task's mark "untold". At least once: the mark is cleared after delivery, so a crash repeats
 * the message.
 */
#include "scheduler/dispatch/dead_letters.h"

#include "common/base/log.h"
#include "common/db/batch.h"
#include "scheduler/scheduler.h"

#define LETTERS_AT_ONCE 500

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
                        : err_no_memory(err);
}

static int send_letters(struct scheduler *s, const struct docs *dead, struct err *err)
{
    for (size_t i = 0; i < dead->n; i++) {
        if (send_letter(s, dead->items[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Guarded by the fence: a task that has died again meanwhile keeps its mark and is sent again. */
static int clear_marks(struct scheduler *s, const struct docs *dead, struct err *err)
{
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < dead->n; i++) {
        const struct db_change unmark = {
            .filter = BCON_NEW("_id", BCON_UTF8(doc_str(dead->items[i], "_id", "")), "fence",
                               BCON_INT64(doc_i64(dead->items[i], "fence", 0))),
            .update = BCON_NEW("$unset", "{", "untold", BCON_BOOL(true), "}")};
        if (db_batch_add(&changes, unmark, err) != 0) {
            return -1;
        }
    }
    return db_batch_write(&changes, s->db, DB_TASKS, err);
}

/* No message is under way: clear the marks of the letters sent by an earlier pass. If any message
 * has failed since, keep the marks, so that the letters are sent again. */
static int settle_sent(struct scheduler *s, const struct bus_stats *now, struct err *err)
{
    int rc = now->failed == s->letters.failed ? clear_marks(s, &s->letters.sent, err) : 0;
    docs_clear(&s->letters.sent);
    return rc;
}

static int find_untold(struct scheduler *s, struct docs *out, struct err *err)
{
    AUTO(bson_destroy) bson_t *untold = BCON_NEW("untold", BCON_BOOL(true));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "kind", BCON_INT32(1), "raw_file", BCON_INT32(1),
                            "fence", BCON_INT32(1), "state", BCON_INT32(1), "error", BCON_INT32(1),
                            "}", "limit", BCON_INT64(LETTERS_AT_ONCE));
    return db_each(s->db, DB_TASKS, untold, opts, docs_add, out, err);
}

int dead_letters_send(struct scheduler *s, struct err *err)
{
    struct bus_stats now;
    bus_stats(s->bus, &now);
    bool under_way = now.delivered + now.failed < now.sent;
    if (!now.connected || (s->letters.sent.n > 0 && under_way)) {
        return 0;
    }
    if (settle_sent(s, &now, err) != 0 || find_untold(s, &s->letters.sent, err) != 0) {
        return -1;
    }
    struct err why = {0};
    s->letters.failed = now.failed;
    if (send_letters(s, &s->letters.sent, &why) != 0) { /* the next pass tries again */
        docs_clear(&s->letters.sent);
        log_err_rarely("dead_letters_not_sent", &why);
    }
    return 0;
}
