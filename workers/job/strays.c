/*
 * strays.c - the sweep. A name is kept in its task before the job is submitted, so a job that waits
 * or runs and that no task has kept is nobody's: its database was restored, or its task was created
 * again. One whose task was cancelled before it was parked is stopped here.
 */
#include "workers/job/strays.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/task/alert.h"

/* Whether a task in one of these states (an array) has kept the name. */
static int is_kept(struct db *db, const char *name, const bson_t *states, bool *kept,
                   struct err *err)
{
    int64_t n = 0;
    AUTO(bson_destroy)
    bson_t *filter =
        BCON_NEW("kept.job_name", BCON_UTF8(name), "state", "{", "$in", BCON_ARRAY(states), "}");
    int rc = filter != NULL ? db_count(db, DB_TASKS, filter, &n, err) : err_no_memory(err);
    *kept = n > 0;
    return rc;
}

/* Whose a job is, by its name: an open task's, or of one that somebody has cancelled or skipped,
 * who wants it stopped; else nobody's. */
struct owner {
    bool open, given_up;
};

static int find_owner(struct db *db, const char *name, struct owner *out, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *open = BCON_NEW("0", BCON_UTF8("ready"), "1", BCON_UTF8("admitted"), "2",
                            BCON_UTF8("running"), "3", BCON_UTF8("parked"));
    AUTO(bson_destroy)
    bson_t *given_up = BCON_NEW("0", BCON_UTF8("cancelled"), "1", BCON_UTF8("skipped"));
    *out = (struct owner){0};
    if (is_kept(db, name, open, &out->open, err) != 0) {
        return -1;
    }
    return out->open ? 0 : is_kept(db, name, given_up, &out->given_up, err);
}

struct open_alerts {
    char **names;
    bool *stop;
    size_t n;
};

static int add_alert(void *ctx, const bson_t *doc, struct err *err)
{
    struct open_alerts *o = ctx;
    char **names = reallocarray(o->names, o->n + 1, sizeof *names);
    if (names != NULL) {
        o->names = names;
    }
    bool *stop = reallocarray(o->stop, o->n + 1, sizeof *stop);
    if (stop != NULL) {
        o->stop = stop;
    }
    if (names == NULL || stop == NULL) {
        return err_no_memory(err);
    }
    stop[o->n] = doc_has(doc, "cancel");
    names[o->n] = strdup(doc_str(doc, "raw_file", ""));
    return names[o->n++] != NULL ? 0 : err_no_memory(err);
}

static void auto_open_alerts_fini(struct open_alerts *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->names[i]);
    }
    free(o->names);
    free(o->stop);
}

static int load_alerts(struct db *db, struct open_alerts *out, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("kind", BCON_UTF8("stray_job"), "open", BCON_BOOL(true));
    return filter != NULL ? db_each(db, DB_ALERTS, filter, NULL, add_alert, out, err)
                          : err_no_memory(err);
}

/* The job's name is in the field where other alerts have their raw file. */
static int open_alert(struct db *db, const struct job_stray *s, struct err *err)
{
    char text[300];
    snprintf(text, sizeof text,
             "job %" PRId64
             " (%s) on the cluster belongs to no task: trawl cluster cancel %" PRId64,
             s->id, s->state, s->id);
    const struct alert alert = {"stray_job", s->name, text, "the sweep of the cluster"};
    if (alert_open(db, &alert, err) != 0) {
        return -1;
    }
    bool won;
    AUTO(free) char *id = NULL;
    if (asprintf(&id, "stray_job/%s", s->name) < 0) {
        id = NULL;
        return err_no_memory(err);
    }
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "job_id", BCON_INT64(s->id), "}");
    return db_update(db, DB_ALERTS, filter, update, &won, err);
}

static bool listed(const struct job_poll *poll, const char *name)
{
    for (size_t i = 0; i < poll->n_strays; i++) {
        if (strcmp(poll->strays[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One alert less for every job that has gone. A queue that did not answer says nothing. */
static int close_gone(struct db *db, const struct job_poll *poll, const struct open_alerts *o,
                      struct err *err)
{
    for (size_t i = 0; poll->queue_ok && i < o->n; i++) {
        const struct alert alert = {"stray_job", o->names[i], "", "the sweep of the cluster"};
        if (!listed(poll, o->names[i]) && alert_close(db, &alert, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static bool given_up(const struct open_alerts *o, const char *name)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->names[i], name) == 0) {
            return o->stop[i];
        }
    }
    return false;
}

/* A second word with the cluster, only for those that somebody has given up. */
static int stop(const struct config *c, struct job_watched *jobs, size_t n, struct err *err)
{
    struct job_poll ignored = {0};
    int rc = n > 0 ? engine_slurm.look(c, jobs, n, &ignored, err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        log_info("stray_job_cancelled", KV("job_id", jobs[i].view.id),
                 KV("name", jobs[i].view.name));
    }
    job_poll_fini(&ignored);
    return rc;
}

int strays_note(const struct config *c, struct db *db, const struct job_poll *poll, struct err *err)
{
    AUTO(open_alerts_fini) struct open_alerts alerts = {0};
    AUTO(free) struct job_watched *jobs = calloc(poll->n_strays + 1, sizeof *jobs);
    size_t n = 0;
    if (jobs == NULL) {
        return err_no_memory(err);
    }
    if (load_alerts(db, &alerts, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < poll->n_strays; i++) {
        const struct job_stray *s = &poll->strays[i];
        struct owner owner;
        const struct alert known = {"stray_job", s->name, "", "the sweep of the cluster"};
        if (find_owner(db, s->name, &owner, err) != 0 ||
            (owner.open || owner.given_up ? alert_close(db, &known, err)
                                          : open_alert(db, s, err)) != 0) {
            return -1;
        }
        if (!owner.open && (owner.given_up || given_up(&alerts, s->name))) {
            jobs[n++] =
                (struct job_watched){.view = {.id = s->id, .name = s->name}, .cancel = true};
        }
    }
    return close_gone(db, poll, &alerts, err) == 0 ? stop(c, jobs, n, err) : -1;
}
