/*
 * noop_kinds.c - the kinds of a worker that does nothing: what is left is the task engine. A copy
 * says that it has copied, an index that it has indexed, so that the scheduler plans on.
 */
#include "workers/worker.h"

#include "common/base/clock.h"

struct noop_job {
    struct job_base base;
    const char *raw_file; /* of the task, which outlives the job */
    int64_t sleep_ms;
};

static int decode(void *p, const bson_t *task, struct err *err)
{
    (void)err;
    struct noop_job *job = p;
    job->raw_file = doc_str(task, "raw_file", "");
    job->sleep_ms = doc_i64(task, "input.sleep_ms", 0);
    return 0;
}

static int rest(void *p, struct err *err)
{
    (void)err;
    const struct noop_job *job = p;
    mono_sleep_ms(job->sleep_ms);
    return 0;
}

static int clean(void *p, struct err *err)
{
    const struct noop_job *job = p;
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_UTF8(job->raw_file));
    AUTO(bson_destroy) bson_t *update = BCON_NEW("$set", "{", "dirty", BCON_BOOL(false), "}");
    struct db_change change = {.filter = filter, .update = update};
    return db_update_together(job->base.db, DB_RAW_FILES, &change, err);
}

static void result(const void *job, bson_t *out)
{
    (void)job;
    BCON_APPEND(out, "files", "[", "]", "size", BCON_INT64(1));
}

static void destroy(void *job)
{
    (void)job;
}

static int64_t copy_threads(const struct config *cfg)
{
    return cfg->copy.threads;
}

static int64_t index_threads(const struct config *cfg)
{
    return cfg->index.threads;
}

static const struct worker_step copy_steps[] = {{"rest", rest}, {0}};
static const struct worker_step index_steps[] = {{"rest", rest}, {"clean", clean}, {0}};

static const struct worker_kind copy = {
    .name = "copy",
    .job_size = sizeof(struct noop_job),
    .decode = decode,
    .steps = copy_steps,
    .result = result,
    .destroy = destroy,
    .threads = copy_threads,
};
static const struct worker_kind index_kind = {
    .name = "index",
    .job_size = sizeof(struct noop_job),
    .decode = decode,
    .steps = index_steps,
    .result = result,
    .destroy = destroy,
    .threads = index_threads,
};

const struct worker_kind *const worker_kinds[] = {&copy, &index_kind, NULL};
