/* steps.c - load, check, erase. Nothing is deleted before all of check has passed. */
#include <string.h>

#include "common/base/path.h"
#include "common/raw/raw_file.h"
#include "common/raw/retire.h"
#include "workers/remove/job.h"

#define REFUSED_MAX 100 /* reasons kept in the task */

static int check_hook(void *ctx, struct err *err)
{
    struct remove_job *job = ctx;
    return run_check(job->base.run, err);
}

static void read_hook(void *ctx, int64_t bytes)
{
    struct remove_job *job = ctx;
    job->bytes_read += bytes;
    run_progress(job->base.run, job->bytes_read, job->check.total);
}

/* The raw file as it is now; INVALID when its backup cannot replace it. */
static int load_raw(const struct remove_job *job, bson_t **out, struct err *err)
{
    if (db_find_id(job->base.db, DB_RAW_FILES, job->raw_file, out, err) != 0) {
        return -1;
    }
    if (*out == NULL) {
        return ERR(err, ERR_INVALID, 0, "there is no raw file %s", job->raw_file);
    }
    const char *problem = retire_backup_problem(*out);
    return problem == NULL ? 0 : ERR(err, ERR_INVALID, 0, "nothing is deleted: %s", problem);
}

/* Outside production not even the share is looked at. */
static int remove_load(void *arg, struct err *err)
{
    struct remove_job *job = arg;
    const struct config *cfg = job->base.cfg;
    if (strcmp(cfg->trawl.env, RETIRE_ENV) != 0) {
        job->skipped = "not production";
        return 0;
    }
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (load_raw(job, &raw, err) != 0 || record_load(&job->record, job->base.db, raw, err) != 0 ||
        (job->pool = record_folder(cfg, raw, err)) == NULL ||
        (job->backup = path_join(job->source_root, RETIRE_FOLDER, err)) == NULL) {
        return -1;
    }
    return retire_need_folder(cfg->location.backup.worker, "the backup location", err);
}

static void append_refused(const struct retire_check *c, bson_t *fields)
{
    bson_t list;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(fields, "kept.refused", &list);
    for (size_t i = 0; i < c->tree.n && n < REFUSED_MAX; i++) {
        if (c->why[i][0] == '\0') {
            continue;
        }
        AUTO(free) char *path = path_escape(c->tree.entries[i].path);
        AUTO(free) char *why = path_escape(c->why[i]); /* may name the file */
        char buf[16];
        const char *key;
        bson_uint32_to_string(n++, &key, buf, sizeof buf);
        BCON_APPEND(&list, key, "{", "path", BCON_UTF8(path != NULL ? path : "?"), "why",
                    BCON_UTF8(why != NULL ? why : "?"), "}");
    }
    bson_append_array_end(fields, &list);
}

static int refuse_deletion(struct remove_job *job, struct err *err)
{
    char reason[RETIRE_REASON];
    bson_t fields = BSON_INITIALIZER;
    append_refused(&job->check, &fields);
    int rc = run_keep(job->base.run, &fields, err);
    bson_destroy(&fields);
    return rc != 0 ? -1
                   : ERR(err, ERR_INVALID, job->check.differing > 0 ? ERR_CODE_ORIGINAL_DIFFERS : 0,
                         "nothing is deleted: %s", retire_check_reason(&job->check, reason));
}

static int remove_check(void *arg, struct err *err)
{
    struct remove_job *job = arg;
    if (job->skipped != NULL) {
        return 0;
    }
    const struct retire_place place = {
        .instrument = job->source_root,
        .pool = job->pool,
        .set = job->set,
        .hooks = {.check = check_hook, .read = read_hook, .ctx = job},
    };
    if (retire_check_run(&job->check, &job->record, &place, err) != 0) {
        return -1;
    }
    return job->check.bad == 0 ? 0 : refuse_deletion(job, err);
}

static int remove_step_erase(void *arg, struct err *err)
{
    struct remove_job *job = arg;
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (job->skipped != NULL) {
        return 0;
    }
    /* Reading may have taken hours: scrubbing may have found the backup damaged meanwhile, and a
     * server that answers may not have heard of it. */
    bool won;
    if (load_raw(job, &raw, err) != 0 ||
        raw_file_make(job->base.db, raw_file_erasing(raw), &won, err) != 0) {
        return -1;
    }
    return won ? remove_erase(job, err)
               : ERR(err, ERR_HOLD, 0,
                     "nothing is deleted yet: the raw file's document has changed since it was "
                     "read; it is read and checked again");
}

const struct worker_step remove_steps[] = {
    {"load", remove_load}, {"check", remove_check}, {"erase", remove_step_erase}, {0}};
