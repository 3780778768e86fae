/*
 * plan.c - for each raw file that is not settled: derive the status from its documents (outcome.c),
 * write it down, and plan the tasks that are due.
 *
 * plan_writes.c writes what was decided: tasks first, the raw file's update last, guarded by its
 * rev.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/batch.h"
#include "common/raw/original.h"
#include "common/raw/raw_file.h"
#include "common/task/alert.h"
#include "common/task/kinds.h"
#include "scheduler/plan/outcome.h"
#include "scheduler/plan/plan_tasks.h"
#include "scheduler/watch/watch_reopen.h"

#define SERVE_EVERY_MS 200
#define WRITE_AT_ONCE  250 /* raw files */

/* --- reading --- */

static int load_files(struct plan *p, const bson_t *touched, struct err *err)
{
    bson_t filter = BSON_INITIALIZER;
    if (touched == NULL) {
        BSON_APPEND_BOOL(&filter, "settled", false);
    } else {
        bson_t ids = BSON_INITIALIZER;
        db_append_keys(&ids, touched);
        BCON_APPEND(&filter, "_id", "{", "$in", BCON_ARRAY(&ids), "}");
        bson_destroy(&ids);
    }
    /* A folder may have ten thousand files; what became of them is not needed here. */
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("maxTimeMS", BCON_INT64(DB_LISTING_MS), "projection", "{", "files", BCON_INT32(0),
                 "file_info", BCON_INT32(0), "}"); /* after an import: all */
    int rc = db_each(p->s->db, DB_RAW_FILES, &filter, opts, docs_add, &p->files, err);
    bson_destroy(&filter);
    docs_sort(&p->files);
    return rc;
}

static void append_task_ids(const bson_t *rf, bson_t *ids, uint32_t *n)
{
    bson_t list;
    bson_iter_t at;
    if (!doc_sub(rf, "tasks", &list) || !bson_iter_init(&at, &list)) {
        return;
    }
    while (bson_iter_next(&at)) {
        char key[16];
        const char *k;
        size_t len = bson_uint32_to_string((*n)++, &k, key, sizeof key);
        bson_append_utf8(ids, k, (int)len, bson_iter_utf8(&at, NULL), -1);
    }
}

static int load_tasks(struct docs *tasks, const struct docs *files, struct db *db, struct err *err)
{
    enum { BATCH = 500 };
    int rc = 0;
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "published", BCON_INT32(0), "}");
    for (size_t i = 0; i < files->n && rc == 0;) {
        bson_t ids = BSON_INITIALIZER;
        uint32_t n = 0;
        for (; i < files->n && n < BATCH; i++) {
            append_task_ids(files->items[i], &ids, &n);
        }
        if (n > 0) {
            AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
            rc = db_each(db, DB_TASKS, filter, opts, docs_add, tasks, err);
        }
        bson_destroy(&ids);
    }
    docs_sort(tasks);
    return rc;
}

/* --- writing the outcome down --- */

static struct raw_file_plan facts_of(const struct plan *p, const bson_t *rf,
                                     const struct outcome *o, const bson_t *copy)
{
    /* What was said of a status that stays, by the watch or by AlphaKraken, stays with it. */
    bool says = o->details[0] != '\0' || o->status != raw_file_status(rf) || !o->ended;
    return (struct raw_file_plan){
        .rf = rf,
        .status = o->status,
        .details = says ? o->details : NULL,
        .backup_status = o->backup_status,
        .instrument_file_status = o->instrument_file_status,
        .retire = o->remark ? o->retire : NULL,
        .kept = o->kept,
        .differs = o->differs,
        .copy = o->copied ? copy : NULL,
        .backup = config_cluster_path(&p->s->cfg->location.backup),
        .ended = o->ended,
        .purged = o->purged,
        .restored = o->restored,
    };
}

static int write_outcome(struct plan *p, const struct raw_file_plan *facts, const bson_t *news,
                         const bson_t *new_ids, struct err *err)
{
    bool says = !bson_empty(news) && doc_has(facts->rf, "status");
    const struct ledger_update u = {
        .change = raw_file_planning(facts, news, new_ids),
        .status = says ? doc_str(news, "status", doc_str(facts->rf, "status", "")) : NULL,
        .details = facts->details,
    };
    return u.change.filter == NULL ? 0 : ledger_raw_file(&p->ledger, &u, err);
}

