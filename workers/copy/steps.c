/* steps.c - the engine's phases as steps. Each may run twice: the engine finds what is done. */
#include "common/base/log.h"
#include "workers/copy/job.h"

#define MIB ((int64_t)1 << 20)

static int check_hook(void *ctx, struct err *err)
{
    struct copy_job *job = ctx;
    return run_check(job->base.run, err);
}

static void progress_hook(void *ctx, int64_t done, int64_t total)
{
    struct copy_job *job = ctx;
    run_progress(job->base.run, done, total);
}

static void make_plan(struct copy_job *job, enum hash_digest digest)
{
    const struct config *cfg = job->base.cfg;
    job->plan = (struct copy_plan){
        .source_root = job->source_root,
        .target_root = cfg->location.backup.worker,
        .target_dir = job->target_dir,
        .name = job->name,
        .main = job->main,
        .members = job->members,
        .n_members = job->n_members,
        .fence = job->base.fence,
        .digest = digest,
        .etag_part_bytes = (job->s3_part_mib < 0 ? cfg->copy.s3_part_mib : job->s3_part_mib) * MIB,
        .supersedes = job->supersedes,
        .n_supersedes = job->n_supersedes,
        .streams = (unsigned)cfg->copy.streams,
        .file_threads = (unsigned)cfg->copy.file_threads,
        .chunk_bytes = cfg->copy.chunk_mib * MIB,
        .readback = cfg->copy.readback ? COPY_READBACK_DISK : COPY_READBACK_NONE,
        .rename_aside = job->rename_aside,
        .limit_bytes_per_s = job->limit_bytes_per_s,
        .limit = job->share,
        .hooks = {.check = check_hook, .progress = progress_hook, .ctx = job},
    };
}

/* The runner has proven both shares before this step, as before each other (copy_locations). */
static int copy_check_mounts(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    const struct config *cfg = job->base.cfg;
    const char *name = job->digest != NULL ? job->digest : cfg->copy.digest;
    enum hash_digest digest;
    if (hash_digest_parse(name, &digest) != 0) {
        return ERR(err, ERR_INVALID, 0, "unknown digest '%.40s'", name);
    }
    if (cfg->location.backup.worker == NULL || cfg->location.backup.worker[0] != '/') {
        return ERR(err, ERR_HOLD, 0, "[location.backup] worker is not configured");
    }
    const struct copy_shared *shared = job->base.shared;
    if (shared != NULL && shared->limit != NULL && job->share == NULL &&
        (job->share = bandwidth_share_new(shared->limit, err)) == NULL) {
        return -1;
    }
    make_plan(job, digest);
    return 0;
}

static int copy_step_reserve(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    job->copy = copy_new(&job->plan, err);
    return job->copy == NULL ? -1 : copy_reserve(job->copy, err);
}

static int copy_step_transfer(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    return copy_transfer(job->copy, err);
}

static int copy_step_verify(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    return copy_verify(job->copy, err);
}

static int write_down(struct copy_job *job, const bson_t *fields, struct err *err)
{
    while (run_keep(job->base.run, fields, err) != 0) {
        if (copy_wait_for_database(job, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A proven copy is not thrown away because the database does not answer for a while. Until the task
 * has settled, only this shows a later attempt that what has the final names is ours, when the
 * source has changed by then. */
static int copy_step_record(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    if (copy_report(job->copy, &job->report, err) != 0) {
        return -1;
    }
    bson_t fields = BSON_INITIALIZER;
    int rc = copy_write_list(job, err);
    bool is_new = rc == 0 && !job->report.already_there && copy_published(job, &fields);
    rc = is_new ? write_down(job, &fields, err) : rc;
    bson_destroy(&fields);
    copy_report_fini(&job->report);
    return rc;
}

static int copy_step_publish(void *arg, struct err *err)
{
    struct copy_job *job = arg;
    if (copy_publish(job->copy, err) != 0) {
        return -1;
    }
    if (copy_report(job->copy, &job->report, err) != 0) {
        return -1;
    }
    if (job->report.mapped_names > 0) {
        log_warn("copy_mapped_names", KV("name", job->name),
                 KV("files", (uint64_t)job->report.mapped_names));
    }
    return 0;
}

const struct worker_step copy_steps[] = {
    {"earlier", copy_read_earlier}, {"check_mounts", copy_check_mounts},
    {"reserve", copy_step_reserve}, {"transfer", copy_step_transfer},
    {"verify", copy_step_verify},   {"record", copy_step_record},
    {"publish", copy_step_publish}, {0},
};
