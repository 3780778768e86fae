/*
 * steps.c - load, contribute, fold, settle. Each may run twice: all writes are guarded by rev, so
 * the steps need no fence, and a run that lost its task does no harm by going on.
 */
#include <string.h>

#include "common/db/named.h"
#include "common/raw/raw_file.h"
#include "workers/index/job.h"
#include "workers/index/store.h"

static struct store_source source_of(const struct index_job *j)
{
    return (struct store_source){.db = j->base.db,
                                 .raw_file = j->raw_file,
                                 .rev = j->rev,
                                 .week = week_of(j->raw, "created_at")};
}

static int load_metrics(struct index_job *j, struct err *err)
{
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("raw_file", BCON_UTF8(j->raw_file));
    int rc = db_each(j->base.db, DB_METRICS, filter, NULL, docs_add, &j->metrics, err);
    named_drop_twins(&j->metrics);
    return rc;
}

static int load_tasks(struct index_job *j, struct err *err)
{
    bson_t ids;
    if (!doc_sub(j->raw, "tasks", &ids) || bson_empty(&ids)) {
        return 0;
    }
    AUTO(bson_destroy)
    bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}", "kind", BCON_UTF8("quant"));
    return db_each(j->base.db, DB_TASKS, filter, NULL, docs_add, &j->tasks, err);
}

/* The raw file is read first: what the others say may then only be newer than its rev, and whatever
 * changed them raises the rev afterwards. */
int index_load(void *job, struct err *err)
{
    struct index_job *j = job;
    if (db_find_id(j->base.db, DB_RAW_FILES, j->raw_file, &j->raw, err) != 0) {
        return -1;
    }
    if (j->raw == NULL) {
        return ERR(err, ERR_INVALID, 0, "there is no raw file %s", j->raw_file);
    }
    j->has_rev = doc_has(j->raw, "rev");
    j->rev = doc_i64(j->raw, "rev", 0);
    return load_metrics(j, err) != 0 || load_tasks(j, err) != 0 ? -1 : 0;
}

int index_contribute(void *job, struct err *err)
{
    struct index_job *j = job;
    struct store_source s = source_of(j);
    struct contribution_sources src = {.raw = j->raw, .metrics = &j->metrics, .tasks = &j->tasks};
    if (contribution_build(&src, &j->touched, err) != 0) {
        return -1;
    }
    j->live = j->touched.n;
    int announced = store_announce(&s, &j->touched, &j->weeks, err);
    j->superseded = announced == 0;
    return announced > 0 ? store_contribute(&s, &j->touched, err) : announced;
}

int index_fold(void *job, struct err *err)
{
    struct index_job *j = job;
    struct store_source s = source_of(j);
    return j->superseded ? 0 : store_fold(&s, &j->touched, &j->weeks, err);
}

/* A rev that has moved on stays dirty: the scheduler sends the raw file here again. */
int index_settle(void *job, struct err *err)
{
    struct index_job *j = job;
    struct store_source s = source_of(j);
    if (j->superseded) {
        return 0;
    }
    if (store_conclude(&s, &j->touched, j->live, err) != 0) {
        return -1;
    }
    struct db_change change = raw_file_indexing(j->raw_file, j->has_rev ? j->rev : -1);
    int rc = db_update_together(j->base.db, DB_RAW_FILES, &change, err);
    db_change_fini(&change);
    return rc;
}
