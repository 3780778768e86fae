/* result.c - what the task document keeps of a finished index run. */
#include "workers/index/job.h"

void index_result(const void *job, bson_t *out)
{
    const struct index_job *j = job;
    BSON_APPEND_INT64(out, "rev", j->rev);
    BSON_APPEND_INT64(out, "entities", (int64_t)j->touched.n);
}
