/*
 * outcome.c - what a raw file's documents mean, rule by rule (docs/rules.md, "Statuses of a raw
 * file").
 *
 * decide_acquisition follows the raw file from its monitoring to its copy, decide_copied from there
 * to its quantifications, decide_imported and decide_lost one that another program acquired; an
 * operator's word on a task (skip, ignore, cancel) ends it with the reason and the name.
 * decide_retirement derives the mark of its move or removal and how far the original has left the
 * instrument, decide_original whether the original must be acquired again.
 */
#include "scheduler/plan/outcome.h"

#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/db/db.h"
#include "common/task/task.h"
#include "scheduler/watch/acquisition.h"

static enum task_state state_of(const bson_t *task)
{
    enum task_state s = TASK_FAILED;
    return task_state_parse(doc_str(task, "state", ""), &s) == 0 ? s : TASK_FAILED;
}

static void end_with(struct outcome *out, enum raw_status status, const char *details)
{
    out->status = status;
    out->ended = true;
    snprintf(out->details, sizeof out->details, "%s", details);
}

/* The acquisition is over and nothing is copied yet. True: there is nothing to copy. */
static bool ended_by_watch(const bson_t *rf, struct outcome *out)
{
    bson_t members;
    if (strcmp(doc_str(rf, "watch.rule", ""), RAW_RULE_RENAMED) == 0) {
        end_with(out, RAW_ACQUISITION_FAILED, doc_str(rf, "watch.error", ""));
        out->backup_status = "skipped";
        out->instrument_file_status = "renamed";
        return true;
    }
    if (!doc_sub(rf, "watch.members", &members) || bson_count_keys(&members) == 0) {
        bool replaced = strcmp(doc_str(rf, "watch.rule", ""), RAW_RULE_REPLACED) == 0;
        end_with(out, RAW_ACQUISITION_FAILED,
                 replaced ? doc_str(rf, "watch.error", "") : "No files were found.");
        out->backup_status = "skipped";
        return true;
    }
    return false;
}

#define WHY_MAX 600

static const char *first_line(const char *text, char *buf, size_t room)
{
    snprintf(buf, room, "%.*s", (int)strcspn(text, "\n"), text);
    return buf;
}

/* "skipped by kim@lab: not needed": who set the task aside and why, from the object named field. */
static const char *by_whom(const bson_t *task, const char *field, char *buf)
{
    char by[32], why[32];
    snprintf(by, sizeof by, "%s.by", field);
    snprintf(why, sizeof why, "%s.why", field);
    const char *reason = doc_str(task, why, "");
    snprintf(buf, WHY_MAX, "by %.100s%s%.300s", doc_str(task, by, "an operator"),
             reason[0] != '\0' ? ": " : "", reason);
    return buf;
}

/* Why a task ended without being done: its error, and the operator who accepted it or asked for it.
 */
static const char *why_not_done(const bson_t *task, enum task_state state, char *buf)
{
    char line[320], who[WHY_MAX];
    const char *msg = first_line(doc_str(task, "error.msg", ""), line, sizeof line);
    if (state == TASK_CANCELLED) {
        snprintf(buf, WHY_MAX, "cancelled %s",
                 doc_has(task, "cancel.why") ? by_whom(task, "cancel", who) : "by an operator");
    } else if (state == TASK_SKIPPED) {
        snprintf(buf, WHY_MAX, "skipped %s", by_whom(task, "skipped", who));
    } else if (state == TASK_IGNORED) {
        snprintf(buf, WHY_MAX, "%.250s; accepted %.320s", msg[0] != '\0' ? msg : "failed",
                 by_whom(task, "ignored", who));
    } else {
        snprintf(buf, WHY_MAX, "%s", msg[0] != '\0' ? msg : "failed");
    }
    return buf;
}

