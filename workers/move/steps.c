/* steps.c - load, decide, move. Each finds what an earlier attempt has done. */
#include <string.h>

#include "common/base/fs.h"
#include "common/base/path.h"
#include "common/raw/retire.h"
#include "common/raw/retire_check.h"
#include "workers/move/job.h"

static int need_backup(const bson_t *raw, struct err *err)
{
    const char *problem = retire_backup_problem(raw);
    return problem == NULL ? 0 : ERR(err, ERR_INVALID, 0, "it stays where it is: %s", problem);
}

/* Outside production not even the share is looked at. */
static int move_load(void *arg, struct err *err)
{
    struct move_job *job = arg;
    const struct config *cfg = job->base.cfg;
    if (strcmp(cfg->trawl.env, RETIRE_ENV) != 0) {
        job->skipped = "not production";
        return 0;
    }
    AUTO(bson_destroy) bson_t *raw = NULL;
    if (db_find_id(job->base.db, DB_RAW_FILES, job->raw_file, &raw, err) != 0) {
        return -1;
    }
    if (raw == NULL) {
        return ERR(err, ERR_INVALID, 0, "there is no raw file %s", job->raw_file);
    }
    if (need_backup(raw, err) != 0 || record_load(&job->record, job->base.db, raw, err) != 0 ||
        (job->pool = record_folder(cfg, raw, err)) == NULL) {
        return -1;
    }
    job->backup = path_join(job->source_root, RETIRE_FOLDER, err);
    return job->backup == NULL ||
                   retire_need_folder(job->source_root, "the instrument's folder", err) != 0 ||
                   retire_need_folder(cfg->location.backup.worker, "the backup location", err) != 0
               ? -1
               : 0;
}

static int move_step_decide(void *arg, struct err *err)
{
    struct move_job *job = arg;
    if (job->skipped != NULL || move_decide(job, err) == 0) {
        return 0;
    }
    struct err why = {0};
    if (err->code == ERR_CODE_SOURCE_CHANGED && move_undo(job, &why) != 0) {
        *err = why;
    }
    return -1;
}

static int move_step_move(void *arg, struct err *err)
{
    struct move_job *job = arg;
    if (job->skipped != NULL) {
        return 0;
    }
    int rc = move_prepare(job, err);
    for (size_t i = 0; rc == 0 && i < job->n_members; i++) {
        rc = run_check(job->base.run, err) != 0 ? -1 : move_member(job, &job->members[i], err);
    }
    return rc == 0 ? 0 : fs_share_failed(err); /* all of it is on the instrument's share */
}

const struct worker_step move_steps[] = {
    {"load", move_load}, {"decide", move_step_decide}, {"move", move_step_move}, {0}};
