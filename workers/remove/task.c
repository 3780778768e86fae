/* task.c - a remove task's document -> struct remove_job, and the end of a job. */
#include <stdlib.h>

#include "workers/decode.h"
#include "workers/remove/job.h"

int remove_decode(void *arg, const bson_t *task, struct err *err)
{
    struct remove_job *job = arg;
    job->set = decode_is_set(task);
    if (decode_raw_file(task, &job->raw_file, err) != 0) {
        return -1;
    }
    return decode_source_root(task, &job->source_root, err);
}

void remove_destroy(void *arg)
{
    struct remove_job *job = arg;
    record_fini(&job->record);
    retire_check_fini(&job->check);
    free(job->deleted);
    free(job->raw_file);
    free(job->source_root);
    free(job->backup);
    free(job->pool);
}
