#include "workers/job/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"

const struct job_engine *job_engine(const char *name)
{
    static const struct {
        const char *name;
        const struct job_engine *engine;
    } engines[] = {{"slurm", &engine_slurm},
                   {"local", &engine_local},
                   {"file", &engine_file},
                   {"slurm_no_sacct", &engine_slurm},
                   {"file_based", &engine_file}};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        if (strcmp(name, engines[i].name) == 0) {
            return engines[i].engine;
        }
    }
    return NULL;
}

const char *job_path(const struct job_engine *e, const struct config_location *l)
{
    return e->here ? l->worker : config_cluster_path(l);
}

void job_prefix(const struct config *c, char prefix[static JOB_PREFIX_MAX])
{
    char key[512], hex[HASH_XXH_HEX];
    snprintf(key, sizeof key, "%s/%s", c->trawl.env, c->mongo.database);
    hash_mem(key, strlen(key), hex);
    snprintf(prefix, JOB_PREFIX_MAX, "trawl-%.8s-", hex);
}

void job_name(const struct config *c, const char *key, int64_t fence,
              char name[static JOB_NAME_MAX])
{
    char prefix[JOB_PREFIX_MAX], hex[HASH_XXH_HEX];
    job_prefix(c, prefix);
    hash_mem(key, strlen(key), hex);
    snprintf(name, JOB_NAME_MAX, "%s%s-f%" PRId64, prefix, hex, fence);
}

char *job_folder(const struct job_engine *e, const struct config *c, const char *month,
                 const char *name)
{
    char *path = NULL;
    const char *root = job_path(e, &c->location.slurm);
    return asprintf(&path, "%s/jobs/%s/%s", root, month, name) >= 0 ? path : NULL;
}

void job_poll_fini(struct job_poll *p)
{
    free(p->strays);
    *p = (struct job_poll){0};
}

int job_ask(const struct job_engine *e, const struct config *c, const struct job_spec *spec,
            int64_t *id, struct err *err)
{
    struct job_result r = {.answer = JOB_CUT};
    if (e->find(c, spec, &r, err) != 0) {
        return -1;
    }
    if (r.answer != JOB_FOUND && r.answer != JOB_NONE) {
        return ERR(err, ERR_HOLD, 0, "the cluster cannot tell whether %s was submitted: %s",
                   spec->name, r.message);
    }
    *id = r.answer == JOB_FOUND ? r.id : 0;
    if (*id != 0) {
        log_info("job_adopted", KV("task_id", spec->owner), KV("job_id", *id));
    }
    return 0;
}

int job_submit(const struct job_engine *e, const struct config *c, const struct job_spec *spec,
               int64_t *id, struct err *err)
{
    struct job_result r = {.answer = JOB_CUT};
    if (e->submit(c, spec, &r, err) != 0) {
        return -1;
    }
    switch (r.answer) {
    case JOB_FOUND:
        *id = r.id;
        return 0;
    case JOB_REFUSED:
        return ERR(err, ERR_INVALID, 0, "the job was refused: %s", r.message);
    case JOB_TAKEN:
        return ERR(err, ERR_INVALID, EEXIST, "%s", r.message);
    case JOB_UNUSABLE:
        return ERR(err, ERR_HOLD, 0, "the job cannot be taken now: %s", r.message);
    case JOB_NONE:
        return ERR(err, ERR_HOLD, 0, "the submission %s was given up", spec->name);
    case JOB_UNCERTAIN:
    case JOB_CUT:
        break;
    }
    if (job_ask(e, c, spec, id, err) != 0) {
        return -1;
    }
    if (*id != 0) {
        return 0;
    }
    return ERR(err, r.away || r.message[0] == '\0' ? ERR_HOLD : ERR_TRANSIENT, 0,
               "no job was submitted: %s",
               r.message[0] != '\0' ? r.message : "the answer was lost");
}
