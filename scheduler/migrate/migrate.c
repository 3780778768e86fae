/*
 * migrate.c - which migrations there are, and one after the other until nothing is left.
 *
 * Each round begins with the first: a worker of an earlier version may have stored a document
 * since. The floor is raised before the first change, the version after the last.
 */
#include "scheduler/migrate/migrate.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/schema.h"
#include "common/task/alert.h"
#include "scheduler/scheduler.h"

#define AGAIN_MS 5000   /* after a batch that the database did not answer */
#define REST_MS  600000 /* what workers of earlier versions may store meanwhile */

static const struct {
    const char *what;
    migrate_fn *step;
} table[] = {
    {"ObjectIds for metrics, settings and project_settings", migrate_object_ids},
    {"sums by week for projects and instruments", migrate_sums},
};
_Static_assert(sizeof table / sizeof *table == SCHEMA_VERSION, "one line for each version");

/* false: it has not ended, and goes on in the next round. */
static bool migrate(struct chore *c, struct scheduler *s, int64_t number, struct err *err)
{
    struct schema_progress p = {
        .number = number, .since_ms = wall_ms(), .what = table[number - 1].what};
    if (schema_raise_floor(s->db, number, err) != 0) {
        return false;
    }
    for (int64_t n = 1; n > 0;) {
        if (!chore_continues(c, 0) || table[number - 1].step(s->db, &n, err) != 0) {
            return false;
        }
        p.done += n;
        if (n > 0 && schema_note(s->db, &p, err) != 0) {
            return false;
        }
    }
    if (p.done > 0) {
        log_info("migrated", KV("number", number), KV("what", p.what), KV("documents", p.done));
    }
    return schema_reached(s->db, number, err) == 0;
}

/* What a person must clear away is an alert, until the migrations are through. */
static void report(struct scheduler *s, const struct err *why)
{
    struct err err = {0};
    const struct alert alert = {
        .kind = "migration", .raw_file = "database", .text = why->msg, .by = "trawl-scheduler"};
    if (why->kind != ERR_NONE) {
        log_err_rarely("migrate", why);
    }
    int rc = why->kind == ERR_INVALID ? alert_open(s->db, &alert, &err)
             : why->kind == ERR_NONE  ? alert_close(s->db, &alert, &err)
                                      : 0;
    if (rc != 0) {
        log_err_rarely("migrate", &err);
    }
}

int64_t migrate_round(struct chore *c, struct scheduler *s)
{
    struct err err = {0};
    bool all = true;
    for (int64_t number = 1; all && number <= SCHEMA_VERSION; number++) {
        all = migrate(c, s, number, &err);
    }
    if (all || err.kind != ERR_NONE) {
        report(s, &err);
    }
    return all ? REST_MS : AGAIN_MS;
}
