#include <stdlib.h>

#include "common/base/path.h"
#include "workers/quant/quant.h"

void quant_parked(const void *p, bson_t *out)
{
    const struct quant_job *job = p;
    AUTO(free) char *output = path_escape(job->worker_output);
    bool slurm = job->engine == &engine_slurm;
    BSON_APPEND_UTF8(out, "engine", job->engine->name);
    BSON_APPEND_UTF8(out, "cluster", slurm ? job->base.cfg->ssh.hosts : "");
    BSON_APPEND_UTF8(out, "output", output != NULL ? output : "");
    BSON_APPEND_INT64(out, "job_id", job->job_id);
    BSON_APPEND_UTF8(out, "job_name", job->job_name);
    BSON_APPEND_UTF8(out, "folder", job->folder);
}

void quant_result(const void *p, bson_t *out)
{
    const struct quant_job *job = p;
    BSON_APPEND_INT64(out, "job_id", job->job_id);
    BSON_APPEND_UTF8(out, "job_state", job->outcome.state);
    BSON_APPEND_INT64(out, "elapsed_s", job->outcome.elapsed_s);
    BSON_APPEND_INT64(out, "peak_memory_mib", job->outcome.peak_mib);
    BSON_APPEND_UTF8(out, "metrics_id", job->metrics_id != NULL ? job->metrics_id : "");
}