/* Reads the whole document, because its files become what the next copy may replace. */
static int send_back(struct plan *p, const bson_t *rf, const struct outcome *o, struct err *err)
{
    AUTO(bson_destroy) bson_t *whole = NULL;
    if (db_find_id(p->s->db, DB_RAW_FILES, doc_str(rf, "_id", ""), &whole, err) != 0) {
        return -1;
    }
    if (whole == NULL || doc_i64(whole, "rev", 0) != doc_i64(rf, "rev", 0)) {
        return 0; /* it has changed since this pass read it: the next pass decides */
    }
    if (ledger_begin(&p->ledger, doc_str(rf, "_id", ""), err) != 0 ||
        reopen_cancel_jobs(p->s->db, rf, err) != 0 || plan_index(p, rf, false, true, err) != 0) {
        return -1;
    }
    const struct ledger_update u = {
        .change = raw_file_reopening(whole, o->details),
        .status = raw_status_names[o->status],
        .details = o->details,
        .instrument = doc_str(rf, "instrument_id", ""),
    };
    wake_raise(&p->s->wake, doc_str(rf, "_id", ""));
    return ledger_raw_file(&p->ledger, &u, err);
}

static int plan_tasks(struct plan *p, const bson_t *rf, const struct outcome *o, bson_t *new_ids,
                      struct err *err)
{
    if (o->next == NEXT_COPY) {
        return plan_copy(p, rf, new_ids, err);
    }
    if (o->next == NEXT_QUANT && p->s->plan_trouble.kind == ERR_NONE) {
        const bson_t *settings[RESOLVE_MAX];
        size_t n = plan_resolve(p, rf, settings);
        for (size_t i = 0; i < n; i++) {
            if (plan_quant(p, rf, settings[i], new_ids, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

#define QUANT_MAX 64

/* It ended before the raw file went back to monitoring: its work must be done again. */
static bool is_outdated(const bson_t *task, const bson_t *rf)
{
    enum task_state state = TASK_READY;
    return doc_i64(task, "round", 0) < doc_i64(rf, "round", 0) &&
           task_state_parse(doc_str(task, "state", ""), &state) == 0 && task_is_terminal(state);
}

static size_t collect_tasks(const struct plan *p, const bson_t *rf, struct outcome_tasks *tasks,
                            const bson_t *quant[QUANT_MAX])
{
    bson_t list;
    bson_iter_t at;
    *tasks = (struct outcome_tasks){.quant = quant};
    for (bool more =
             doc_sub(rf, "tasks", &list) && bson_iter_init(&at, &list) && bson_iter_next(&at);
         more; more = bson_iter_next(&at)) {
        const bson_t *t = docs_find(&p->tasks, bson_iter_utf8(&at, NULL));
        const char *kind = t != NULL ? doc_str(t, "kind", "") : "";
        bool outdated = t != NULL && !task_kind(kind)->retires && is_outdated(t, rf);
        if (outdated) {
            continue;
        }
        if (strcmp(kind, "copy") == 0) {
            tasks->copy = t;
        } else if (strcmp(kind, "quant") == 0 && tasks->n_quant < QUANT_MAX) {
            quant[tasks->n_quant++] = t;
        } else if (strcmp(kind, "move") == 0) {
            tasks->move = t;
        } else if (strcmp(kind, "remove") == 0) {
            tasks->remove = t;
        }
    }
    return tasks->n_quant;
}

/* What was moved to Backup cannot be acquired again: alert people, until it is gone or compared
 * again. */
static int alert_of_difference(struct plan *p, const bson_t *rf, const struct outcome *o,
                               struct err *err)
{
    char text[500];
    snprintf(text, sizeof text, "its original in Backup is not what was backed up: %.300s",
             o->differs != NULL ? o->differs : "");
    const struct alert alert = {.kind = ORIGINAL_ALERT,
                                .raw_file = doc_str(rf, "_id", ""),
                                .text = text,
                                .by = "trawl-scheduler"};
    if (o->differs != NULL) {
        return alert_open(p->s->db, &alert, err);
    }
    return o->purged && doc_has(rf, "original") ? alert_close(p->s->db, &alert, err) : 0;
}

/* Its name at the instrument may be another raw file's by now: the watch follows that one only. */
static int find_replaced(struct plan *p, const bson_t *rf, bool *replaced, struct err *err)
{
    int64_t n = 0;
    AUTO(bson_destroy)
    bson_t *later =
        BCON_NEW("original_name", BCON_UTF8(doc_str(rf, "original_name", "")), "instrument_id",
                 BCON_UTF8(doc_str(rf, "instrument_id", "")), "created_at_", "{", "$gt",
                 BCON_DATE_TIME(doc_i64(rf, "created_at_", 0)), "}");
    int rc = db_count(p->s->db, DB_RAW_FILES, later, &n, err);
    *replaced = n > 0;
    return rc;
}

/* AlphaKraken's, for a copy with MD5s. A broken list must not stop the pass: what needs the list
 * says so itself. bson_destroy. */
static bson_t *info_of(const struct plan *p, const bson_t *copy, struct err *err)
{
    struct err why = {0};
    if (strcmp(doc_str(copy, "input.digest", p->s->cfg->copy.digest), "md5") != 0) {
        return bson_new();
    }
    bson_t *info = raw_file_info_of(p->s->db, copy, &why);
    if (info != NULL) {
        return info;
    }
    if (why.kind != ERR_INVALID || err_is_of_database(&why)) {
        *err = why;
        return NULL;
    }
    log_err_rarely("plan", &why);
    return bson_new();
}

static int derive(struct plan *p, const bson_t *rf, struct outcome_tasks *tasks, struct outcome *o,
                  struct err *err)
{
    const bson_t *settings[RESOLVE_MAX];
    struct instrument_facts f =
        instruments_facts(p->s->instruments, doc_str(rf, "instrument_id", ""));
    struct instrument i = {
        .type = f.type, .skip_processing = f.skip_processing, .skip_quanting = f.skip_quanting};
    bool usable = p->s->plan_trouble.kind == ERR_NONE;
    bool resolves = !usable || plan_resolve(p, rf, settings) > 0;
    outcome_of(rf, tasks, f.known ? &i : NULL, resolves, o);
    if (o->next == NEXT_MONITOR_AGAIN && find_replaced(p, rf, &tasks->replaced, err) != 0) {
        return -1;
    }
    if (tasks->replaced) {
        outcome_of(rf, tasks, f.known ? &i : NULL, resolves, o);
    }
    return 0;
}

static int plan_one(struct plan *p, const bson_t *rf, struct err *err)
{
    const bson_t *quant[QUANT_MAX];
    struct outcome_tasks tasks;
    struct outcome o;
    collect_tasks(p, rf, &tasks, quant);
    if (derive(p, rf, &tasks, &o, err) != 0) {
        return -1;
    }
    if (o.next == NEXT_MONITOR_AGAIN) {
        return send_back(p, rf, &o, err);
    }
    struct raw_file_plan facts = facts_of(p, rf, &o, tasks.copy);
    struct err bug = {0};
    AUTO(bson_destroy) bson_t *info = NULL;
    if (raw_file_adopts(&facts) && (info = info_of(p, tasks.copy, err)) == NULL) {
        return -1;
    }
    facts.info = info;
    AUTO(bson_destroy) bson_t *news = raw_file_news(&facts, &bug);
    if (news == NULL) { /* the raw file keeps its status, and nothing is planned for it */
        err_context(&bug, "plan %s", doc_str(rf, "_id", ""));
        log_err_rarely("plan", &bug);
        return 0;
    }
    bson_t new_ids = BSON_INITIALIZER;
    int rc = alert_of_difference(p, rf, &o, err) != 0
                 ? -1
                 : ledger_begin(&p->ledger, doc_str(rf, "_id", ""), err);
    rc = rc == 0 ? plan_tasks(p, rf, &o, &new_ids, err) : rc;
    bool changes = !bson_empty(news), has_task = o.ended || !bson_empty(&new_ids);
    rc = rc == 0 ? plan_index(p, rf, o.ended, changes, err) : rc;
    rc = rc == 0 ? write_outcome(p, &facts, news, &new_ids, err) : rc;
    /* The end of a task wakes us; without one, decide now what follows. */
    if (changes && !has_task) {
        wake_raise(&p->s->wake, doc_str(rf, "_id", ""));
    }
    bson_destroy(&new_ids);
    return rc;
}

/* An operator skipped or ignored this task. Its mark goes last, so that no crash leaves the raw
 * file unplanned. */
static int unsettle_unplanned(void *ctx, const bson_t *task, struct err *err)
{
    struct plan *p = ctx;
    bool won;
    const char *raw_file = doc_str(task, "raw_file", "");
    if (raw_file_make(p->s->db, raw_file_unsettling(raw_file, false), &won, err) != 0) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(task, "_id", "")));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$unset", "{", "unplanned", BCON_BOOL(true), "}");
    return db_update(p->s->db, DB_TASKS, filter, update, &won, err);
}

/* A settled raw file with an open task (an operator's retry) is planned again. Open moves and
 * removals leave it settled: plan_retire.c. */
static int unsettle_files(struct plan *p, struct err *err)
{
    AUTO(bson_destroy) bson_t *unplanned = BCON_NEW("unplanned", BCON_BOOL(true));
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "raw_file", BCON_INT32(1), "}");
    if (db_each(p->s->db, DB_TASKS, unplanned, opts, unsettle_unplanned, p, err) != 0) {
        return -1;
    }
    AUTO_BATCH changes = {0};
    for (size_t i = 0; i < p->s->dispatch.n_open; i++) {
        const struct open_task *t = &p->s->dispatch.open[i];
        bool planned = docs_find(&p->files, t->raw_file) != NULL || task_kind(t->kind)->retires;
        if (!planned && db_batch_add(&changes, raw_file_unsettling(t->raw_file, false), err) != 0) {
            return -1;
        }
    }
    return db_batch_write(&changes, p->s->db, DB_RAW_FILES, err);
}

static int write_and_serve(struct plan *p, struct err *err)
{
    if (ledger_write(&p->ledger, p->s, err) != 0 || p->serve(p->s, &p->planned, err) != 0 ||
        plan_collect_indexing(p, err) != 0) {
        return -1;
    }
    bson_reinit(&p->planned);
    return 0;
}

/* Settings that are refused, as AlphaKraken's are, hold back what would be quantified. */
static int load_book(struct plan *p, struct err *err)
{
    struct err why = {0};
    int rc = settings_book_load(&p->book, p->s->db, &why);
    settings_book_rule(&p->book, p->s->cfg);
    if (rc != 0 && (why.kind != ERR_INVALID || err_is_of_database(&why))) {
        *err = why;
        return -1;
    }
    p->s->plan_trouble = why;
    return 0;
}

static int plan_all(struct plan *p, const bson_t *touched, struct err *err)
{
    if (load_files(p, touched, err) != 0 || (touched == NULL && unsettle_files(p, err) != 0)) {
        return -1;
    }
    if ((p->files.n > 0 || touched == NULL) && load_book(p, err) != 0) {
        return -1;
    }
    if (p->files.n == 0) {
        return 0;
    }
    if (load_tasks(&p->tasks, &p->files, p->s->db, err) != 0 ||
        (touched == NULL && plan_collect_indexing(p, err) != 0)) {
        return -1;
    }
    int64_t served_ms = mono_ms();
    for (size_t i = 0; i < p->files.n; i++) {
        if (plan_one(p, p->files.items[i], err) != 0) {
            return -1;
        }
        if (p->ledger.n >= WRITE_AT_ONCE || mono_ms() - served_ms >= SERVE_EVERY_MS) {
            if (write_and_serve(p, err) != 0) {
                return -1;
            }
            served_ms = mono_ms();
        }
    }
    bool serves = touched == NULL && !bson_empty(&p->planned);
    return serves ? write_and_serve(p, err) : ledger_write(&p->ledger, p->s, err);
}

int plan_pass(struct scheduler *s, const bson_t *touched, plan_serve_fn *serve, struct err *err)
{
    if (touched != NULL && bson_empty(touched)) {
        return 0;
    }
    struct plan p = {.s = s, .serve = serve, .planned = BSON_INITIALIZER};
    int rc = plan_all(&p, touched, err);
    ledger_clear(&p.ledger);
    docs_clear(&p.files);
    docs_clear(&p.tasks);
    settings_book_clear(&p.book);
    bson_destroy(&p.planned);
    strset_clear(&p.indexing);
    return rc;
}