/* Nothing can follow without a copy; since an operator decided so, it is ignored and no error. */
static void end_without_copy(const bson_t *copy, enum task_state state, struct outcome *out)
{
    char why[WHY_MAX], text[WHY_MAX + 8];
    out->backup_status = state == TASK_SKIPPED ? "skipped" : "copying_failed";
    snprintf(text, sizeof text, "[copy] %s", why_not_done(copy, state, why));
    end_with(out, RAW_IGNORED, text);
}

/* As watch_reopen.h does it, whose update also sets backup_status. */
static void acquire_again(struct outcome *out, const char *what, const char *why)
{
    out->status = RAW_MONITORING_ACQUISITION;
    out->backup_status = NULL;
    out->next = NEXT_MONITOR_AGAIN;
    snprintf(out->details, sizeof out->details, "%s: %.500s", what, why);
}

static void decide_failed_copy(const struct outcome_tasks *tasks, enum task_state state,
                               struct outcome *out)
{
    const bson_t *copy = tasks->copy;
    const char *why = doc_str(copy, "error.msg", "");
    char buf[WHY_MAX], text[900];
    out->backup_status = "copying_failed";
    if (state == TASK_FAILED && !tasks->replaced &&
        task_failed_with(copy, ERR_CODE_SOURCE_CHANGED)) {
        acquire_again(out, "It changed while it was copied", why);
        return;
    }
    if (state == TASK_CANCELLED) {
        snprintf(text, sizeof text, "[copy] %s", why_not_done(copy, state, buf));
    } else {
        snprintf(text, sizeof text, "[copy] %s: %s", task_state_name(state), why);
    }
    end_with(out, RAW_ERROR, text);
}

static void append_details(struct outcome *out, const bson_t *task, const char *why)
{
    size_t used = strlen(out->details);
    snprintf(out->details + used, sizeof out->details - used, "%s[%s] %s", used > 0 ? "; " : "",
             doc_str(task, "settings", ""), why);
}

static void decide_by_quants(const struct outcome_tasks *tasks, struct outcome *out)
{
    size_t open = 0, submitted = 0, broken = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < tasks->n_quant; i++) {
        enum task_state s = state_of(tasks->quant[i]);
        open += !task_is_terminal(s);
        /* A task that is held before it could submit stays queued at each of its tries. */
        submitted += s == TASK_PARKED ||
                     (!task_is_terminal(s) && doc_i64(tasks->quant[i], "kept.job_id", 0) > 0);
        broken += s == TASK_DEAD;
        failed += s == TASK_FAILED || s == TASK_CANCELLED;
        skipped += s == TASK_SKIPPED;
        if (task_is_terminal(s) && s != TASK_DONE) {
            char why[WHY_MAX];
            append_details(out, tasks->quant[i], why_not_done(tasks->quant[i], s, why));
        }
    }
    if (open > 0) {
        out->status = submitted > 0 ? RAW_QUANTING : RAW_QUEUED_FOR_QUANTING;
        return;
    }
    out->status = broken > 0                  ? RAW_ERROR
                  : failed > 0                ? RAW_QUANTING_FAILED
                  : skipped == tasks->n_quant ? RAW_DONE_NOT_QUANTED
                                              : RAW_DONE;
    out->ended = true;
}

/* It has a backup of this size, and no quantification yet. */
static void decide_quanting(const bson_t *rf, int64_t size, const struct instrument *i,
                            bool has_settings, struct outcome *out)
{
    struct names_skip skip =
        names_skip(i, doc_str(rf, "_id", ""), doc_str(rf, "original_name", ""), size);
    if (skip.status != RAW_UNKNOWN) {
        end_with(out, skip.status, skip.details);
    } else if (i != NULL && i->skip_quanting) {
        end_with(out, RAW_DONE_NOT_QUANTED, "Quantification disabled for this instrument.");
    } else if (!has_settings) {
        end_with(out, RAW_DONE_NOT_QUANTED, "No settings configured.");
    } else {
        out->status = RAW_QUEUED_FOR_QUANTING;
        out->next = NEXT_QUANT;
    }
}

