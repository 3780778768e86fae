/*
 * task.c - task document -> job: pure, bounded, fuzzed. What can never become a job is INVALID
 * here, before anything is done: a path that leaves its location, resources that sbatch would not
 * read.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/path.h"
#include "workers/quant/quant.h"

const char *quant_exists_name(enum quant_exists mode)
{
    static const char *const names[] = {
        [EXISTS_RAISE] = "raise",
        [EXISTS_OVERWRITE] = "overwrite",
        [EXISTS_ASSOCIATE] = "associate",
        [EXISTS_ADD] = "add",
    };
    _Static_assert(sizeof names / sizeof *names == EXISTS_COUNT, "a name for every mode");
    return names[mode];
}

static int bad(const char *what, const char *value, struct err *err)
{
    return ERR(err, ERR_INVALID, 0, "%s cannot be \"%.100s\"", what, value);
}

/* A copy of the text at path, at most max bytes; "" when there is none. */
static int take_text(const bson_t *task, const char *path, size_t max, char **out, struct err *err)
{
    const char *text = doc_str(task, path, "");
    if (strlen(text) > max) {
        return ERR(err, ERR_INVALID, 0, "%s is longer than %zu bytes", path, max);
    }
    *out = strdup(text);
    return *out != NULL ? 0 : err_no_memory(err);
}

/* The same for an escaped name or path: *out holds its bytes, which must stay below their root. */
static int take_path(const bson_t *task, const char *path, bool may_be_empty, char **out,
                     struct err *err)
{
    const char *text = doc_str(task, path, "");
    if (strlen(text) > 4096) {
        return ERR(err, ERR_INVALID, 0, "%s is longer than 4096 bytes", path);
    }
    *out = path_unescape(text);
    if (*out == NULL) {
        return err_no_memory(err);
    }
    if ((*out)[0] == '\0' ? !may_be_empty : !path_is_safe(*out)) {
        return bad(path, text, err);
    }
    return 0;
}

static int decode_settings(struct quant_job *job, const bson_t *task, struct err *err)
{
    bson_t doc;
    if (!doc_sub(task, "input.settings", &doc)) {
        return ERR(err, ERR_INVALID, 0, "the task has no settings");
    }
    return settings_decode(&doc, &job->settings, err);
}

/* A rerun is somebody else to what an earlier run has left. */
static int name_owner(struct quant_job *job, const bson_t *task, struct err *err)
{
    int64_t run = doc_i64(task, "input.run", 1);
    int n = run > 1 ? asprintf(&job->owner, "%s#run%" PRId64, job->base.task_id, run)
                    : asprintf(&job->owner, "%s", job->base.task_id);
    if (n < 0) {
        job->owner = NULL;
        return err_no_memory(err);
    }
    return 0;
}

/* "<instrument>/<YYYY_MM>/<name>" -> YYYY_MM, the month of the acquisition: the same for every
 * attempt. */
static void find_month(struct quant_job *job)
{
    const char *month = strchr(job->raw, '/');
    memcpy(job->month, "undated", sizeof "undated");
    if (month != NULL && strspn(month + 1, "0123456789_") == 7 && month[8] == '/' &&
        month[5] == '_') {
        memcpy(job->month, month + 1, 7);
    }
}

static int decode_exists(struct quant_job *job, const bson_t *task, struct err *err)
{
    const char *name = doc_str(task, "input.output_exists_mode", quant_exists_name(EXISTS_RAISE));
    for (int mode = 0; mode < EXISTS_COUNT; mode++) {
        if (strcmp(name, quant_exists_name((enum quant_exists)mode)) == 0) {
            job->exists = (enum quant_exists)mode;
            return 0;
        }
    }
    return bad("output_exists_mode", name, err);
}

