/* task.c - task document -> job, and the end of a job. */
#include <stdlib.h>

#include "workers/decode.h"
#include "workers/index/job.h"

int index_decode(void *job, const bson_t *task, struct err *err)
{
    struct index_job *j = job;
    return decode_raw_file(task, &j->raw_file, err);
}

void index_destroy(void *job)
{
    struct index_job *j = job;
    free(j->raw_file);
    if (j->raw != NULL) {
        bson_destroy(j->raw);
    }
    docs_clear(&j->metrics);
    docs_clear(&j->tasks);
    contribution_list_clear(&j->touched);
    weeks_clear(&j->weeks);
}