static void decide_copied(const bson_t *rf, const struct outcome_tasks *tasks,
                          const struct instrument *i, bool has_settings, struct outcome *out)
{
    out->copied = true;
    out->backup_status = "copying_done";
    const char *error = doc_str(rf, "watch.error", "");
    if (tasks->n_quant > 0) {
        decide_by_quants(tasks, out);
    } else if (error[0] != '\0') {
        end_with(out, RAW_ACQUISITION_FAILED, error);
    } else {
        decide_quanting(rf, doc_i64(tasks->copy, "result.size", -1), i, has_settings, out);
    }
}

/* Another program acquired and copied it. Its status is ours to change only where a quantification
 * is left to do (the import says so), or was made since (trawl rerun). */
static void decide_imported(const bson_t *rf, const struct outcome_tasks *tasks,
                            const struct instrument *i, bool has_settings, struct outcome *out)
{
    if (tasks->n_quant > 0) {
        decide_by_quants(tasks, out);
    } else if (out->status == RAW_QUEUED_FOR_QUANTING) {
        decide_quanting(rf, doc_i64(rf, "size", -1), i, has_settings, out);
    } else {
        out->ended = true;
    }
}

/* An import sent it back to monitoring, and its original is gone: what was known of it before is
 * all there is. False: nothing was. */
static bool decide_lost(const bson_t *rf, const struct outcome_tasks *tasks, struct outcome *out)
{
    bson_t members;
    char details[200];
    enum raw_status was = raw_status_parse(doc_str(rf, "imported.status", ""));
    bool recorded = doc_has(rf, "imported.backup_base_path"), copied = raw_status_is_copied(was);
    bool listed = doc_sub(rf, "watch.members", &members) && !bson_empty(&members);
    if (tasks->copy != NULL || listed || (!recorded && !raw_status_is_error(was))) {
        return false;
    }
    out->restored = recorded;
    out->backup_status = !recorded ? "skipped" : copied ? "copying_done" : "copying_failed";
    if (tasks->n_quant > 0) {
        decide_by_quants(tasks, out);
    } else if (raw_status_is_error(was)) {
        end_with(out, was, doc_str(rf, "imported.status_details", ""));
    } else {
        snprintf(details, sizeof details, "imported while %.40s, and its original is gone%s",
                 doc_str(rf, "imported.status", "?"),
                 copied ? "" : ": its backup may not be whole");
        end_with(out, copied ? RAW_DONE_NOT_QUANTED : RAW_ERROR, details);
    }
    return true;
}

/* --- leaving the instrument --- */

#define MOVING   "moving"
#define REMOVING "removing"

static bool is_open(const bson_t *task)
{
    return task != NULL && !task_is_terminal(state_of(task));
}

static bool has_done(const bson_t *task, const char *what)
{
    return task != NULL && state_of(task) == TASK_DONE && doc_bool(task, what, false);
}

static const char *why_kept(const bson_t *task)
{
    if (task == NULL) {
        return "its task is gone";
    }
    const char *msg = doc_str(task, "error.msg", "");
    enum task_state state = state_of(task);
    return state == TASK_CANCELLED || state == TASK_SKIPPED ? "cancelled by an operator"
           : msg[0] != '\0'                                 ? msg
                            : doc_str(task, "result.skipped", "not done");
}

static const char *why_differs(const bson_t *task)
{
    return task != NULL && state_of(task) == TASK_FAILED &&
                   task_failed_with(task, ERR_CODE_ORIGINAL_DIFFERS)
               ? doc_str(task, "error.msg", "")
               : NULL;
}

/* The recorded status only moves forward (initial, moved, purged), and only by what a task has
 * really done: a result that says "skipped" changes nothing. */
