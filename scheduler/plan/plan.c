/*
 * plan.c - for each raw file that is not settled: what do its documents mean (outcome.c), write the
 * status down, and plan the tasks that are due.
 *
 * What is decided goes through plan_writes.c: tasks first, the raw file's update last, guarded by
 * its rev.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/path.h"
#include "common/raw/original.h"
#include "common/task/alert.h"
#include "common/task/kinds.h"
#include "scheduler/plan/outcome.h"
#include "scheduler/plan/plan.h"
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
    /* A folder may have ten thousand files; what became of them is not looked at here. */
    AUTO(bson_destroy)
    bson_t *opts =
        BCON_NEW("projection", "{", "files", BCON_INT32(0), "file_info", BCON_INT32(0), "}");
    int rc = db_each(p->s->db, DB_RAW_FILES, &filter, opts, docset_add, &p->files, err);
    bson_destroy(&filter);
    docset_sort(&p->files);
    return rc;
}

/* --- writing the outcome down --- */

/* AlphaKraken's: path -> [size, md5], or [size, md5, "<ETag>__<MiB of a part>"]. */
static void append_one_info(const bson_t *file, bson_t *info)
{
    bson_t one;
    const char *etag = doc_str(file, "etag", "");
    BSON_APPEND_ARRAY_BEGIN(info, doc_str(file, "path", ""), &one);
    BSON_APPEND_INT64(&one, "0", doc_i64(file, "size", 0));
    BSON_APPEND_UTF8(&one, "1", doc_str(file, "md5", ""));
    if (etag[0] != '\0') {
        BSON_APPEND_UTF8(&one, "2", etag);
    }
    bson_append_array_end(info, &one);
}

static void append_file_info(const bson_t *files, bson_t *set)
{
    bson_t info = BSON_INITIALIZER;
    bson_iter_t at;
    for (bool more = bson_iter_init(&at, files) && bson_iter_next(&at); more;
         more = bson_iter_next(&at)) {
        bson_t file;
        if (!doc_sub(files, bson_iter_key(&at), &file) || !doc_has(&file, "md5")) {
            continue;
        }
        append_one_info(&file, &info);
    }
    if (!bson_empty(&info)) {
        BSON_APPEND_DOCUMENT(set, "file_info", &info);
    }
    bson_destroy(&info);
}

static void append_copied(struct plan *p, const bson_t *rf, const bson_t *copy, bson_t *set)
{
    bson_t files;
    if (doc_has(rf, "backup_base_path") || !doc_sub(copy, "result.files", &files)) {
        return;
    }
    char month[8], base[1200];
    path_month(doc_i64(rf, "created_at", 0), month);
    snprintf(base, sizeof base, "%s/%s/%s", config_cluster_path(&p->s->cfg->location.backup),
             doc_str(rf, "instrument_id", ""), month);
    BSON_APPEND_ARRAY(set, "files", &files);
    BSON_APPEND_INT64(set, "size", doc_i64(copy, "result.size", 0));
    BSON_APPEND_DATE_TIME(set, "copied_at", doc_i64(copy, "ended_at", wall_ms()));
    BSON_APPEND_UTF8(set, "backup_base_path", base);
    append_file_info(&files, set);
}

static void append_text(bson_t *set, const bson_t *rf, const char *field, const char *value)
{
    if (value != NULL && strcmp(doc_str(rf, field, ""), value) != 0) {
        BSON_APPEND_UTF8(set, field, value);
    }
}

/* What changes in the raw file; empty when it stands there already. */
static void append_changes(struct plan *p, const bson_t *rf, const struct outcome *o,
                           const bson_t *copy, bson_t *set)
{
    append_text(set, rf, "status", o->status);
    append_text(set, rf, "status_details", o->details);
    append_text(set, rf, "backup_status", o->backup_status);
    append_text(set, rf, "instrument_file_status", o->instrument_file_status);
    if (o->copied) {
        append_copied(p, rf, copy, set);
    }
    if (o->differs != NULL && strcmp(doc_str(rf, "original.why", ""), o->differs) != 0) {
        BCON_APPEND(set, "original", "{", "state", "differs", "at", BCON_DATE_TIME(wall_ms()), "by",
                    "remove", "why", BCON_UTF8(o->differs), "}");
    }
    if (o->kept != NULL) {
        BCON_APPEND(set, "remove_refused", "{", "at", BCON_DATE_TIME(wall_ms()), "why",
                    BCON_UTF8(o->kept), "}");
    }
}

static bool is_purged(const struct outcome *o)
{
    return o->instrument_file_status != NULL && strcmp(o->instrument_file_status, "purged") == 0;
}