static int decode_input(struct quant_job *job, const bson_t *task, struct err *err)
{
    if (take_path(task, "input.backup_path", false, &job->raw, err) != 0 ||
        take_path(task, "input.output_relative", false, &job->output, err) != 0 ||
        take_path(task, "input.raw_file_id", false, &job->raw_id, err) != 0 ||
        take_text(task, "input.raw_file_id", 4096, &job->raw_id_text, err) != 0 ||
        take_text(task, "input.project_id", 64, &job->project, err) != 0) {
        return -1;
    }
    find_month(job);
    job->sciex = strcmp(doc_str(task, "input.instrument_type", ""), "sciex") == 0;
    job->cancel = doc_has(task, "cancel");
    job->created_ms = doc_i64(task, "created_at", 0);
    return decode_exists(job, task, err);
}

/* What runs the job: that which has it already, else what the settings say, else the site's. */
static int choose_engine(struct quant_job *job, const bson_t *task, struct err *err)
{
    const struct config *c = job->base.cfg;
    const char *name = doc_str(task, "kept.engine", "");
    if (name[0] == '\0') {
        name = job->settings.engine;
    }
    if (name[0] == '\0') {
        name = c != NULL ? c->quant.engine : engine_slurm.name;
    }
    job->engine = job_engine(name);
    return job->engine != NULL
               ? 0
               : ERR(err, ERR_INVALID, 0,
                     "its settings want the engine '%.40s', and Trawl has slurm, local and file: "
                     "make a version that has one of these (trawl settings new --engine)",
                     name);
}

/* The job of an earlier attempt, and how it ended when the watcher has seen that. What is parked
 * under another name than the kept one is of a job that is spent. */
static int decode_kept(struct quant_job *job, const bson_t *task, struct err *err)
{
    const char *name = doc_str(task, "kept.job_name", "");
    if (strlen(name) >= sizeof job->job_name ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != '\0') {
        return bad("kept.job_name", name, err);
    }
    memcpy(job->job_name, name, strlen(name) + 1);
    if (name[0] == '\0') {
        return 0;
    }
    job->job_id = doc_i64(task, "kept.job_id", 0);
    job->job_id = job->job_id > 0 ? job->job_id : 0;
    job->given_up = doc_bool(task, "kept.given_up", false);
    struct job_outcome *o = &job->outcome;
    job->ended = job->job_id > 0 && doc_has(task, "parked.ended") &&
                 strcmp(doc_str(task, "parked.job_name", ""), job->job_name) == 0;
    snprintf(o->state, sizeof o->state, "%s", doc_str(task, "parked.ended.state", "UNKNOWN"));
    snprintf(o->source, sizeof o->source, "%s", doc_str(task, "parked.ended.source", "none"));
    int64_t code = doc_i64(task, "parked.ended.exit_code", -1);
    o->exit_code = code >= 0 && code < 65536 ? (int)code : -1;
    o->elapsed_s = doc_i64(task, "parked.ended.elapsed_s", -1);
    o->peak_mib = doc_i64(task, "parked.ended.peak_memory_mib", -1);
    /* Where prepare put the output of this job; it may not look for another place now. */
    if (doc_str(task, "kept.output", "")[0] != '\0') {
        free(TAKE(job->output));
        return take_path(task, "kept.output", false, &job->output, err);
    }
    return 0;
}

int quant_decode(void *p, const bson_t *task, struct err *err)
{
    struct quant_job *job = p;
    if (decode_input(job, task, err) != 0 || decode_settings(job, task, err) != 0 ||
        name_owner(job, task, err) != 0 || choose_engine(job, task, err) != 0) {
        return -1;
    }
    return decode_kept(job, task, err);
}

void quant_destroy(void *p)
{
    struct quant_job *job = p;
    char *const texts[] = {
        job->raw,        job->output,        job->raw_id,         job->raw_id_text,
        job->project,    job->worker_output, job->cluster_output, job->folder,
        job->metrics_id, job->owner,         job->copy,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(texts[i]);
    }
    settings_fini(&job->settings);
    bson_destroy(job->metrics);
}
