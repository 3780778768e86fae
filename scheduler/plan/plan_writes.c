/*
 * plan_writes.c - a pass writes in three commands, whatever the number of raw files: new tasks,
 * tasks to open again, raw files.
 *
 * A scheduler that dies between them leaves a state from which the next pass comes to the same
 * result: a task's id follows from the raw file's, and a raw file's update is guarded by its rev.
 */
#include "scheduler/plan/plan_writes.h"

#include <string.h>

#include "common/base/log.h"

struct ledger_line {
    char *raw_file, *status, *details, *instrument;
    size_t first_task, n_tasks;
    struct db_change change;
};

static struct ledger_line *last(struct ledger *l)
{
    return &l->lines[l->n - 1];
}

int ledger_begin(struct ledger *l, const char *raw_file, struct err *err)
{
    if (l->n == l->room) {
        size_t room = l->room + 64;
        struct ledger_line *more = realloc(l->lines, room * sizeof *more);
        if (more == NULL) {
            return err_no_memory(err);
        }
        l->lines = more;
        l->room = room;
    }
    l->lines[l->n++] = (struct ledger_line){.raw_file = strdup(raw_file), .first_task = l->n_tasks};
    return last(l)->raw_file != NULL ? 0 : err_no_memory(err);
}

int ledger_task(struct ledger *l, bson_t *task, struct db_change reopen, struct err *err)
{
    bson_t **tasks = reallocarray(l->tasks, l->n_tasks + 1, sizeof *tasks);
    l->tasks = tasks != NULL ? tasks : l->tasks;
    if (tasks == NULL) {
        db_change_fini(&reopen);
    }
    if (tasks == NULL || db_batch_add(&l->reopen, reopen, err) != 0) {
        bson_destroy(task);
        return tasks == NULL ? err_no_memory(err) : -1;
    }
    l->tasks[l->n_tasks++] = task;
    last(l)->n_tasks++;
    return 0;
}

static char *copy_of(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

int ledger_raw_file(struct ledger *l, const struct ledger_update *u, struct err *err)
{
    struct ledger_line *line = last(l);
    line->change = u->change;
    line->status = copy_of(u->status);
    line->details = copy_of(u->details);
    line->instrument = copy_of(u->instrument);
    bool whole = (u->status == NULL || line->status != NULL) &&
                 (u->details == NULL || line->details != NULL) &&
                 (u->instrument == NULL || line->instrument != NULL);
    return whole ? 0 : err_no_memory(err);
}

/* --- writing --- */

static int write_tasks(const struct ledger *l, struct db *db, size_t first, size_t n,
                       struct err *err)
{
    AUTO(free) bool *inserted = calloc(n + 1, sizeof *inserted);
    AUTO(free) struct db_change *reopen = calloc(n + 1, sizeof *reopen);
    if (inserted == NULL || reopen == NULL) {
        return err_no_memory(err);
    }
    if (db_insert_all(db, DB_TASKS, l->tasks + first, n, inserted, err) != 0) {
        return -1;
    }
    size_t there = 0;
    for (size_t i = 0; i < n; i++) {
        if (!inserted[i]) {
            reopen[there++] = l->reopen.items[first + i]; /* borrowed */
        }
    }
    return db_update_all(db, DB_TASKS, reopen, there, err);
}

static int write_raw_files(struct ledger *l, struct db *db, size_t from, size_t to, struct err *err)
{
    AUTO(free) struct db_change *changes = calloc(to - from + 1, sizeof *changes);
    if (changes == NULL) {
        return err_no_memory(err);
    }
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        if (l->lines[i].change.filter != NULL) {
            changes[n++] = l->lines[i].change; /* borrowed */
        }
    }
    if (db_update_all(db, DB_RAW_FILES, changes, n, err) != 0) {
        return -1;
    }
    n = 0;
    for (size_t i = from; i < to; i++) {
        l->lines[i].change.won = l->lines[i].change.filter != NULL && changes[n++].won;
    }
    return 0;
}

static int write_lines(struct ledger *l, struct db *db, size_t from, size_t to, struct err *err)
{
    size_t first = from < l->n ? l->lines[from].first_task : 0, n = 0;
    for (size_t i = from; i < to; i++) {
        n += l->lines[i].n_tasks;
    }
    return write_tasks(l, db, first, n, err) != 0 || write_raw_files(l, db, from, to, err) != 0 ? -1
                                                                                                : 0;
}

static int write_each_alone(struct ledger *l, struct db *db, struct err *err)
{
    for (size_t i = 0; i < l->n; i++) {
        struct err why = {0}, away = {0};
        if (write_lines(l, db, i, i + 1, &why) == 0) {
            continue;
        }
        if (db_ping(db, &away) != 0) {
            *err = why;
            return -1;
        }
        err_context(&why, "raw file %s", l->lines[i].raw_file);
        log_err_rarely("plan", &why);
    }
    return 0;
}

static void log_status_changes(const struct ledger *l, struct scheduler *s)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_line *line = &l->lines[i];
        if (line->change.won && line->status != NULL) {
            log_info("raw_file", KV("raw_file", line->raw_file), KV("status", line->status),
                     KV("details", line->details != NULL ? line->details : ""));
        }
        if (line->instrument != NULL) { /* also when the reply was lost */
            instruments_recall(s->instruments, line->instrument);
        }
    }
}

int ledger_write(struct ledger *l, struct scheduler *s, struct err *err)
{
    struct err why = {0};
    int rc = l->n == 0 || write_lines(l, s->db, 0, l->n, &why) == 0 ? 0
             : db_ping(s->db, err) != 0                             ? -1
                                        : write_each_alone(l, s->db, err);
    log_status_changes(l, s);
    ledger_clear(l);
    return rc;
}

void ledger_clear(struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct ledger_line *line = &l->lines[i];
        free(line->raw_file);
        free(line->status);
        free(line->details);
        free(line->instrument);
        db_change_fini(&line->change);
    }
    for (size_t i = 0; i < l->n_tasks; i++) {
        bson_destroy(l->tasks[i]);
    }
    free(l->lines);
    free(l->tasks);
    db_batch_clear(&l->reopen);
    *l = (struct ledger){0};
}
