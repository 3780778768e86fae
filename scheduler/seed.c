/* seed.c - what must be there before the first task: pools, a way to quantify, topics. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/named.h"
#include "common/db/schema.h"
#include "common/task/kinds.h"
#include "common/task/pool.h"
#include "scheduler/scheduler.h"
#include "scheduler/watch/name_rules.h"

static int seed_pools(struct scheduler *s, struct err *err)
{
    for (const char *const *pool = pool_names; *pool != NULL; pool++) {
        if (pool_seed(s->db, s->cfg, *pool, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int seed_project(struct scheduler *s, struct err *err)
{
    AUTO(bson_destroy)
    bson_t *doc =
        BCON_NEW("_id", BCON_UTF8(PROJECT_FALLBACK), "name", BCON_UTF8("files without a project"),
                 "status", BCON_UTF8("active"), "created_at_", BCON_DATE_TIME(wall_ms()));
    bool made;
    return db_insert(s->db, DB_PROJECTS, doc, &made, err);
}

/* Only on an empty database: quality control of every file, so that the first file shows a result.
 */
static int seed_settings(struct scheduler *s, struct err *err)
{
    bson_t all = BSON_INITIALIZER;
    int64_t n;
    if (!s->cfg->quant.seed || db_count(s->db, DB_SETTINGS, &all, &n, err) != 0 || n > 0) {
        return err->kind != ERR_NONE ? -1 : 0;
    }
    AUTO(bson_destroy) bson_t *settings = named_new("msqc-v1");
    BCON_APPEND(settings, "name", BCON_UTF8("msqc"), "version", BCON_INT64(1), "number",
                BCON_INT64(1), "description", BCON_UTF8("quality control of every raw file"),
                "software_type", BCON_UTF8("msqc"), "software", BCON_UTF8("trawl-msqc"),
                "config_params", BCON_UTF8(""), "metrics_type", BCON_UTF8("msqc"),
                "slurm_cpus_per_task", BCON_INT64(1), "slurm_mem", BCON_UTF8("400M"), "slurm_time",
                BCON_UTF8("00:10:00"), "num_threads", BCON_INT64(1), "status", BCON_UTF8("active"),
                "created_at_", BCON_DATE_TIME(wall_ms()));
    AUTO(bson_destroy) bson_t *assignment = named_new("_FALLBACK/*/msqc/");
    BCON_APPEND(assignment, "project", BCON_UTF8(PROJECT_FALLBACK), "scope", BCON_UTF8("*"),
                "excluded", "[", "]", "raw_file_id_filter", BCON_UTF8(""), "created_at_",
                BCON_DATE_TIME(wall_ms()));
    named_append_ref(assignment, "settings", settings);
    bool made;
    return db_insert(s->db, DB_ASSIGNMENTS, assignment, &made, err) != 0 ||
                   db_insert(s->db, DB_SETTINGS, settings, &made, err) != 0
               ? -1
               : 0;
}

#define DOUBT_MS 5000 /* between two looks for the topics while no worker can be addressed */

/* Without a broker, files are still found and tasks planned. When no worker owns a partition,
 * somebody may have deleted the topics; look for them then, because no message is sent that could
 * fail. */
void seed_topics(struct scheduler *s)
{
    static struct log_gate gate;
    uint64_t missed = 0;
    struct bus_stats stats;
    struct err err = {0};
    bus_stats(s->bus, &stats);
    bool doubt = s->dispatch.unaddressed && mono_ms() - s->topics_seen_ms >= DOUBT_MS;
    if ((s->has_topics && !doubt) || !stats.connected) {
        return;
    }
    s->dispatch.unaddressed = false;
    s->topics_seen_ms = mono_ms();
    s->has_topics = bus_ensure_topics(s->bus, task_kind_names, &err) == 0;
    if (!s->has_topics && log_gate_open(&gate, &missed)) {
        log_err("topics", &err);
    }
}

int seed(struct scheduler *s, struct err *err)
{
    return schema_claim(s->db, s->cfg->trawl.env, err) != 0 || seed_pools(s, err) != 0 ||
                   seed_project(s, err) != 0 || seed_settings(s, err) != 0
               ? -1
               : 0;
}
