/*
 * locations.c - nothing is read from or written to a location that is not proven.
 *
 * Before each step the run's locations are looked at again: a share that was there a second ago may
 * be gone. Beside that a thread looks at all that this worker's kinds need, so that `trawl mount
 * status` knows without a task having failed: the backup and the output from the configuration, the
 * instruments as the scheduler lists them in "watches".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/mount/location.h"
#include "workers/runner.h"

#define FRESH_MS      1000 /* for people: a result is shown that is not older */
#define TICK_MS       1000
#define AGAIN_MS      5000 /* between two looks while something is wrong */
#define LOCATIONS_MAX 512

/* --- before a step --- */

static const char *name_of(const struct run *run, const struct worker_location *l, char *buf,
                           size_t room)
{
    if (strcmp(l->name, "instrument") != 0) {
        return l->name;
    }
    snprintf(buf, room, LOCATION_INSTRUMENT "%s", doc_str(run->task, "instrument_id", ""));
    return buf;
}

static struct mount_need need_of_run(const struct run *run, const struct worker_location *l,
                                     char buf[static MOUNT_LOCATION_MAX])
{
    const char *path = location_path(run->runner->cfg, l->name);
    return (struct mount_need){
        .location = name_of(run, l, buf, MOUNT_LOCATION_MAX),
        .path = path != NULL ? path : doc_str(run->task, "input.source_root", ""),
        .write = l->write,
    };
}

static int prove_all(struct run *run, struct err *err)
{
    for (const struct worker_location *l = run->kind->locations; l != NULL && l->name != NULL;
         l++) {
        char buf[MOUNT_LOCATION_MAX];
        const struct mount_need need = need_of_run(run, l, buf);
        if (need.path[0] == '\0') {
            continue; /* not configured: the kind's own steps say what they miss */
        }
        if (mounts_check(run->runner->mounts, &need, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int pin_all(struct run *run, struct err *err)
{
    for (const struct worker_location *l = run->kind->locations; l != NULL && l->name != NULL;
         l++) {
        char buf[MOUNT_LOCATION_MAX];
        const struct mount_need need = need_of_run(run, l, buf);
        if (!l->write || need.path[0] == '\0' || run->n_pins == RUN_PINS_MAX) {
            continue;
        }
        int fd = open(need.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            return ERR(err, ERR_HOLD, errno, "location %s at %s: %m", need.location, need.path);
        }
        run->pins[run->n_pins++] = fd;
    }
    return 0;
}

/* A share that nobody has open can be unmounted between the proof and the write. So it is opened
 * once, and proven again: what passes then stays mounted until the run lets go of it. */
int locations_prove(struct run *run, struct err *err)
{
    if (run->n_pins > 0) {
        return prove_all(run, err);
    }
    if (prove_all(run, err) != 0 || pin_all(run, err) != 0) {
        return -1;
    }
    return run->n_pins > 0 ? prove_all(run, err) : 0;
}

void locations_release(struct run *run)
{
    while (run->n_pins > 0) {
        close(run->pins[--run->n_pins]);
    }
}

/* --- all of them, for people --- */

struct reporting {
    struct runner *r;
    bool all_well;
};

struct look {
    struct reporting reporting;
    struct {
        char location[MOUNT_LOCATION_MAX], path[MOUNT_PATH_MAX];
        bool write;
    } at[LOCATIONS_MAX];
    size_t n;
    bool write; /* of the instruments that are being added */
};

static void add(struct look *l, const char *location, const char *path, bool write)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->at[i].location, location) == 0) {
            l->at[i].write |= write;
            return;
        }
    }
    if (l->n < LOCATIONS_MAX && path[0] != '\0') {
        snprintf(l->at[l->n].location, sizeof l->at[l->n].location, "%s", location);
        snprintf(l->at[l->n].path, sizeof l->at[l->n].path, "%s", path);
        l->at[l->n++].write = write;
    }
}

static int add_instrument(void *ctx, const bson_t *watch, struct err *err)
{
    (void)err;
    struct look *l = ctx;
    char location[MOUNT_LOCATION_MAX];
    snprintf(location, sizeof location, LOCATION_INSTRUMENT "%s", doc_str(watch, "_id", ""));
    add(l, location, doc_str(watch, "path", ""), l->write);
    return 0;
}

static int add_instruments(struct look *l, bool write, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    l->write = write;
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("projection", "{", "path", BCON_INT32(1), "}");
    return db_each(l->reporting.r->db, DB_WATCHES, &all, opts, add_instrument, l, err);
}

static int add_kind(struct look *l, const struct worker_kind *kind, struct err *err)
{
    for (const struct worker_location *w = kind->locations; w != NULL && w->name != NULL; w++) {
        const char *path = location_path(l->reporting.r->cfg, w->name);
        if (path != NULL) {
            add(l, w->name, path, w->write);
        } else if (add_instruments(l, w->write, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static void report_share(void *ctx, const struct mounts_view *v)
{
    struct reporting *t = ctx;
    struct err err = {0};
    static struct log_gate gate;
    uint64_t missed = 0;
    t->all_well &= v->status == MOUNT_OK;
    if (location_report(t->r->db, t->r->host, v, &err) != 0 && log_gate_open(&gate, &missed)) {
        log_err("location_report", &err);
    }
}

static struct mount_need need_of(const struct look *l, size_t i)
{
    return (struct mount_need){.location = l->at[i].location,
                               .path = l->at[i].path,
                               .write = l->at[i].write,
                               .max_age_ms = FRESH_MS};
}

/* All at once first: many hung shares cost one deadline together. */
static int look_at_all(struct look *l, struct err *err)
{
    struct runner *r = l->reporting.r;
    for (size_t i = 0; i < r->n_kinds; i++) {
        if (add_kind(l, r->kinds[i].kind, err) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct mount_need need = need_of(l, i);
        mounts_ask(r->mounts, &need);
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct mount_need need = need_of(l, i);
        if (mounts_look(r->mounts, &need, report_share, &l->reporting, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* The time until the next look. */
static int64_t look_around(struct runner *r)
{
    struct err err = {0};
    AUTO(free) struct look *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return AGAIN_MS;
    }
    l->reporting = (struct reporting){.r = r, .all_well = true};
    if (look_at_all(l, &err) != 0) {
        log_debug("locations", KV("why", err.msg)); /* MongoDB is away: others say so */
        return AGAIN_MS;
    }
    int64_t ms = r->cfg->mount.check_s * 1000;
    return l->reporting.all_well || ms < AGAIN_MS ? ms : AGAIN_MS;
}

void *locations_main(void *arg)
{
    struct runner *r = arg;
    struct reporting reporting = {.r = r};
    runner_await_database(r);
    for (int64_t next_ms = 0; !runner_stopping(r); runner_pause(r, TICK_MS)) {
        if (mono_ms() >= next_ms) {
            next_ms = mono_ms() + look_around(r);
            (void)mounts_changed(r->mounts);    /* it is written down already */
        } else if (mounts_changed(r->mounts)) { /* a task was held, or goes on */
            mounts_each(r->mounts, report_share, &reporting);
        }
    }
    return NULL;
}
