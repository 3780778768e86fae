/* facts.c - the present state (workers, pools, slots, tasks), read for a command that explains or
 * lists. */
#include "ops/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db/named.h"

static struct docs *taken_slots(const struct ops *o, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("task", "{", "$ne", BCON_NULL, "}");
    AUTO(bson_destroy) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_SLOTS, filter, opts}, err);
}

int facts_read(const struct ops *o, struct facts *out, struct err *err)
{
    AUTO(bson_destroy) bson_t *sorted = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    *out = (struct facts){0};
    if (alive_read(o, &out->alive, err) != 0) {
        return -1;
    }
    out->pools = docs_read(o->db, &(struct docs_query){.coll = DB_POOLS, .opts = sorted}, err);
    out->slots = out->pools != NULL ? taken_slots(o, err) : NULL;
    return out->slots != NULL ? 0 : -1;
}

void facts_free(struct facts *f)
{
    alive_free(&f->alive);
    docs_free(f->pools);
    docs_free(f->slots);
}

struct docs *facts_open_tasks(const struct ops *o, const bson_t *pools, struct err *err)
{
    bson_t names = BSON_INITIALIZER;
    db_append_keys(&names, pools);
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("state", "{", "$in", "[", BCON_UTF8("ready"), BCON_UTF8("admitted"),
                              BCON_UTF8("running"), BCON_UTF8("parked"), "]", "}", "pool", "{",
                              "$in", BCON_ARRAY(&names), "}");
    bson_destroy(&names);
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("projection", "{", "kind", BCON_INT32(1), "pool", BCON_INT32(1),
                            "state", BCON_INT32(1), "priority", BCON_INT32(1), "ready_at",
                            BCON_INT32(1), "not_before", BCON_INT32(1), "wait_ms", BCON_INT32(1),
                            "instrument_id", BCON_INT32(1), "project_id", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_TASKS, filter, opts}, err);
}

struct docs *facts_tasks_of(const struct ops *o, const char *raw_file, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("raw_file", BCON_UTF8(raw_file));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "created_at", BCON_INT32(1), "_id", BCON_INT32(1), "}");
    return docs_read(o->db, &(struct docs_query){DB_TASKS, filter, opts}, err);
}

struct docs *facts_metrics_of(const struct ops *o, const char *raw_file, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("raw_file", BCON_UTF8(raw_file));
    AUTO(bson_destroy)
    bson_t *opts = BCON_NEW("sort", "{", "created_at_", BCON_INT32(-1), "_id", BCON_INT32(-1), "}");
    struct docs *d = docs_read(o->db, &(struct docs_query){DB_METRICS, filter, opts}, err);
    if (d != NULL) {
        named_drop_twins(d);
    }
    return d;
}

struct instrument *facts_instrument(const struct ops *o, const char *id, struct err *err)
{
    AUTO(free) char *file = NULL;
    if (strchr(id, '/') != NULL ||
        asprintf(&file, "%s/%s.ini", o->cfg->scheduler.instruments_dir, id) < 0) {
        file = NULL;
        (void)ERR(err, ERR_INVALID, 0, "'%s' names no instrument", id);
        return NULL;
    }
    return instrument_load(o->cfg, file, err);
}

static const char *number_or_text(const bson_t *doc, const char *path, char buf[static 32])
{
    const char *text = doc_str(doc, path, "");
    int64_t n = doc_i64(doc, path, -1);
    snprintf(buf, 32, "%s", text);
    if (*text == '\0' && n > 0) { /* 0: none yet, or spent */
        snprintf(buf, 32, "%" PRId64, n);
    }
    return buf;
}

const char *facts_job_id(const bson_t *task, char buf[static 32])
{
    static const char *const paths[] = {"result.job_id", "kept.job_id", "parked.job_id",
                                        "kept.last_job_id"};
    buf[0] = '\0';
    for (size_t i = 0; i < sizeof paths / sizeof *paths && buf[0] == '\0'; i++) {
        number_or_text(task, paths[i], buf);
    }
    return buf;
}

int64_t facts_slots_taken(const struct docs *slots, const char *pool)
{
    int64_t n = 0;
    for (size_t i = 0; i < slots->n; i++) {
        n += strcmp(doc_str(slots->items[i], "pool", ""), pool) == 0;
    }
    return n;
}