static void append_unset(const bson_t *rf, const struct outcome *o, bson_t *update)
{
    bson_t unset = BSON_INITIALIZER;
    if (o->remark && o->retire[0] == '\0') {
        BSON_APPEND_BOOL(&unset, "retire", true);
    }
    bool purged = is_purged(o);
    if (purged && doc_has(rf, "remove_refused")) {
        BSON_APPEND_BOOL(&unset, "remove_refused", true);
    }
    if (purged && doc_has(rf, "original")) { /* there is none any more */
        BSON_APPEND_BOOL(&unset, "original", true);
    }
    if (!bson_empty(&unset)) {
        BSON_APPEND_DOCUMENT(update, "$unset", &unset);
    }
    bson_destroy(&unset);
}

/* All but what set itself says; adds to set what goes with a change. */
static void make_update(const bson_t *rf, const struct outcome *o, bson_t *set,
                        const bson_t *new_ids, bson_t *update)
{
    bson_t inc;
    if (!bson_empty(set)) {
        BSON_APPEND_BOOL(set, "dirty", true);
        BSON_APPEND_DATE_TIME(set, "updated_at_", wall_ms());
        BSON_APPEND_DOCUMENT_BEGIN(update, "$inc", &inc);
        BSON_APPEND_INT64(&inc, "rev", 1);
        bson_append_document_end(update, &inc);
    }
    if (o->remark && o->retire[0] != '\0') {
        BSON_APPEND_UTF8(set, "retire", o->retire);
    }
    if (!bson_empty(new_ids)) {
        BCON_APPEND(update, "$addToSet", "{", "tasks", "{", "$each", BCON_ARRAY(new_ids), "}", "}");
    }
    append_unset(rf, o, update);
}

static int write_outcome(struct plan *p, const bson_t *rf, bson_t *set, const bson_t *new_ids,
                         const struct outcome *o, struct err *err)
{
    bool changed = !bson_empty(set);
    bool settled = o->ended && !changed && !doc_bool(rf, "dirty", false);
    if (!changed && bson_empty(new_ids) && !o->remark &&
        settled == doc_bool(rf, "settled", false)) {
        return 0;
    }
    bson_t *update = bson_new();
    make_update(rf, o, set, new_ids, update);
    BSON_APPEND_BOOL(set, "settled", settled);
    BSON_APPEND_DOCUMENT(update, "$set", set);
    bool told = changed && doc_has(rf, "status");
    bson_t *proof = BCON_NEW("_id", BCON_UTF8(doc_str(rf, "_id", "")), "rev",
                             BCON_INT64(doc_i64(rf, "rev", 0) + changed), "updated_at_",
                             BCON_DATE_TIME(doc_i64(set, "updated_at_", 0)));
    const struct ledger_update u = {
        .change = {.filter = doc_guard(rf), .update = update, .proof = proof},
        .status = told ? o->status : NULL,
        .details = o->details,
    };
    return ledger_raw_file(&p->ledger, &u, err);
}

