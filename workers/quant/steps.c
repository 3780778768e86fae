/*
 * steps.c - what is done for one job, step by step. Every step may run again and finds its work:
 *
 *   prepare  pure but for looking; chooses the output folder
 *   submit   a job that was kept is not submitted again; a name that was kept without a job is
 *            asked for (and closed) before a new one is used; parks the task until the watcher has
 *            noted the end
 *   collect  reads the results; a job that ended badly is spent: a retry submits a new one
 *   store    the metrics document has a name of its own for each job
 *
 * The name is kept before sbatch runs, so a job is never without somebody who knows its name.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/path.h"
#include "common/db/named.h"
#include "workers/quant/backup_files.h"
#include "workers/quant/contract.h"
#include "workers/quant/errors.h"
#include "workers/quant/files.h"
#include "workers/quant/metrics.h"
#include "workers/quant/output.h"

int quant_prepare(void *p, struct err *err)
{
    struct quant_job *job = p;
    if (output_choose(job, err) != 0) {
        return -1;
    }
    if (job->job_name[0] == '\0' &&
        files_check(job->base.shared, job->base.cfg, &job->settings, err) != 0) {
        return -1;
    }
    AUTO(contract_fini) struct contract c = {0};
    if (job->job_id == 0 && backup_files_find(job, err) != 0) {
        return -1;
    }
    return contract_make(job, &c, err); /* bad parameters show before anything runs */
}

/* kept.* := what the job knows; the name stays when job_id is 0, or goes with forget_job. */
static int keep_job(struct quant_job *job, struct err *err)
{
    AUTO(free) char *output = path_escape(job->output);
    AUTO(bson_destroy) bson_t *fields = bson_new();
    if (output == NULL || fields == NULL) {
        return err_no_memory(err);
    }
    BSON_APPEND_INT64(fields, "kept.job_id", job->job_id);
    BSON_APPEND_UTF8(fields, "kept.job_name", job->job_name);
    BSON_APPEND_INT64(fields, "kept.submitted_fence", job->base.fence);
    BSON_APPEND_UTF8(fields, "kept.output", output);
    BSON_APPEND_UTF8(fields, "kept.engine", job->engine->name);
    BSON_APPEND_BOOL(fields, "kept.given_up", job->given_up);
    return run_keep(job->base.run, fields, err);
}

static int set_folder(struct quant_job *job, struct err *err)
{
    free(job->folder);
    job->folder = job_folder(job->engine, job->base.cfg, job->month, job->job_name);
    return job->folder != NULL ? 0 : err_no_memory(err);
}

/* A cluster remembers names for weeks, and may serve several environments: the same task of another
 * database, or of one that was created again, is another job. */
static int set_name(struct quant_job *job, struct err *err)
{
    const struct config *c = job->base.cfg;
    AUTO(free) char *identity = NULL;
    if (asprintf(&identity, "%s/%s/%" PRId64 "/%s", c->trawl.env, c->mongo.database,
                 job->created_ms, job->base.task_id) < 0) {
        identity = NULL;
        return err_no_memory(err);
    }
    job_name(c, identity, job->base.fence, job->job_name);
    return set_folder(job, err);
}

static int submit_new(struct quant_job *job, struct err *err)
{
    AUTO(contract_fini) struct contract c = {0};
    job->given_up = false;
    if (set_name(job, err) != 0 || contract_make(job, &c, err) != 0 || keep_job(job, err) != 0 ||
        job_submit(job->engine, job->base.cfg, &c.spec, &job->job_id, err) != 0) {
        return -1;
    }
    return keep_job(job, err);
}

/* A name was kept and no id with it: what became of that submission? */
static int ask_by_name(struct quant_job *job, struct err *err)
{
    const struct job_spec spec = {
        .name = job->job_name, .folder = job->folder, .owner = job->owner};
    return job_ask(job->engine, job->base.cfg, &spec, &job->job_id, err);
}

/* The task has a job afterwards. */
static int have_job(struct quant_job *job, struct err *err)
{
    if (job->job_name[0] != '\0' && set_folder(job, err) != 0) {
        return -1;
    }
    if (job->job_id == 0 && job->job_name[0] != '\0' && ask_by_name(job, err) != 0) {
        return -1;
    }
    if (job->job_id != 0) {
        return job->ended ? 0 : keep_job(job, err);
    }
    return run_check(job->base.run, err) == 0 ? submit_new(job, err) : -1;
}

/* Parks in the same step: a task that is cancelled now has its job stopped by the watcher. */
int quant_submit(void *p, struct err *err)
{
    struct quant_job *job = p;
    if (have_job(job, err) != 0) {
        return -1;
    }
    return job->ended ? 0 : STEP_PARK;
}

/* The job has had its chance: a retry submits a new one. What it said last stays in the task. */
static int spend_job(struct quant_job *job, const char *tail, struct err *err)
{
    AUTO(bson_destroy) bson_t *fields = bson_new();
    if (fields == NULL) {
        return err_no_memory(err);
    }
    BSON_APPEND_INT64(fields, "kept.job_id", 0);
    BSON_APPEND_UTF8(fields, "kept.job_name", "");
    BSON_APPEND_INT64(fields, "kept.last_job_id", job->job_id);
    BSON_APPEND_UTF8(fields, "kept.error_code", job->error_code);
    BSON_APPEND_UTF8(fields, "kept.log_tail", tail);
    return run_keep(job->base.run, fields, err);
}

