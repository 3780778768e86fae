/*
 * task_driver.c - makes no-op tasks and tells the scheduler, as an operator's retry does.
 *
 * Usage: trawl-task-driver PREFIX COUNT PER_SECOND SLEEP_MS     PER_SECOND 0: all at once, in bulk
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/bus/bus.h"
#include "common/bus/event.h"
#include "common/task/task.h"

#define CONNECT_MS 500 /* to the broker, which is no part of what is measured */

struct driver {
    struct db *db;
    struct bus *bus;
    const char *prefix;
    long count;
    int64_t sleep_ms;
};

static int fail(const struct err *err)
{
    fprintf(stderr, "trawl-task-driver: %s\n", err->msg);
    return 1;
}

static bson_t *make(const struct driver *d, long n, char raw_file[static 64])
{
    snprintf(raw_file, 64, "%.40s_%06ld", d->prefix, n);
    AUTO(bson_destroy) bson_t *input = BCON_NEW("sleep_ms", BCON_INT64(d->sleep_ms));
    const struct task_new t = {.raw_file = raw_file,
                               .kind = "copy",
                               .instrument = "bench1",
                               .project = "p",
                               .input = input};
    return task_new_document(&t);
}

static int tell(const struct driver *d, const char *raw_file, struct err *err)
{
    AUTO(free) char *json = event_encode("task", raw_file, raw_file);
    return bus_send_event(d->bus, raw_file, json, err);
}

static int make_at_once(const struct driver *d, struct err *err)
{
    AUTO(free) bson_t **docs = calloc((size_t)d->count, sizeof *docs);
    AUTO(free) bool *inserted = calloc((size_t)d->count, sizeof *inserted);
    if (docs == NULL || inserted == NULL) {
        return ERR(err, ERR_FATAL, 0, "out of memory");
    }
    char raw_file[64];
    for (long n = 0; n < d->count; n++) {
        docs[n] = make(d, n, raw_file);
    }
    int rc = db_insert_all(d->db, DB_TASKS, docs, (size_t)d->count, inserted, err);
    for (long n = 0; n < d->count; n++) {
        bson_destroy(docs[n]);
    }
    return rc == 0 ? tell(d, "", err) : -1; /* of no raw file: the scheduler looks at all */
}

/* At random moments, so that tasks meet: a Poisson process. */
static int make_in_time(const struct driver *d, double per_second, struct err *err)
{
    double at = (double)mono_ms();
    for (long n = 0; n < d->count; n++) {
        char raw_file[64];
        bool made = false;
        at += -log((double)(mono_random(1000000) + 1) / 1000001.0) * 1000.0 / per_second;
        int64_t wait = (int64_t)at - mono_ms();
        mono_sleep_ms(wait > 0 ? wait : 0);
        AUTO(bson_destroy) bson_t *doc = make(d, n, raw_file);
        if (db_insert(d->db, DB_TASKS, doc, &made, err) != 0 || tell(d, raw_file, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    const char *dir = getenv("TRAWL_CONFIG_DIR");
    if (argc != 5 || dir == NULL) {
        fputs(
            "usage: trawl-task-driver PREFIX COUNT PER_SECOND SLEEP_MS (TRAWL_CONFIG_DIR is set)\n",
            stderr);
        return 2;
    }
    AUTO(config_free) struct config *cfg = config_load(dir, &err);
    AUTO(db_free) struct db *db = cfg != NULL ? db_new(cfg, "trawl-task-driver", &err) : NULL;
    AUTO(bus_free) struct bus *bus = db != NULL ? bus_new(cfg, "trawl-task-driver", &err) : NULL;
    if (bus == NULL) {
        return fail(&err);
    }
    const struct driver d = {.db = db,
                             .bus = bus,
                             .prefix = argv[1],
                             .count = strtol(argv[2], NULL, 10),
                             .sleep_ms = strtol(argv[4], NULL, 10)};
    double per_second = strtod(argv[3], NULL);
    if (tell(&d, "", &err) != 0) {
        return fail(&err);
    }
    mono_sleep_ms(CONNECT_MS);
    int rc = per_second > 0 ? make_in_time(&d, per_second, &err) : make_at_once(&d, &err);
    return rc == 0 ? 0 : fail(&err);
}