/* The whole document: its files become what the next copy may replace. */
static int send_back(struct plan *p, const bson_t *rf, const struct outcome *o, struct err *err)
{
    AUTO(bson_destroy) bson_t *whole = NULL;
    if (db_find_id(p->s->db, DB_RAW_FILES, doc_str(rf, "_id", ""), &whole, err) != 0) {
        return -1;
    }
    if (whole == NULL || doc_i64(whole, "rev", 0) != doc_i64(rf, "rev", 0)) {
        return 0; /* it has changed since this pass read it: the next one decides */
    }
    if (ledger_begin(&p->ledger, doc_str(rf, "_id", ""), err) != 0 ||
        reopen_cancel_jobs(p->s->db, rf, err) != 0 || plan_index(p, rf, false, true, err) != 0) {
        return -1;
    }
    const struct ledger_update u = {
        .change = reopen_change(whole, o->details),
        .status = o->status,
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
    if (o->next == NEXT_QUANT) {
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

/* It ended before the raw file went back to monitoring: what it was about is to be done again. */
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
        const bson_t *t = docset_find(&p->tasks, bson_iter_utf8(&at, NULL));
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

/* Nobody acquires it anew from Backup: a person is told, until it is gone or compared again. */
static int tell_difference(struct plan *p, const bson_t *rf, const struct outcome *o,
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
    return is_purged(o) && doc_has(rf, "original") ? alert_close(p->s->db, &alert, err) : 0;
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

static int plan_one(struct plan *p, const bson_t *rf, struct err *err)
{
    const bson_t *quant[QUANT_MAX], *settings[RESOLVE_MAX];
    struct outcome_tasks tasks;
    collect_tasks(p, rf, &tasks, quant);
    struct instrument_facts f =
        instruments_facts(p->s->instruments, doc_str(rf, "instrument_id", ""));
    struct instrument i = {
        .type = f.type, .skip_processing = f.skip_processing, .skip_quanting = f.skip_quanting};
    struct outcome o;
    bool resolves = plan_resolve(p, rf, settings) > 0;
    outcome_of(rf, &tasks, f.known ? &i : NULL, resolves, &o);
    if (o.next == NEXT_MONITOR_AGAIN && find_replaced(p, rf, &tasks.replaced, err) != 0) {
        return -1;
    }
    if (tasks.replaced) {
        outcome_of(rf, &tasks, f.known ? &i : NULL, resolves, &o);
    }
    if (o.next == NEXT_MONITOR_AGAIN) {
        return send_back(p, rf, &o, err);
    }
    bson_t set = BSON_INITIALIZER, new_ids = BSON_INITIALIZER;
    append_changes(p, rf, &o, tasks.copy, &set);
    int rc = tell_difference(p, rf, &o, err) != 0
                 ? -1
                 : ledger_begin(&p->ledger, doc_str(rf, "_id", ""), err);
    rc = rc == 0 ? plan_tasks(p, rf, &o, &new_ids, err) : rc;
    bool changes = !bson_empty(&set), has_task = o.ended || !bson_empty(&new_ids);
    rc = rc == 0 ? plan_index(p, rf, o.ended, changes, err) : rc;
    rc = rc == 0 ? write_outcome(p, rf, &set, &new_ids, &o, err) : rc;
    if (changes && !has_task) { /* whose end wakes us; otherwise what follows is looked at now */
        wake_raise(&p->s->wake, doc_str(rf, "_id", ""));
    }
    bson_destroy(&set);
    bson_destroy(&new_ids);
    return rc;
}

static int look_again(struct scheduler *s, const char *raw_file, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(raw_file), "settled", BCON_BOOL(true));
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "settled", BCON_BOOL(false), "}");
    bool won;
    return db_update(s->db, DB_RAW_FILES, filter, update, &won, err);
}

/* A task that an operator skipped or ignored: the mark goes once the raw file will be planned. */
static int take_up(void *ctx, const bson_t *task, struct err *err)
{
    struct plan *p = ctx;
    if (look_again(p->s, doc_str(task, "raw_file", ""), err) != 0) {
        return -1;
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(doc_str(task, "_id", "")));
    AUTO(bson_destroy)
    bson_t *update = BCON_NEW("$unset", "{", "unplanned", BCON_BOOL(true), "}");
    bool won;
    return db_update(p->s->db, DB_TASKS, filter, update, &won, err);
}

/* A settled raw file with an open task (an operator's retry) is looked at again. Its move and its
 * removal wait without it: plan_retire.c. */
static int unsettle(struct plan *p, struct err *err)
{
    AUTO(bson_destroy) bson_t *unplanned = BCON_NEW("unplanned", BCON_BOOL(true));
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "raw_file", BCON_INT32(1), "}");
    if (db_each(p->s->db, DB_TASKS, unplanned, opts, take_up, p, err) != 0) {
        return -1;
    }
    struct docset *files = &p->files;
    AUTO(free) struct db_change *changes = calloc(p->s->n_open + 1, sizeof *changes);
    if (changes == NULL) {
        return err_no_memory(err);
    }
    size_t n = 0;
    for (size_t i = 0; i < p->s->n_open; i++) {
        const struct open_task *t = &p->s->open[i];
        if (docset_find(files, t->raw_file) == NULL && !task_kind(t->kind)->retires) {
            changes[n++] = (struct db_change){
                .filter = BCON_NEW("_id", BCON_UTF8(t->raw_file), "settled", BCON_BOOL(true)),
                .update = BCON_NEW("$set", "{", "settled", BCON_BOOL(false), "}")};
        }
    }
    int rc = db_update_all(p->s->db, DB_RAW_FILES, changes, n, err);
    for (size_t i = 0; i < n; i++) {
        db_change_fini(&changes[i]);
    }
    return rc;
}

static int write_and_serve(struct plan *p, struct err *err)
{
    if (ledger_write(&p->ledger, p->s, err) != 0 || serve_tasks(p->s, &p->planned, err) != 0 ||
        plan_note_indexing(p, err) != 0) {
        return -1;
    }
    bson_reinit(&p->planned);
    return 0;
}

static int plan_all(struct plan *p, const bson_t *touched, struct err *err)
{
    if (load_files(p, touched, err) != 0 || (touched == NULL && unsettle(p, err) != 0)) {
        return -1;
    }
    if (p->files.n == 0) {
        return 0;
    }
    if (docset_load_tasks(&p->tasks, &p->files, p->s->db, err) != 0 ||
        settings_book_load(&p->book, p->s->db, err) != 0 ||
        (touched == NULL && plan_note_indexing(p, err) != 0)) {
        return -1;
    }
    int64_t served_ms = mono_ms();
    for (size_t i = 0; i < p->files.n; i++) {
        if (plan_one(p, p->files.at[i], err) != 0) {
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

int plan_pass(struct scheduler *s, const bson_t *touched, struct err *err)
{
    if (touched != NULL && bson_empty(touched)) {
        return 0;
    }
    struct plan p = {.s = s, .planned = BSON_INITIALIZER};
    int rc = plan_all(&p, touched, err);
    ledger_clear(&p.ledger);
    docset_clear(&p.files);
    docset_clear(&p.tasks);
    settings_book_clear(&p.book);
    bson_destroy(&p.planned);
    strset_clear(&p.indexing);
    return rc;
}
