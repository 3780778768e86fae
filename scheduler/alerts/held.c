/*
 * held.c - a task waits while another program has its original open, or the share refuses it, and
 * resumes without help. A long wait opens an alert, because perhaps nobody knows that the
 * acquisition software hangs. Alerts are derived from the open tasks in each full pass, so an alert
 * is closed whether its task resumed or ended.
 */
#include "scheduler/alerts/held.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/task/alert.h"
#include "scheduler/scheduler.h"

#define HELD_ALERT "held" /* its kind */
#define HELD_BY    "trawl-scheduler"

static bool is_long(const struct scheduler *s, const struct open_task *t, int64_t now)
{
    return t->busy_ms > 0 && now - t->busy_ms >= s->cfg->retry.held_alert_s * 1000;
}

static int open_alert(struct scheduler *s, const struct open_task *t, struct err *err)
{
    AUTO(bson_destroy) bson_t *task = NULL;
    if (db_find_id(s->db, DB_TASKS, t->id, &task, err) != 0) {
        return -1;
    }
    if (task == NULL || !doc_has(task, "held")) {
        return 0; /* it has resumed since the list was read */
    }
    char text[500];
    snprintf(text, sizeof text, "its %s is waiting: %.300s; see trawl why", t->kind,
             doc_str(task, "error.msg", "?"));
    const struct alert alert = {
        .kind = HELD_ALERT, .raw_file = t->raw_file, .text = text, .by = HELD_BY};
    return alert_open(s->db, &alert, err);
}

static int close_alert(struct scheduler *s, const bson_t *doc, struct err *err)
{
    const struct alert alert = {
        .kind = HELD_ALERT, .raw_file = doc_str(doc, "raw_file", ""), .text = "", .by = HELD_BY};
    return alert_close(s->db, &alert, err);
}

static bool has_alert(const struct docs *alerts, const char *raw_file)
{
    bool found = false;
    for (size_t i = 0; i < alerts->n && !found; i++) {
        found = strcmp(doc_str(alerts->items[i], "raw_file", ""), raw_file) == 0;
    }
    return found;
}

static bool holds_long(const struct scheduler *s, const char *raw_file, int64_t now)
{
    bool found = false;
    for (size_t i = 0; i < s->dispatch.n_open && !found; i++) {
        found = is_long(s, &s->dispatch.open[i], now) &&
                strcmp(s->dispatch.open[i].raw_file, raw_file) == 0;
    }
    return found;
}

static int update_alerts(struct scheduler *s, const struct docs *alerts, struct err *err)
{
    int64_t now = wall_ms();
    for (size_t i = 0; i < alerts->n; i++) {
        if (!holds_long(s, doc_str(alerts->items[i], "raw_file", ""), now) &&
            close_alert(s, alerts->items[i], err) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < s->dispatch.n_open; i++) {
        const struct open_task *t = &s->dispatch.open[i];
        if (is_long(s, t, now) && !has_alert(alerts, t->raw_file) && open_alert(s, t, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int held_alerts(struct scheduler *s, struct err *err)
{
    struct docs alerts = {0};
    AUTO(bson_destroy)
    bson_t *open = BCON_NEW("kind", BCON_UTF8(HELD_ALERT), "open", BCON_BOOL(true));
    int rc = db_each(s->db, DB_ALERTS, open, NULL, docs_add, &alerts, err);
    rc = rc == 0 ? update_alerts(s, &alerts, err) : rc;
    docs_clear(&alerts);
    return rc;
}