/* The last line of the tail that is not empty; points into tail, which it cuts. */
static const char *last_line(char *tail)
{
    for (;;) {
        char *end = strrchr(tail, '\n');
        if (end == NULL) {
            return tail;
        }
        if (end[1] != '\0') {
            return end + 1;
        }
        *end = '\0';
    }
}

/* The end of a line that is longer than `most` bytes: a program names its input first and the
 * reason last. Starts with a whole character. */
static const char *line_end(const char *line, size_t most)
{
    size_t len = strlen(line);
    if (len <= most) {
        return line;
    }
    const char *end = line + len - most;
    while ((*end & 0xc0) == 0x80) {
        end++;
    }
    return end;
}

static enum err_kind failure_kind(const struct quant_job *job)
{
    switch (states_fate(job->outcome.state)) {
    case JOB_LOST:
        return ERR_LOST;
    case JOB_CANCELLED:
        return job->cancel ? ERR_CANCELLED : job->given_up ? ERR_LOST : ERR_INVALID;
    case JOB_SUCCEEDED: /* without results */
    case JOB_FAILED:
        return ERR_INVALID;
    case JOB_WAITS:
    case JOB_UNKNOWN:
    case JOB_FATE_COUNT:
        break;
    }
    return ERR_TRANSIENT;
}

static int store_metrics(struct quant_job *job, struct err *err)
{
    bool won = false;
    free(TAKE(job->metrics_id));
    const char *run =
        strrchr(job->job_name, '-'); /* "-f7": of the attempt that submitted the job */
    if (asprintf(&job->metrics_id, "%s#%s", job->base.task_id, run != NULL ? run + 1 : "f0") < 0) {
        job->metrics_id = NULL;
        return err_no_memory(err);
    }
    bson_oid_t id;
    named_oid(job->metrics_id, &id);
    AUTO(bson_destroy) bson_t *filter = BCON_NEW("_id", BCON_OID(&id));
    AUTO(bson_destroy) bson_t *update = metrics_update(job);
    if (filter == NULL || update == NULL) {
        return err_no_memory(err);
    }
    /* A lost race for the insert means that the same document is there already. */
    return db_upsert(job->base.db, DB_METRICS, filter, update, &won, err);
}

/* Of a job that failed for good only the time and the memory are stored; one that was lost runs
 * again. */
static int note_failure(struct quant_job *job, struct err *err)
{
    bson_destroy(TAKE(job->metrics));
    return failure_kind(job) == ERR_INVALID ? store_metrics(job, err) : 0;
}

/* Settle a job that ended badly: why, in one line. */
static int fail_job(struct quant_job *job, const char *why, struct err *err)
{
    AUTO(free) char *tail = output_log_tail(job);
    if (tail == NULL) {
        return err_no_memory(err);
    }
    errors_classify(job, tail, job->error_code);
    if (note_failure(job, err) != 0 || spend_job(job, tail, err) != 0) {
        return -1;
    }
    const char *line = last_line(tail);
    const char *shown = line_end(line, 140);
    const struct job_outcome *o = &job->outcome;
    char code[32 + sizeof job->error_code] = "";
    bool known = job->error_code[0] != '_' || job->error_code[1] != '_';
    bool more = known && strcmp(job->error_code, o->state) != 0;
    if (o->exit_code > 0) {
        snprintf(code, sizeof code, ", exit code %d", o->exit_code);
    }
    size_t used = strlen(code);
    snprintf(code + used, sizeof code - used, "%s%s", more ? ", " : "",
             more ? job->error_code : "");
    return ERR(err, failure_kind(job), o->exit_code,
               "%s: job %" PRId64 "%s%s%s; log.txt ends: %s%s", o->state, job->job_id, code,
               why[0] != '\0' ? ", " : "", why, shown == line ? "" : "...",
               line[0] != '\0' ? shown : "(no log)");
}

static const char *state_reason(const struct quant_job *job)
{
    enum job_fate fate = states_fate(job->outcome.state);
    if (fate == JOB_CANCELLED && !job->cancel && !job->given_up) {
        return "cancelled on the cluster, not by Trawl";
    }
    return fate == JOB_UNKNOWN ? "the cluster does not know how it ended" : "";
}

int quant_collect(void *p, struct err *err)
{
    struct quant_job *job = p;
    if (states_fate(job->outcome.state) != JOB_SUCCEEDED) {
        return fail_job(job, state_reason(job), err);
    }
    struct err why = {0};
    bson_destroy(job->metrics);
    job->metrics = bson_new();
    if (metrics_read(job, job->metrics, &why) == 0) {
        return 0;
    }
    if (why.kind != ERR_INVALID) {
        *err = why;
        return -1;
    }
    char reason[160];
    snprintf(reason, sizeof reason, "but %.150s", why.msg);
    return fail_job(job, reason, err);
}

int quant_store(void *p, struct err *err)
{
    return store_metrics(p, err);
}