static void decide_retirement(const bson_t *rf, const struct outcome_tasks *tasks,
                              struct outcome *out)
{
    const char *mark = doc_str(rf, "retire", "");
    const char *status = doc_str(rf, "instrument_file_status", "");
    out->purged = has_done(tasks->remove, "result.purged") || strcmp(status, "purged") == 0;
    if (out->purged) {
        out->instrument_file_status = "purged";
    } else if (strcmp(status, "initial") == 0 && has_done(tasks->move, "result.moved")) {
        out->instrument_file_status = "moved";
    }
    if (is_open(tasks->remove) || is_open(tasks->move)) {
        snprintf(out->retire, sizeof out->retire, "%s", is_open(tasks->remove) ? REMOVING : MOVING);
    } else if (out->copied && !doc_has(rf, "backup_base_path")) {
        snprintf(out->retire, sizeof out->retire, "move %s", doc_str(rf, "instrument_id", ""));
    } else if (strcmp(mark, MOVING) != 0 && strcmp(mark, REMOVING) != 0) {
        snprintf(out->retire, sizeof out->retire, "%s", mark);
    } else if (strcmp(mark, REMOVING) == 0 && !out->purged) {
        out->kept = why_kept(tasks->remove);
        out->differs = why_differs(tasks->remove);
    }
    out->remark = strcmp(out->retire, mark) != 0;
}

/* While the original is where it was acquired, its move or a comparison (watch, verify) may find
 * that it differs. An open move or removal makes its own comparison. */
static void decide_original(const bson_t *rf, const struct outcome_tasks *tasks,
                            struct outcome *out)
{
    bool stays = strcmp(doc_str(rf, "instrument_file_status", ""), "initial") == 0 &&
                 out->instrument_file_status == NULL;
    if (!out->copied || !stays || tasks->replaced || is_open(tasks->move) ||
        is_open(tasks->remove)) {
        return;
    }
    if (tasks->move != NULL && state_of(tasks->move) == TASK_FAILED &&
        task_failed_with(tasks->move, ERR_CODE_SOURCE_CHANGED)) {
        acquire_again(out, "Its move found that it is not what was backed up",
                      doc_str(tasks->move, "error.msg", ""));
    } else if (strcmp(doc_str(rf, "original.state", ""), "differs") == 0) {
        acquire_again(out, "It is not what was backed up", doc_str(rf, "original.why", "?"));
    }
}

static void decide_acquisition(const bson_t *rf, const struct outcome_tasks *tasks,
                               const struct instrument *i, bool has_settings, struct outcome *out)
{
    if (out->status == RAW_IGNORED && tasks->copy == NULL && tasks->n_quant == 0) {
        out->ended = true;
        return;
    }
    if (raw_status_is_open(out->status)) {
        return; /* the instrument's thread decides */
    }
    if (tasks->copy == NULL && !doc_has(rf, "watch.rule")) { /* no watch of ours acquired it */
        decide_imported(rf, tasks, i, has_settings, out);
        return;
    }
    if (decide_lost(rf, tasks, out)) {
        return;
    }
    if (tasks->copy == NULL) {
        if (!ended_by_watch(rf, out)) {
            out->status = RAW_MONITORING_DONE;
            out->next = NEXT_COPY;
        }
        return;
    }
    enum task_state copy = state_of(tasks->copy);
    if (copy == TASK_DONE) {
        decide_copied(rf, tasks, i, has_settings, out);
    } else if (copy == TASK_SKIPPED || copy == TASK_IGNORED) {
        end_without_copy(tasks->copy, copy, out);
    } else if (task_is_terminal(copy)) {
        decide_failed_copy(tasks, copy, out);
    } else if (copy == TASK_RUNNING) {
        out->status = RAW_COPYING;
        out->backup_status = "copying_in_progress";
    } else {
        out->status = RAW_MONITORING_DONE;
    }
}

void outcome_of(const bson_t *rf, const struct outcome_tasks *tasks, const struct instrument *i,
                bool has_settings, struct outcome *out)
{
    *out = (struct outcome){.status = raw_file_status(rf)};
    decide_acquisition(rf, tasks, i, has_settings, out);
    decide_retirement(rf, tasks, out);
    decide_original(rf, tasks, out);
    utf8_mend(out->details);
}
